//! One server is promoted in a reign, and one is written to.

use std::collections::BTreeMap;

use crate::history::History;

fn one(kept: &mut BTreeMap<u64, usize>, epoch: u64, server: usize) -> Option<usize> {
    let first = *kept.entry(epoch).or_insert(server);
    (first != server).then_some(first)
}

/// Headgate has a write of this epoch executed on `server`.
pub(crate) fn one_writer(history: &mut History, epoch: u64, server: usize) {
    if let Some(other) = one(&mut history.written, epoch, server) {
        history
            .violate("one primary", format!("epoch {epoch}: written to server {other} and server {server}"));
    }
}

/// A server becomes writable in this epoch.
pub(crate) fn one_promotion(history: &mut History, epoch: u64, server: usize) {
    if let Some(other) = one(&mut history.promoted, epoch, server) {
        history.violate("one primary", format!("epoch {epoch}: promoted server {other} and server {server}"));
    }
}
