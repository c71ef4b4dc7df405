use std::collections::VecDeque;
use std::time::Instant;

use crate::gtid::Position;

/// When the primary was where, by Headgate's own clock: what a replica's position is dated against.
///
/// A sample says: everything committed before `asked` is in `position`. So a server whose position contains a
/// sample's has everything committed before that sample was asked for. Clocks of servers play no part.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Oldest first, times and positions strictly growing.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    asked: Instant,
    position: Position,
}

/// How many samples are kept.
const LIMIT: usize = 64;

impl History {
    /// The primary answered `position` to a question that was sent at `asked` or later.
    pub fn primary_at(&mut self, asked: Instant, position: Position) {
        match self.samples.back_mut() {
            Some(last) if asked <= last.asked => return,
            // Nothing happened in between: what has the old sample has the new one.
            Some(last) if last.position == position => {
                last.asked = asked;
                return;
            }
            _ => {}
        }
        self.samples.push_back(Sample { asked, position });
        if self.samples.len() > LIMIT {
            self.thin();
        }
    }

    /// A server at `position` has everything that was committed on the primary before this time.
    /// `None` where it lacks even the oldest sample, or no sample is there.
    pub fn as_of(&self, position: &Position) -> Option<Instant> {
        self.samples
            .iter()
            .rev()
            .find(|sample| position.contains(&sample.position))
            .map(|sample| sample.asked)
    }

    /// Forgets everything: another server is the primary now.
    pub fn cut(&mut self) {
        self.samples.clear();
    }

    /// Drops every second sample of the older half, so that old times are kept with coarser steps.
    fn thin(&mut self) {
        let mut at = 0;
        self.samples.retain(|_| {
            at += 1;
            at > LIMIT / 2 || at % 2 == 0
        });
    }
}
