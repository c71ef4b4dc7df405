//! Read buffers, lent to connections only while they hold bytes.
//!
//! An idle connection has no buffer: with thousands of idle sessions that is most of the memory. Free
//! buffers wait on a short list of the thread, so lending one costs a few nanoseconds.

use std::cell::RefCell;

use bytes::BytesMut;

/// Size of a fresh buffer.
pub const SMALL: usize = 16 * 1024;

/// Size to which a buffer grows when reads keep filling it.
pub const LARGE: usize = 256 * 1024;

/// Free buffers kept by a thread.
const KEPT: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with at least [`SMALL`] bytes of room.
#[must_use]
pub fn lend() -> BytesMut {
    FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(SMALL))
}

/// Takes a buffer back. Large ones are let go.
pub fn take_back(mut buffer: BytesMut) {
    buffer.clear();
    if !buffer.try_reclaim(SMALL) || buffer.capacity() > 2 * SMALL {
        return;
    }
    FREE.with_borrow_mut(|free| {
        if free.len() < KEPT {
            free.push(buffer);
        }
    });
}
