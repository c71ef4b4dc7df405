//! What replicas have taught: statements that look like reads and write.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::sql::Digest;

/// Digests of statements that a replica refused because they write (HAZARDS 10).
///
/// Nearly always empty, and then asking costs one load.
#[derive(Debug, Default)]
pub struct Learned {
    known: AtomicUsize,
    digests: Mutex<HashSet<Digest>>,
}

/// The most digests kept. A crowd of them means that something else is wrong, such as an account that may
/// not write; forgetting then costs an attempt on a replica.
const KEPT: usize = 4096;

impl Learned {
    /// Whether a statement is known to write. Its digest is taken only where any is known.
    pub fn knows(&self, digest: impl FnOnce() -> Option<Digest>) -> bool {
        self.known.load(Ordering::Relaxed) > 0
            && digest().is_some_and(|digest| self.digests.lock().contains(&digest))
    }

    /// A replica has refused this one.
    pub fn learn(&self, digest: Digest) {
        let mut digests = self.digests.lock();
        if digests.len() >= KEPT {
            digests.clear();
        }
        digests.insert(digest);
        self.known.store(digests.len(), Ordering::Relaxed);
    }

    /// What was learned may be true no longer: views or functions have changed.
    pub fn forget(&self) {
        if self.known.load(Ordering::Relaxed) > 0 {
            let mut digests = self.digests.lock();
            digests.clear();
            self.known.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_known_until_it_is_forgotten() {
        let learned = Learned::default();
        assert!(!learned.knows(|| unreachable!("nothing is known yet")));
        learned.learn(Digest(1));
        assert!(learned.knows(|| Some(Digest(1))));
        assert!(!learned.knows(|| Some(Digest(2))) && !learned.knows(|| None));
        learned.forget();
        assert!(!learned.knows(|| Some(Digest(1))));
        for digest in 0..=KEPT as u64 {
            learned.learn(Digest(digest));
        }
        assert!(learned.digests.lock().len() <= KEPT);
    }
}
