//! How many clients there are of each kind: at one address, of one user.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::Arc;

use dashmap::DashMap;

/// Counts by key. A key that is held by nobody is forgotten, so there are never more than there are clients.
#[derive(Debug)]
pub struct Tally<K: Eq + Hash>(Arc<DashMap<K, usize>>);

/// One of the places of a key, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<K: Eq + Hash> {
    counts: Arc<DashMap<K, usize>>,
    key: K,
}

impl<K: Eq + Hash> Default for Tally<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// Takes a place, or says which limit leaves none. They are counted without a limit as well: a reload may
    /// bring one.
    pub(super) fn take(&self, key: K, limit: Option<NonZeroUsize>) -> Result<Place<K>, NonZeroUsize> {
        // Held until the count has changed, so of many who come at once no more get in than there are places.
        let mut count = self.0.entry(key.clone()).or_insert(0);
        if let Some(limit) = limit.filter(|limit| *count >= limit.get()) {
            return Err(limit);
        }
        *count += 1;
        drop(count);
        Ok(Place { counts: Arc::clone(&self.0), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.counts.remove_if_mut(&self.key, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const TWO: Option<NonZeroUsize> = NonZeroUsize::new(2);

    #[test]
    fn places_come_back_and_nobody_is_remembered() {
        let tally = Tally::default();
        let (first, second) = (tally.take("a", TWO).unwrap(), tally.take("a", TWO).unwrap());
        assert_eq!(tally.take("a", TWO).unwrap_err().get(), 2);
        let other = tally.take("b", TWO).unwrap();
        let third = tally.take("a", None).unwrap();
        drop(first);
        assert!(tally.take("a", TWO).is_err(), "two are left of the three");
        drop((second, third, other));
        assert!(tally.0.is_empty());
    }

    #[test]
    fn of_many_at_once_no_more_get_in_than_there_are_places() {
        const THREADS: usize = 4;
        let (tally, inside, most) = (Tally::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let start = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..2_000 {
                        let Ok(_place) = tally.take("a", TWO) else { continue };
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
        assert!(tally.0.is_empty());
    }
}
