//! Memory for secrets: not swapped out, not in core dumps, wiped when given back.
//!
//! Secrets are kept while their users have sessions, which may be for months, so they do not lie on
//! the heap: there a copy would end in swap or in a crash report. The memory is cut into slots of one
//! size, is bounded, and grows by [`CHUNK`] bytes at a time, the unit that the kernel locks.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use zeroize::Zeroize;

/// Bytes locked at a time. A multiple of every page size in use, from 4 to 64 KiB.
pub const CHUNK: usize = 64 * 1024;

/// A bounded store of secrets. Clones share it.
#[derive(Debug, Clone)]
pub struct LockedMemory(Arc<Mutex<Slots>>);

/// A secret in its slot. Wiped on drop.
pub struct LockedBytes {
    memory: LockedMemory,
    slot: usize,
    len: usize,
}

/// Why a secret was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Every slot is taken.
    #[error("all {slots} slots for secrets are taken")]
    Full {
        /// How many there are.
        slots: usize,
    },
    /// The secret does not fit into a slot.
    #[error("a secret of {len} bytes does not fit into a slot of {slot_size}")]
    TooLong {
        /// Bytes of the secret.
        len: usize,
        /// Bytes of a slot.
        slot_size: usize,
    },
}

impl LockedMemory {
    /// Memory for up to `max_slots` secrets of up to `slot_size` bytes (1 to [`CHUNK`]; values outside
    /// are brought inside). The first chunk is taken at once.
    ///
    /// The second value says why memory could not be locked, usually RLIMIT_MEMLOCK. It works then all
    /// the same, but may be swapped out: log it once.
    #[must_use]
    pub fn new(slot_size: usize, max_slots: usize) -> (Self, Option<io::Error>) {
        let slot_size = slot_size.clamp(1, CHUNK);
        let mut slots = Slots { slot_size, max_slots, chunks: Vec::new(), free: Vec::new(), handed_out: 0 };
        let refused = slots.grow();
        (Self(Arc::new(Mutex::new(slots))), refused)
    }

    /// Copies a secret into a slot.
    pub fn store(&self, secret: &[u8]) -> Result<LockedBytes, StoreError> {
        let slot = self.0.lock().take(secret)?;
        Ok(LockedBytes { memory: self.clone(), slot, len: secret.len() })
    }

    /// Slots taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.lock().handed_out
    }

    /// Whether the kernel has locked all of it so far. More may be refused later, when it grows past
    /// RLIMIT_MEMLOCK.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.lock().chunks.iter().all(|chunk| chunk.locked)
    }
}

impl LockedBytes {
    /// Shows the secret to `see`. Others wait meanwhile, so take out what is needed and return.
    pub fn read<R>(&self, see: impl FnOnce(&[u8]) -> R) -> R {
        let mut slots = self.memory.0.lock();
        see(slots.slot(self.slot, self.len))
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        self.memory.0.lock().give_back(self.slot);
    }
}

impl std::fmt::Debug for LockedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedBytes(redacted)")
    }
}

#[derive(Debug)]
struct Slots {
    slot_size: usize,
    max_slots: usize,
    chunks: Vec<Chunk>,
    /// Slots free for use, of those in `chunks`.
    free: Vec<usize>,
    handed_out: usize,
}

impl Slots {
    fn take(&mut self, secret: &[u8]) -> Result<usize, StoreError> {
        let (len, slot_size) = (secret.len(), self.slot_size);
        if len > slot_size {
            return Err(StoreError::TooLong { len, slot_size });
        }
        if self.free.is_empty() {
            // A refusal to lock is visible in `is_locked`.
            let _ = self.grow();
        }
        let slot = self.free.pop().ok_or(StoreError::Full { slots: self.max_slots })?;
        self.handed_out += 1;
        self.slot(slot, len).copy_from_slice(secret);
        Ok(slot)
    }

    fn give_back(&mut self, slot: usize) {
        let whole = self.slot_size;
        self.slot(slot, whole).zeroize();
        self.free.push(slot);
        self.handed_out -= 1;
    }

    /// Adds a chunk unless the bound is reached; says if it could not be locked.
    fn grow(&mut self) -> Option<io::Error> {
        let per_chunk = CHUNK / self.slot_size;
        let first = self.chunks.len() * per_chunk;
        let end = (first + per_chunk).min(self.max_slots);
        if first >= end {
            return None;
        }
        let (chunk, refused) = Chunk::new();
        self.chunks.push(chunk);
        self.free.extend((first..end).rev());
        refused
    }

    /// The first `len` bytes of a slot that this store made itself.
    fn slot(&mut self, slot: usize, len: usize) -> &mut [u8] {
        let per_chunk = CHUNK / self.slot_size;
        let start = slot % per_chunk * self.slot_size;
        &mut self.chunks[slot / per_chunk].pages.0[start..start + len]
    }
}

#[derive(Debug)]
struct Chunk {
    pages: Box<Pages>,
    locked: bool,
}

/// Aligned to itself, so that whole pages are locked and no neighbour's.
#[repr(C, align(65536))]
struct Pages([u8; CHUNK]);

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pages(redacted)")
    }
}

impl Chunk {
    fn new() -> (Self, Option<io::Error>) {
        let pages = Box::new(Pages([0; CHUNK]));
        let refused = set_locked(&pages, true).err();
        (Self { pages, locked: refused.is_none() }, refused)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pages.0.zeroize();
        // The allocator gets ordinary memory back. Nothing is left to protect if this fails.
        let _ = set_locked(&self.pages, false);
    }
}

/// Locks the pages into memory and keeps them out of core dumps, or undoes both.
#[allow(unsafe_code, reason = "the standard library has no call for mlock and madvise")]
fn set_locked(pages: &Pages, lock: bool) -> io::Result<()> {
    let start = pages.0.as_ptr().cast_mut().cast::<libc::c_void>();
    // SAFETY: start and length are those of one live allocation, aligned to whole pages. The calls
    // change how the kernel keeps these pages, not what is in them.
    let refused = unsafe {
        if lock {
            libc::madvise(start, CHUNK, libc::MADV_DONTDUMP);
            libc::mlock(start, CHUNK)
        } else {
            libc::madvise(start, CHUNK, libc::MADV_DODUMP);
            libc::munlock(start, CHUNK)
        }
    };
    if refused == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slots_are_wiped_and_used_again() {
        let (memory, _) = LockedMemory::new(16, 1);
        let secret = memory.store(b"hunter2").unwrap();
        assert_eq!(secret.read(<[u8]>::to_vec), b"hunter2");
        assert!(!format!("{secret:?} {memory:?}").contains("hunter2"));
        assert_eq!(memory.store(b"x").unwrap_err(), StoreError::Full { slots: 1 });
        drop(secret);
        assert_eq!(memory.taken(), 0);
        assert!(memory.0.lock().chunks[0].pages.0.iter().all(|byte| *byte == 0));
        assert!(memory.store(b"x").is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (memory, _) = LockedMemory::new(4, 10);
        assert!(memory.store(b"1234").is_ok());
        assert_eq!(memory.store(b"12345").unwrap_err(), StoreError::TooLong { len: 5, slot_size: 4 });
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn the_kernel_counts_the_memory_as_locked() {
        let (memory, refused) = LockedMemory::new(1024, 64);
        assert_eq!(memory.is_locked(), refused.is_none());
        if refused.is_none() {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let locked = status.lines().find(|line| line.starts_with("VmLck")).unwrap();
            let kib: u64 = locked.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!(kib >= 64, "{locked}");
        }
    }

    proptest! {
        #[test]
        fn secrets_do_not_run_into_each_other(
            slot_size in 1usize..3000,
            max_slots in 0usize..200,
            steps in proptest::collection::vec((any::<bool>(), any::<u8>(), any::<prop::sample::Index>()), 1..300),
        ) {
            let (memory, _) = LockedMemory::new(slot_size, max_slots);
            let mut held: Vec<(LockedBytes, Vec<u8>)> = Vec::new();
            for (store, fill, which) in steps {
                if store {
                    let secret = vec![fill; which.index(slot_size + 1)];
                    match memory.store(&secret) {
                        Ok(bytes) => held.push((bytes, secret)),
                        Err(error) => {
                            prop_assert_eq!(error, StoreError::Full { slots: max_slots });
                            prop_assert_eq!(held.len(), max_slots);
                        }
                    }
                } else if !held.is_empty() {
                    held.swap_remove(which.index(held.len()));
                }
                prop_assert_eq!(memory.taken(), held.len());
                for (bytes, secret) in &held {
                    prop_assert_eq!(&bytes.read(<[u8]>::to_vec), secret);
                }
            }
        }
    }
}
