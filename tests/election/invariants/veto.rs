//! Nobody is promoted against a veto: neither that of replicas which hear from the primary, nor that of an operator.

use crate::history::History;

/// A receiver is about to be stopped for a failover. `heard_for`: how long a replica that Headgate can ask has heard from a
/// primary that works, if one does.
pub(crate) fn no_revocation_while_heard(history: &mut History, heard_for: Option<u64>, silence: u64) {
    let begins = history.stopped.is_empty() && !history.forced && !history.planned;
    if begins && heard_for.is_some_and(|heard_for| heard_for > silence) {
        history.violate("veto", format!("the primary lives and was heard for {heard_for:?} µs"));
    }
}

/// A server is about to be promoted.
pub(crate) fn no_promotion_of(history: &mut History, server: usize) {
    if history.vetoed.contains(&server) {
        history.violate("veto", format!("server {server} is vetoed by an operator"));
    }
}
