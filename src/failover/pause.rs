//! PAUSE: an operator holds the traffic of all clients, for a time that is bounded from the beginning.
//!
//! It has a [`Gate`] of its own, before the one towards the primary: whoever begins a statement or a transaction passes
//! both. Who wants to go on after the bound has to say so again; a pause that is forgotten ends by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::gate::Gate;
use super::journal::Journal;
use crate::runtime::{clock, tasks};

/// How often the log says that traffic is paused.
const REMINDER: Duration = Duration::from_secs(10);

/// Whether an operator holds the traffic.
#[derive(Debug)]
pub struct Pause {
    gate: Arc<Gate>,
    journal: Arc<Journal>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts up with every PAUSE, so that the end of one that was renewed ends nothing.
    number: u64,
    paused: Option<Paused>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Who wanted it.
    pub by: Arc<str>,
    /// Since when.
    pub since: Instant,
    /// When it ends by itself.
    pub until: Instant,
}

impl Pause {
    /// Traffic flows.
    #[must_use]
    pub fn new(journal: Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { gate: Gate::new(false), journal, state: Mutex::default() })
    }

    /// What statements pass.
    #[must_use]
    pub const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The pause, where there is one.
    #[must_use]
    pub fn standing(&self) -> Option<Paused> {
        self.state.lock().paused.clone()
    }

    /// Pauses for so long at most, or anew for so long. Waits for what is under way to end, for `patience` at most, and
    /// says how much of it has not.
    pub async fn begin(self: &Arc<Self>, by: &str, limit: Duration, patience: Duration) -> usize {
        let now = clock::now();
        let number = {
            let mut state = self.state.lock();
            state.number += 1;
            let since = state.paused.as_ref().map_or(now, |paused| paused.since);
            state.paused = Some(Paused { by: by.into(), since, until: now + limit });
            self.gate.close();
            state.number
        };
        self.tell(format!("{by} pauses the traffic of all clients for {limit:?} at most"));
        // It ends by itself whether or not anybody still waits for the answer.
        tasks::spawn("pause", Arc::clone(self).watch(number));
        self.gate.emptied(patience.min(limit)).await;
        self.gate.inside()
    }

    /// Ends it. False where there is none.
    pub fn end(&self, by: &str) -> bool {
        self.end_if(by, |_| true)
    }

    fn end_if(&self, by: &str, so: impl FnOnce(&State) -> bool) -> bool {
        let ended = {
            let mut state = self.state.lock();
            if !so(&state) {
                return false;
            }
            self.gate.release();
            state.paused.take()
        };
        let Some(Paused { since, .. }) = ended else { return false };
        let lasted = clock::now().saturating_duration_since(since);
        self.tell(format!("{by} lets the traffic flow again, after {lasted:.1?}"));
        true
    }

    /// Reminds people of a pause, and ends it when its time is over.
    async fn watch(self: Arc<Self>, number: u64) {
        loop {
            let until = {
                let state = self.state.lock();
                match &state.paused {
                    Some(paused) if state.number == number => paused.until,
                    // It is over, or somebody else's by now.
                    _ => return,
                }
            };
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                self.end_if("the end of its time", |state| state.number == number);
                return;
            }
            clock::sleep(left.min(REMINDER)).await;
            if left > REMINDER && self.state.lock().number == number {
                let (inside, waiting) = (self.gate.inside(), self.gate.waiting());
                tracing::warn!(inside, waiting, left = ?left - REMINDER, "traffic is paused; RESUME lets it flow");
            }
        }
    }

    fn tell(&self, what: String) {
        tracing::warn!(what, "traffic");
        self.journal.note(clock::wall(), "traffic", what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn told(pause: &Pause) -> Vec<String> {
        pause.journal.since(0).into_iter().map(|entry| entry.what).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_by_itself_and_says_so() {
        let pause = Pause::new(Arc::default());
        let pass = pause.gate().enter().unwrap();
        assert_eq!(pause.begin("ops", 30 * SECOND, 5 * SECOND).await, 1, "one has not ended");
        assert!(pause.gate().enter().is_none());
        drop(pass);
        clock::sleep(24 * SECOND).await;
        assert!(pause.standing().is_some() && pause.gate().enter().is_none());
        clock::sleep(2 * SECOND).await;
        assert!(pause.standing().is_none() && pause.gate().enter().is_some());
        let told = told(&pause);
        assert!(told[0].contains("ops pauses") && told[1].contains("the end of its time"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_pauses_again_has_another_end_and_who_resumes_ends_it() {
        let pause = Pause::new(Arc::default());
        let begun = clock::now();
        assert_eq!(pause.begin("ops", 10 * SECOND, SECOND).await, 0);
        clock::sleep(5 * SECOND).await;
        pause.begin("ops", 10 * SECOND, SECOND).await;
        clock::sleep(8 * SECOND).await;
        let paused = pause.standing().unwrap();
        assert_eq!((paused.since, paused.until), (begun, begun + 15 * SECOND));
        assert!(pause.end("ops") && !pause.end("ops"));
        assert!(pause.gate().enter().is_some());
        // The one that was ended does not end the next.
        pause.begin("ops", 10 * SECOND, SECOND).await;
        clock::sleep(5 * SECOND).await;
        assert!(pause.gate().enter().is_none());
    }
}
