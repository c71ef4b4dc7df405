//! The replica connection that a session used last: the client may ask about the statement that ran there.

use std::sync::Arc;

use super::session::Session;
use crate::backend::Connection;
use crate::pool::{Shelf, Ticket};
use crate::runtime::clock;
use crate::topology::{ServerId, Topology};

/// The replica connection that a session used last.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) shelf: Arc<Shelf>,
    pub(super) server: ServerId,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// Kept, because the client is likely to ask about the statement it ran.
    Kept(Box<Connection>),
    /// Back on the shelf, where it may still be found.
    Returned(Ticket),
}

impl Session {
    /// Lets the last replica connection go if its server is drained: whoever waits to stop it waits for this.
    pub(super) fn give_back_drained(&mut self) {
        let topology = self.context.topology();
        if let Some(lent) = self.lent.take_if(|lent| lent.is_out_of_use(&topology)) {
            self.lent = Some(lent.give_back());
        }
    }

    /// Lets the last replica connection go, where it was kept.
    pub(super) fn give_back_lent(&mut self) {
        if let Some(Lent { shelf, held: Held::Kept(connection), .. }) = self.lent.take() {
            shelf.put(*connection, clock::now());
        }
    }
}

impl Lent {
    pub(super) fn new(shelf: Arc<Shelf>, connection: Connection, keep: bool) -> Self {
        let server = connection.server();
        let held = if keep {
            Held::Kept(Box::new(connection))
        } else {
            let ticket = Ticket::of(&connection);
            shelf.put(connection, clock::now());
            Held::Returned(ticket)
        };
        Self { shelf, server, held }
    }

    /// Whether somebody waits until nothing is in use any more at its server.
    pub(super) fn is_out_of_use(&self, topology: &Topology) -> bool {
        topology.server(self.server).is_none_or(|server| server.drained.is_some() || server.leaving)
    }

    /// Gives the connection back, where it was kept. A question about the statement has no answer any more, unless the
    /// connection is found again.
    fn give_back(self) -> Self {
        match self.held {
            Held::Kept(connection) => Self::new(self.shelf, *connection, false),
            Held::Returned(_) => self,
        }
    }

    /// Whether the connection was kept for the session.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.held, Held::Kept(_))
    }

    /// The connection, if nobody has used it since.
    pub(super) fn take(self) -> Option<Connection> {
        match self.held {
            Held::Kept(connection) => Some(*connection),
            Held::Returned(ticket) => self.shelf.take_again(ticket),
        }
    }
}
