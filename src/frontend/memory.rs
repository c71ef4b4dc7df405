//! What was learned of statements while they ran: which ones write, and which tables they read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::runtime::tasks;
use crate::sql::{self, Digest, LexMode, Relations};

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

/// The tables of statements that name something like a view, found by a parser that is too slow for the way
/// of a statement. Until they are found, such a statement goes to the primary.
#[derive(Debug)]
pub struct Parsed {
    known: Arc<Mutex<HashMap<Key, Option<Arc<Relations>>>>>,
    wanted: mpsc::Sender<(Key, Vec<u8>)>,
}

/// Statements are parsed as they were read.
type Key = (Digest, LexMode);

/// The most statements that wait to be parsed; one more is asked for again when it comes the next time.
const WAITING: usize = 64;

impl Parsed {
    /// Starts the task that parses.
    #[must_use]
    pub fn start() -> Self {
        let known: Arc<Mutex<HashMap<Key, Option<Arc<Relations>>>>> = Arc::default();
        let (wanted, mut queue) = mpsc::channel::<(Key, Vec<u8>)>(WAITING);
        let found = Arc::clone(&known);
        tasks::spawn("parser", async move {
            while let Some((key, text)) = queue.recv().await {
                let parse = move || sql::relations(&text, key.1).map(Arc::new);
                // A parser that panics has found nothing.
                let relations = tokio::task::spawn_blocking(parse).await.unwrap_or_default();
                let mut found = found.lock();
                if found.len() >= KEPT {
                    found.clear();
                }
                found.insert(key, relations);
            }
        });
        Self { known, wanted }
    }

    /// The tables of a statement, if they are known; otherwise they will be.
    #[must_use]
    pub fn of(&self, text: &[u8], mode: LexMode) -> Option<Arc<Relations>> {
        let key = (sql::digest(text, mode), mode);
        if let Some(known) = self.known.lock().get(&key) {
            return known.clone();
        }
        // Full: it will come again.
        let _ = self.wanted.try_send((key, text.to_vec()));
        None
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

    #[tokio::test]
    async fn tables_are_known_soon() {
        let mode = LexMode::usual(sql::Dialect::MySql, 90704);
        let parsed = Parsed::start();
        let text = b"SELECT status FROM orders WHERE id = 1";
        assert!(parsed.of(text, mode).is_none());
        let relations = loop {
            tokio::task::yield_now().await;
            if let Some(relations) = parsed.of(text, mode) {
                break relations;
            }
        };
        assert_eq!(relations.tables.len(), 1);
        assert!(
            parsed.of(b"SELECT status FROM orders WHERE id = 2", mode).is_some(),
            "the same but for literals"
        );
    }
}
