//! A machine always knows when to look again, and no phase outlasts its deadline.

use std::time::{Duration, Instant};

use headgate::election::Machine;

use crate::history::History;

/// What a shell may take until it steps the machine.
const SLACK: Duration = Duration::from_millis(300);

/// The machine was stepped.
pub(crate) fn every_wait_is_bounded(history: &mut History, machine: &Machine, now: Instant) {
    if machine.wake_at() > now + Duration::from_secs(1) {
        history.violate("bounded", format!("{} sleeps", machine.phase().name()));
    }
    if machine.deadline().is_some_and(|deadline| deadline + SLACK < now) {
        history.violate("bounded", format!("{} outlasts its deadline", machine.phase().name()));
    }
}
