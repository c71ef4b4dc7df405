//! No two automatic failovers within a cool-down.

use crate::history::History;

/// A failover that nobody asked for has come to its end.
pub(crate) fn no_flapping(history: &mut History, now: u64, cooldown: u64) {
    if let Some(last) = history.failovers.last().copied().filter(|last| now - last < cooldown) {
        history.violate("flapping", format!("failovers at {last} and {now} µs"));
    }
    history.failovers.push(now);
}
