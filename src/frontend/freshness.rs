//! How fresh a replica must be, from the shell's side: what servers report of writes, and the wait for proof.

use std::net::IpAddr;

use parking_lot::Mutex;

use super::relay::Witness;
use super::session::Session;
use crate::failover::Gate;
use crate::routing::{Among, Decision, Policy};
use crate::runtime::clock;
use crate::session::{State, Touched};
use crate::sql::{Class, Statement, TransactionKind};
use crate::topology::{Floor, Mark, Topology};
use crate::wire::frame::Header;
use crate::wire::reply;
use crate::wire::session_track::Change;

/// What all sessions of this Headgate have written: it is raised before a client hears that its write was done, so
/// that whoever hears of it from that client finds it.
#[derive(Debug, Default)]
pub struct Written(Mutex<Floor>);

impl Written {
    /// The least that shows all of it.
    pub(super) fn floor(&self) -> Floor {
        *self.0.lock()
    }

    fn raise(&self, floor: Floor) {
        self.0.lock().raise(floor);
    }
}

/// Follows the primary's reply to one command.
pub(super) struct Report<'a> {
    pub(super) state: &'a mut State,
    pub(super) topology: &'a Topology,
    pub(super) written: &'a Written,
    pub(super) gate: &'a Gate,
    /// What the command may have done.
    pub(super) touched: Touched,
    /// The transaction that the reply reports stands for all that the command has done and seen.
    pub(super) marks: bool,
    /// That transaction.
    pub(super) mark: &'a mut Option<Mark>,
}

impl Witness for Report<'_> {
    fn change(&mut self, change: Change<'_>) {
        match change {
            Change::Gtids(gtids) => self.note(gtids),
            Change::Variable { name: b"last_gtid", value } => self.note(value),
            _ => {}
        }
        self.state.observe(change);
    }

    fn deliver(&mut self) {
        // Of several results the first may tell of a write.
        if self.touched == Touched::Wrote && !self.marks {
            self.written.raise(Floor::of(None, clock::now()));
        }
    }

    fn end(&mut self, end: &reply::End) {
        if end.error.is_none()
            && let Some(mark) = *self.mark
        {
            self.gate.relay(mark);
        }
        if !self.marks || end.error.is_some() {
            *self.mark = None;
        }
        let wrote = match self.touched {
            Touched::Nothing | Touched::Saw => self.mark.is_some(),
            Touched::Turned => self.mark.is_some() || !self.state.view().only_read,
            Touched::Wrote => true,
        };
        if wrote {
            self.written.raise(Floor::of(*self.mark, clock::now()));
        }
    }
}

impl Report<'_> {
    fn note(&mut self, gtids: &[u8]) {
        let mark = self.topology.mark(gtids);
        // One that says nothing of those before it takes the other's meaning away too.
        self.marks &= mark.is_some();
        *self.mark = (*self.mark).max(mark);
    }
}

/// Whether the transaction that a statement's reply reports is the last thing that the statement did: nothing was read
/// after it.
pub(super) const fn ends_with_its_transaction(statement: &Statement) -> bool {
    matches!(
        statement.class,
        Class::Data | Class::Ddl | Class::Transaction(TransactionKind::Commit(_) | TransactionKind::Begin)
    )
}

impl Session {
    /// What an operator has decided about the session's reads.
    pub(super) fn policy(&self) -> Policy {
        self.login.preferences.over(self.context.shared.live.load().policy)
    }

    /// A number that stands for the client's address. Clients of Unix sockets are alike.
    pub(super) fn address_number(&self) -> u64 {
        let bytes = match self.login.client.map(|client| client.ip()) {
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Some(IpAddr::V6(address)) => address.octets(),
            None => [0; 16],
        };
        let (high, low) = bytes.split_at(8);
        let number = |half: &[u8]| half.iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
        number(high).rotate_left(29) ^ number(low)
    }

    /// Waits, for a short time only, until a replica is known to be fresh enough.
    pub(super) async fn wait_for_freshness(
        &mut self,
        statement: &Statement,
        header: Header,
        mut decision: Decision,
    ) -> Decision {
        let began = clock::now();
        let deadline = began + self.policy().freshness_wait;
        while decision.worth_waiting {
            let left = deadline.saturating_duration_since(clock::now());
            let changed = clock::within(left, self.published.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                break;
            }
            self.take_snapshot();
            decision = self.decide(statement, header, Among::All);
        }
        self.context.shared.counters.freshness_wait(clock::now().saturating_duration_since(began));
        decision
    }
}
