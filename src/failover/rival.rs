//! Whether another Headgate watches the same servers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::probing::standing::Slot;
use crate::topology::ServerId;

/// A stranger counts once it has been seen for so long: a server takes a moment to notice that a connection of ours is gone.
const FOR_SURE: Duration = Duration::from_secs(1);

/// It has left when it has not been seen for so long.
const GONE: Duration = Duration::from_secs(3);

/// Strangers, when each was seen first and last.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    seen: HashMap<(ServerId, u64), (Instant, Instant, String)>,
    told: Option<String>,
}

impl Rivals {
    /// Strangers were seen on a server.
    pub(super) fn see(&mut self, now: Instant, server: ServerId, strangers: Vec<(Slot, String)>) {
        for (slot, who) in strangers {
            let (_, last, name) =
                self.seen.entry((server, slot.connection)).or_insert_with(|| (now, now, String::new()));
            *last = now;
            *name = who;
        }
    }

    /// Who is there for sure, where that is another than was told last.
    pub(super) fn news(&mut self, now: Instant) -> Option<Option<String>> {
        self.seen.retain(|_, (_, last, _)| now.saturating_duration_since(*last) < GONE);
        let sure =
            self.seen.values().filter(|(first, last, _)| last.saturating_duration_since(*first) >= FOR_SURE);
        let who = sure.map(|(_, _, name)| name.as_str()).min().map(str::to_owned);
        let is_news = who.is_some() != self.told.is_some();
        if is_news {
            self.told.clone_from(&who);
        }
        is_news.then_some(who)
    }

    /// Who was told last.
    pub(super) fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use super::*;

    #[test]
    fn a_rival_is_told_once_and_leaves() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let stranger = || vec![(Slot { connection: 7 }, "at 10.0.0.7:53210".to_owned())];
        let mut rivals = Rivals::default();
        rivals.see(at(0), ServerId(0), stranger());
        assert_eq!(rivals.news(at(0)), None);
        rivals.see(at(1000), ServerId(0), stranger());
        assert_eq!(rivals.news(at(1000)), Some(Some("at 10.0.0.7:53210".to_owned())));
        assert_eq!(rivals.news(at(1100)), None);
        assert_eq!(rivals.news(at(4100)), Some(None));
    }

    #[test]
    fn a_connection_that_lingers_is_no_rival() {
        let start = Instant::now();
        let mut rivals = Rivals::default();
        rivals.see(start, ServerId(0), vec![(Slot { connection: 7 }, String::new())]);
        assert_eq!(rivals.news(start + Duration::from_secs(2)), None);
    }
}
