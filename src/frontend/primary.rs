//! What runs on the session's own connection to the primary.

use super::relay::{self, Ending, RelayError, Terms};
use super::session::{Closing, LoggedIn, Session};
use super::statement::LONGEST_READ;
use crate::backend::{BackendError, Purpose};
use crate::routing::{Reason, Target};
use crate::runtime::clock;
use crate::session::{End, Source, Touched};
use crate::sql::{self, Class};
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::{Shape, Tracker};
use crate::wire::session_track::{Change, Wish};

impl Session {
    /// Notes what a command other than COM_QUERY may do. Nothing where it asks about a statement that ran
    /// on a replica, and so cannot be answered by the primary.
    pub(super) async fn prepare_command(
        &mut self,
        byte: u8,
        header: Header,
    ) -> Result<Option<Touched>, Closing> {
        let ran_elsewhere = self.lent.is_some();
        let command = Command::of(byte);
        // These two leave the warnings of the statement before them where they are.
        if !matches!(command, Some(Command::Ping | Command::Statistics)) {
            self.give_back_lent();
        }
        match command {
            Some(Command::StmtPrepare) => {
                let readable = header.len <= LONGEST_READ;
                while readable && self.client.inbox.len() < HEADER + header.len {
                    relay::more_from_client(&mut self.client).await?;
                }
                let text = self.client.inbox.get(HEADER + 1..HEADER + header.len);
                let statement = text.map(|text| sql::classify(text, self.lex_mode()));
                let looks_back = statement.as_ref().is_some_and(|statement| statement.looks_back);
                // What runs later runs unread, so what it may do counts from now on.
                match statement.map(|statement| statement.class) {
                    Some(
                        Class::PlainRead
                        | Class::PrimaryRead(_)
                        | Class::Data
                        | Class::Inspect
                        | Class::Describe
                        | Class::Ddl
                        | Class::Transaction(_)
                        | Class::SetAutocommit
                        | Class::SetTransaction
                        | Class::Use(_),
                    ) if !looks_back => {}
                    _ => self.login.state.begin_unknown(),
                }
                Ok((!looks_back || !ran_elsewhere).then_some(Touched::Nothing))
            }
            Some(Command::SetOption) => {
                // No reset undoes it: the connection must not serve anybody else.
                self.login.state.begin_unknown();
                Ok(Some(Touched::Nothing))
            }
            Some(Command::Ping | Command::Statistics | Command::StmtReset) => Ok(Some(Touched::Nothing)),
            Some(Command::InitDb) => {
                self.login.state.begin_schema();
                Ok(Some(Touched::Saw))
            }
            Some(Command::StmtFetch | Command::FieldList) => Ok(Some(Touched::Saw)),
            _ => Ok(Some(Touched::Wrote)),
        }
    }

    /// A COM_STMT_EXECUTE that asks for no cursor is answered as any statement is.
    pub(super) async fn settle_shape(&mut self, shape: Shape, header: Header) -> Result<Shape, Closing> {
        // Behind the command byte and the statement's id.
        const FLAGS: usize = HEADER + 5;
        if shape != Shape::Executed || header.len <= FLAGS - HEADER {
            return Ok(shape);
        }
        while self.client.inbox.len() <= FLAGS {
            relay::more_from_client(&mut self.client).await?;
        }
        let asks = self.client.inbox.get(FLAGS).is_some_and(|flags| *flags != 0);
        Ok(if asks { Shape::Executed } else { Shape::Results })
    }

    /// Relays the command at the front of the inbox to the primary, and its reply back.
    pub(super) async fn on_primary(
        &mut self,
        shape: Shape,
        touched: Touched,
        reason: Reason,
    ) -> Result<(), Closing> {
        self.count(Target::Primary, reason);
        let LoggedIn { primary, state, form, .. } = &mut self.login;
        let mut tracker = Tracker::new(shape, *form, primary.status);
        let sent = relay::forward_command(&mut self.client, primary).await;
        if let Err(error @ RelayError::Client(_)) = sent {
            return Err(error.into());
        }
        // Where the server has hung up on a command, it may have said why first.
        let terms = Terms {
            client_write_timeout: self.context.shared.limits().client_write_timeout,
            hold_error: false,
        };
        let see = |change: Change<'_>| state.observe(change);
        let reply = relay::reply(&mut self.client, primary, &mut tracker, terms, see).await;
        match (reply, sent) {
            (Ok(Ending::Delivered(end) | Ending::HeldBack(end, _)), Ok(())) => {
                self.used_primary = clock::now();
                self.login.state.settle(End {
                    status: end.status,
                    error: end.error,
                    source: Source::Primary,
                    touched,
                    now: self.used_primary,
                });
                Ok(())
            }
            (Ok(_), Err(error)) => Err(error.into()),
            (Err(RelayError::Server(error)), _) => {
                self.lose_server(&tracker, &error).await?;
                Err(RelayError::Server(error).into())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Tells the client that a server was lost in the middle of a reply, where a packet fits in.
    pub(super) async fn lose_server(
        &mut self,
        tracker: &Tracker,
        error: &BackendError,
    ) -> Result<(), Closing> {
        if !tracker.between_packets() {
            return Err(Closing::Told("a reply was torn"));
        }
        let seq = if tracker.untouched() { 1 } else { tracker.next_client_seq() };
        let text = format!("the connection to the server was lost while it ran the statement ({error})");
        // CR_SERVER_LOST.
        self.tell(seq, &ErrPacket::own(2013, b"HY000", &text)).await
    }

    /// COM_RESET_CONNECTION: the server's trackers go with everything else, so they are set again before
    /// the client goes on.
    pub(super) async fn reset(&mut self) -> Result<(), Closing> {
        self.give_back_lent();
        self.on_primary(Shape::Results, Touched::Wrote, Reason::Command).await?;
        let limit = self.context.shared.limits().connect_timeout;
        let prepared = self.login.primary.prepare(Purpose::Primary, limit).await;
        prepared.map_err(|error| Closing::Relay(RelayError::Server(error)))?;
        let generation = self.topology.facts.as_ref().map_or(0, |facts| facts.generation);
        self.login.state.reset(self.login.primary.status, generation, clock::now());
        if self.login.form.wish == Wish::Everything {
            self.login.form.wish = Wish::Defaults;
        }
        Ok(())
    }
}
