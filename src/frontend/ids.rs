//! The connection ids that clients are greeted with.
//!
//! A greeting is sent before there is a connection to a server, so the id in it is Headgate's own. Its upper
//! eight bits say which Headgate it is, since a KILL may come in at another one; servers count from 1, so what
//! they call a connection is told apart until a server has seen 16 million of them.

use std::sync::atomic::{AtomicU32, Ordering};

/// Bits that count clients.
const COUNT_BITS: u32 = 24;

/// Hands out ids.
#[derive(Debug)]
pub struct ClientIds {
    instance: u8,
    next: AtomicU32,
}

/// Whose id a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A client of this Headgate has, or had, it.
    Ours(u32),
    /// A server's own.
    Server,
    /// A client of another Headgate, by its instance.
    Another(u8),
}

impl ClientIds {
    /// Ids of the Headgate with this number, from 1 up.
    #[must_use]
    pub const fn new(instance: u8) -> Self {
        Self { instance, next: AtomicU32::new(0) }
    }

    /// The next id that nobody has. After 16 million clients they begin again.
    pub fn next(&self, taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            let count = self.next.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
            let id = u32::from(self.instance) << COUNT_BITS | count;
            if !taken(id) {
                return id;
            }
        }
    }

    /// Whose id it is.
    #[must_use]
    pub fn owner(&self, id: u64) -> Owner {
        match u32::try_from(id) {
            Ok(id) if id >> COUNT_BITS == u32::from(self.instance) => Owner::Ours(id),
            Ok(id) => match u8::try_from(id >> COUNT_BITS) {
                Ok(another @ 1..) => Owner::Another(another),
                _ => Owner::Server,
            },
            Err(_) => Owner::Server,
        }
    }

    /// The number of this Headgate.
    #[must_use]
    pub const fn instance(&self) -> u8 {
        self.instance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart() {
        let ids = ClientIds::new(3);
        let check = |id: u64, owner| assert_eq!(ids.owner(id), owner, "{id:x}");
        check(0x0300_0007, Owner::Ours(0x0300_0007));
        check(0x03FF_FFFF, Owner::Ours(0x03FF_FFFF));
        check(0x0100_0000, Owner::Another(1));
        check(0xFF00_0000, Owner::Another(255));
        check(7, Owner::Server);
        check(0x00FF_FFFF, Owner::Server);
        check(1 << 32, Owner::Server);
        check(u64::MAX, Owner::Server);
    }

    #[test]
    fn ids_in_use_are_passed_over_when_the_count_begins_again() {
        let ids = ClientIds::new(1);
        assert_eq!(ids.next(|_| false), 0x0100_0000);
        assert_eq!(ids.next(|id| id < 0x0100_0003), 0x0100_0003);
        ids.next.store((1 << COUNT_BITS) - 1, Ordering::Relaxed);
        assert_eq!(ids.next(|_| false), 0x01FF_FFFF);
        assert_eq!(ids.next(|id| id == 0x0100_0000), 0x0100_0001);
    }
}
