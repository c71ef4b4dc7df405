use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::gtid::{GtidSet, Position};

fn executed(up_to: u64) -> Position {
    let text =
        if up_to == 0 { String::new() } else { format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-{up_to}") };
    Position::MySql(GtidSet::parse(&text).unwrap())
}

#[test]
fn a_position_is_dated_by_the_newest_sample_it_has() {
    #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut history = History::default();
    assert_eq!(history.as_of(&executed(9)), None);
    history.primary_at(at(0), executed(5));
    history.primary_at(at(10), executed(7));
    history.primary_at(at(20), executed(7));
    assert_eq!(history.as_of(&executed(4)), None);
    assert_eq!(history.as_of(&executed(6)), Some(at(0)));
    assert_eq!(history.as_of(&executed(7)), Some(at(20)));
    history.primary_at(at(15), executed(9));
    assert_eq!(history.as_of(&executed(9)), Some(at(20)), "an answer out of order says nothing new");
    history.cut();
    assert_eq!(history.as_of(&executed(9)), None);
}

proptest! {
    /// The primary's true position at each millisecond against what the history says of a replica.
    #[test]
    fn as_of_is_never_later_than_true(
        steps in proptest::collection::vec((1_u64..20, 0_u64..3), 1..200),
        replica in 0_u64..300,
    ) {
        #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        let start = Instant::now();
        let (mut now, mut position, mut history) = (0, 0, History::default());
        // The first moment at which the primary had more than the replica has.
        let mut overtaken = None;
        for (pause, writes) in steps {
            now += pause;
            // Asked before the writes, answered after them, as may happen.
            let asked = start + Duration::from_millis(now);
            position += writes;
            if position > replica && overtaken.is_none() {
                overtaken = Some(asked);
            }
            history.primary_at(asked, executed(position));
            if let Some(as_of) = history.as_of(&executed(replica)) {
                prop_assert!(overtaken.is_none_or(|overtaken| as_of <= overtaken));
            } else {
                prop_assert!(position > replica || overtaken.is_some());
            }
        }
    }
}
