//! PAUSE and RESUME.

use std::time::Duration;

use tokio::runtime::Handle;

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::tables;
use crate::admin::view::View;
use crate::sql;

/// How long the console waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause that can be asked for at once.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Where sessions do not wait at all, a pause is there to refuse.
const AT_LEAST: Duration = Duration::from_secs(1);

/// Holds the traffic of all clients, or lets it flow.
pub(super) struct Pause;

impl Command for Pause {
    fn names(&self) -> &'static [&'static str] {
        &["PAUSE", "RESUME"]
    }

    fn usage(&self) -> &'static str {
        "PAUSE [FOR '30s'] | RESUME"
    }

    fn meaning(&self) -> &'static str {
        "Has new statements and transactions of all clients wait; what is under way ends. Answers once nothing is, or \
         after 10 seconds with how many statements and transactions still are. Traffic flows again at RESUME, or by \
         itself after the time given, without which it is failover.hold; an hour is the most. A statement waits for \
         failover.hold at most and is then refused with error 3168, so a pause without a time makes nobody fail. KILL, \
         pings and logins pass. SHOW TRAFFIC tells of it."
    }

    fn example(&self) -> &'static str {
        "PAUSE FOR '30s'"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let pause = &view.shared.pause;
        request.must_be_one()?;
        if request.begins_with("RESUME") {
            return match pause.end(&request.asker.name) {
                true => Ok(tables::show(&tables::TRAFFIC, view)),
                false => Err(ConsoleError::Declined { why: "traffic is not paused".to_owned() }),
            };
        }
        let limit = match request.tokens.len() {
            1 => view.shared.limits().hold.max(AT_LEAST),
            _ => self.limit(request)?,
        };
        // Statements of the console run where waiting is allowed.
        Handle::current().block_on(pause.begin(&request.asker.name, limit, PATIENCE));
        Ok(tables::show(&tables::TRAFFIC, view))
    }
}

impl Pause {
    fn limit(&self, request: &Request<'_>) -> Result<Duration, ConsoleError> {
        let usage = |why: &str| ConsoleError::Usage { why: why.to_owned(), usage: self.usage() };
        let text = request.name(2).filter(|_| request.begins_with("PAUSE FOR") && request.tokens.len() == 3);
        let text = text.ok_or_else(|| usage("there is no time in quotes"))?;
        let limit = sql::duration(text.as_bytes()).filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| usage("the time has no number with a unit, ms, s or m"))?;
        match limit <= LONGEST {
            true => Ok(limit),
            false => Err(usage("a pause lasts for an hour at most; it may be renewed")),
        }
    }
}
