//! Where an operator has paused the traffic: what begins waits, what is under way goes on.
//!
//! A session is inside from the beginning of a statement to its end, and for as long as it has a transaction open or
//! tables locked, since others that are inside may wait for those. What ends something, or does nothing by itself,
//! passes: KILL, goodbyes, pings, the rows of a cursor.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::fate;
use super::plan::Plan;
use super::relay;
use super::session::{Closing, Session};
use super::statement::TextOf;
use crate::failover::Gate;
use crate::runtime::clock;
use crate::sql::Class;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::Header;
use crate::wire::status::StatusFlags;

/// What ends a wait.
enum News {
    /// The gate was opened or closed.
    Gate,
    /// The client has hung up.
    Gone,
    /// The primary has hung up: the session was killed there, or the server ends.
    Primary,
}

/// A KILL is no longer than this. Nothing longer is read before it may begin.
const LONGEST_KILL: usize = 1024;

impl Session {
    /// Waits until the command at the front of the inbox may begin. An error is the answer to it.
    pub(super) async fn enter_traffic(
        &mut self,
        byte: u8,
        header: Header,
    ) -> Result<Result<(), ErrPacket>, Closing> {
        if self.inside.is_some() || !begins_something(byte) {
            return Ok(Ok(()));
        }
        let gate = Arc::clone(self.context.shared.pause.gate());
        if let Some(pass) = gate.enter() {
            self.inside = Some(pass);
            return Ok(Ok(()));
        }
        if self.is_kill(byte, header).await? {
            return Ok(Ok(()));
        }
        self.wait_for_traffic(&gate).await
    }

    async fn wait_for_traffic(&mut self, gate: &Arc<Gate>) -> Result<Result<(), ErrPacket>, Closing> {
        let mut changes = gate.changes();
        let (limit, standing) = (self.context.shared.limits().hold, self.client.inbox.len());
        let deadline = clock::now() + limit;
        let Some(_place) = gate.stand_in_line() else { return Ok(Err(fate::crowded_by_pause())) };
        loop {
            changes.mark_unchanged();
            if let Some(pass) = gate.enter() {
                self.inside = Some(pass);
                return Ok(Ok(()));
            }
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Ok(Err(fate::paused(limit)));
            }
            let mut changed = pin!(changes.changed());
            let client = &mut self.client;
            let mut primary = self.login.primary.held().map(|primary| &mut primary.link);
            let news = poll_fn(|cx| {
                if client.poll_ended(standing, cx).is_ready() {
                    return Poll::Ready(News::Gone);
                }
                if primary.as_mut().is_some_and(|primary| primary.poll_readable(cx).is_ready()) {
                    return Poll::Ready(News::Primary);
                }
                changed.as_mut().poll(cx).map(|_| News::Gate)
            });
            match clock::within(left, news).await {
                Ok(News::Gone) => return Err(Closing::Quit),
                Ok(News::Primary) => {
                    if let Some(closing) = self.primary_spoke().await {
                        return Err(closing);
                    }
                }
                // Where the time is over, it is looked once more.
                Ok(News::Gate) | Err(_) => {}
            }
        }
    }

    /// Whether the command is a KILL, which may end what others wait for.
    async fn is_kill(&mut self, byte: u8, header: Header) -> Result<bool, Closing> {
        if Plan::of(byte) != Plan::Query || header.len > LONGEST_KILL {
            return Ok(false);
        }
        relay::payload_from_client(&mut self.client, header.len).await?;
        Ok(matches!(self.classify(header, TextOf::Query).class, Class::Kill(_)))
    }

    /// Leaves, unless something is still under way.
    pub(super) fn leave_traffic(&mut self) {
        let view = self.login.state.view();
        let open = view.in_transaction
            || view.in_xa
            || view.tables_locked
            || self.read_only.is_some()
            || self.login.primary.status().contains(StatusFlags::IN_TRANSACTION);
        if !open {
            self.inside = None;
        }
    }
}

/// Whether a command begins something that was not under way.
fn begins_something(byte: u8) -> bool {
    match Plan::of(byte) {
        Plan::Query | Plan::Prepare | Plan::Execute => true,
        Plan::Relay(_) => {
            matches!(Command::of(byte), Some(Command::InitDb | Command::FieldList | Command::Refresh))
        }
        Plan::Silent
        | Plan::Reset
        | Plan::Kill
        | Plan::ChangeUser
        | Plan::Dump
        | Plan::Quit
        | Plan::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_something_does_not_wait() {
        let check =
            |command: Command, waits| assert_eq!(begins_something(command as u8), waits, "{command:?}");
        for command in [Command::Query, Command::StmtExecute, Command::StmtPrepare, Command::InitDb] {
            check(command, true);
        }
        for command in
            [Command::Quit, Command::Ping, Command::ProcessKill, Command::StmtClose, Command::StmtFetch]
        {
            check(command, false);
        }
    }
}
