//! What the console sees of failover, and how it asks for something.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::election::Operator;
use crate::topology::{Epoch, ServerId};

/// Whether Headgate would promote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// The servers have not been asked yet what the control account may do.
    #[default]
    Starting,
    /// It would, under this policy.
    On(&'static str),
    /// It would not, and this is why.
    Off(String),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Counts up.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// In which reign.
    pub epoch: Epoch,
    /// The phase, or what kind of event.
    pub kind: &'static str,
    /// What, and why.
    pub what: String,
}

/// Where failover stands.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Whether Headgate would promote.
    pub standing: Standing,
    /// The machine's phase; empty before there is one.
    pub phase: &'static str,
    /// Nothing is being changed.
    pub at_rest: bool,
    /// Why it stands still and waits for something or somebody, and what can be done about it; nothing where it does not.
    pub blocked: Option<String>,
    /// The reign.
    pub epoch: Epoch,
    /// The primary; while it is replaced, the old one.
    pub primary: Option<ServerId>,
    /// How long a silence must last until it counts.
    pub silence: Duration,
    /// What the machine did, the oldest first.
    pub timeline: Vec<Happened>,
    /// Who could become the primary, the best first.
    pub candidates: Vec<ServerId>,
    /// What each server has said of the process that it is: another number after each start.
    pub runs: BTreeMap<ServerId, u64>,
    /// The servers that are kept out, and why.
    pub quarantined: Vec<(ServerId, String)>,
}

/// What the console asks for.
#[derive(Debug)]
pub enum Wish {
    /// What an operator wants. Answered once the machine has taken it in.
    Operator(Operator, oneshot::Sender<WishOutcome>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WishOutcome {
    /// It was taken in, behind this entry of the timeline.
    Begun {
        /// The entry's number.
        after: u64,
    },
    /// It was refused.
    Refused(String),
}

/// A time as people write it, in UTC, to the millisecond.
#[must_use]
pub fn wall_clock_text(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days to a date: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}.{:03}",
        second % 60,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_do() {
        let check = |seconds: u64, expected: &str| {
            assert_eq!(wall_clock_text(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7)), expected);
        };
        check(0, "1970-01-01 00:00:00.007");
        check(951_782_400, "2000-02-29 00:00:00.007");
        check(1_795_997_402, "2026-11-30 00:10:02.007");
    }
}
