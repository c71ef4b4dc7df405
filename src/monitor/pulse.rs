//! Asks one server how far it has come, many times a second, over a connection of its own, on which nothing
//! slow is ever asked: a hanging SHOW REPLICA STATUS or a long look at the catalogue holds nothing up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::picture::Seen;
use super::run::{Settings, open};
use crate::backend::{BackendError, Connection, Target};
use crate::probing::{Positions, queries};
use crate::runtime::clock;
use crate::topology::ServerId;
use crate::wire::answer::Answer;

/// Taken off the time at which a position was asked for. A transaction can be seen a moment before its
/// GTID is in the set that is asked for (`gtid_executed` follows the engine's commit), so a read may
/// have seen what a position asked for at the same moment lacks.
const SETTLING: Duration = Duration::from_millis(5);

/// While a server's position moves it is asked so many times as often, so that lag is known the better where there
/// is some.
const BRISK: u32 = 5;

/// For a connection of the pulse, as long as a server is given before it is down: longer would only hide that it is.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// What it works with.
pub(super) struct Pulse {
    pub(super) target: Target,
    pub(super) settings: Arc<Settings>,
    pub(super) seen: mpsc::Sender<(ServerId, Seen)>,
    /// Counts up when positions are wanted now.
    pub(super) hurry: watch::Receiver<u64>,
}

impl Pulse {
    /// Asks until nobody listens any more.
    pub(super) async fn run(mut self) {
        self.target.timeout = self.target.timeout.min(CONNECT_LIMIT);
        while !self.seen.is_closed() {
            let problem = match open(&self.target, &self.settings).await {
                Ok(connection) => self.watch(connection).await,
                Err(error) => error,
            };
            self.tell(Seen::Problem(clock::now(), problem.trouble(), describe(&problem))).await;
            self.pause(self.settings.positions_every).await;
        }
    }

    /// Asks in turn until the connection fails; says why.
    async fn watch(&self, mut connection: Connection) -> BackendError {
        let mut hurry = self.hurry.clone();
        hurry.mark_unchanged();
        let mut last = None;
        let mut jitter = Jitter(u32::from(self.target.server.0));
        loop {
            let asked = clock::now();
            let flavor = connection.flavor();
            let answer = match self.ask(&mut connection, queries::positions(flavor), asked).await {
                Ok(answer) => answer,
                Err(problem) => return problem,
            };
            let positions = Positions::read(flavor, &answer).ok();
            let moves = last.replace(positions.clone()).is_some_and(|before| before != positions);
            if let Some(positions) = positions {
                let settled = asked.checked_sub(SETTLING).unwrap_or(asked);
                self.tell(Seen::Positions(settled, Box::new(positions))).await;
            }
            let every = self.settings.positions_every;
            let pause = jitter.around(if moves { every / BRISK } else { every });
            let wanted = tokio::select! {
                hurry = hurry.changed() => hurry,
                () = clock::sleep(pause) => Ok(()),
            };
            if wanted.is_err() {
                return BackendError::Closed;
            }
        }
    }

    /// Asks, and tells how long there has been no answer for as long as there is none.
    async fn ask(
        &self,
        connection: &mut Connection,
        sql: &str,
        asked: Instant,
    ) -> Result<Answer, BackendError> {
        let mut answer = std::pin::pin!(connection.query(sql, self.settings.deadline));
        let mut patience = self.settings.late;
        loop {
            match clock::within(patience, answer.as_mut()).await {
                Ok(answer) => return answer,
                Err(_) => self.tell(Seen::Late(asked, clock::now())).await,
            }
            patience = self.settings.late / 2;
        }
    }

    /// Waits before the next attempt at a connection; somebody in a hurry does not wait.
    async fn pause(&self, pause: Duration) {
        let mut hurry = self.hurry.clone();
        hurry.mark_unchanged();
        // Many may be in a hurry for long: a server that refuses is asked a hundred times a second at most.
        clock::sleep(Duration::from_millis(10).min(pause)).await;
        tokio::select! {
            _ = hurry.changed() => {}
            () = clock::sleep(pause) => {}
        }
    }

    async fn tell(&self, seen: Seen) {
        // Nobody listens when Headgate ends; the next round notices.
        let _ = self.seen.send((self.target.server, seen)).await;
    }
}

/// What went wrong, for people.
pub(super) fn describe(problem: &BackendError) -> String {
    match problem {
        BackendError::Refused { error } => format!("the control account was refused: {error}"),
        other => other.to_string(),
    }
}

/// Spreads pauses, so that several Headgates do not ask all at once for ever.
struct Jitter(u32);

impl Jitter {
    /// A pause of nine to eleven tenths (a linear congruential generator is chance enough).
    fn around(&mut self, pause: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pause * 9 / 10 + pause / 5 * (self.0 >> 16) / (1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_about_what_was_asked_for() {
        let mut jitter = Jitter(3);
        let pause = Duration::from_millis(250);
        let drawn: Vec<_> = (0..1000).map(|_| jitter.around(pause)).collect();
        assert!(drawn.iter().all(|one| *one >= pause * 9 / 10 && *one <= pause * 11 / 10));
        let mean = drawn.iter().sum::<Duration>() / 1000;
        assert!(mean.abs_diff(pause) < Duration::from_millis(3), "{mean:?}");
    }
}
