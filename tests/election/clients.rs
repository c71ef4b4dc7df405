//! Clients that write through Headgate, and what they are told.

use crate::invariants::one_writer;
use crate::server::{Tx, add, none};
use crate::world::{HOP, Happening, SECOND, Waiter, World};

impl World {
    /// A client writes, unless it has to wait.
    pub(crate) fn write(&mut self) {
        let Some(every) = self.setup.writes else { return };
        let delay = self.chance.within(every / 2, every * 3 / 2);
        self.after(delay, Happening::Write);
        let Some(process) = &mut self.process else { return };
        let (false, Some((epoch, server))) = (process.held, process.published) else { return };
        let (number, connection) = (process.number, process.connection);
        process.in_flight.push(self.now + World::round_trip());
        self.after(HOP, Happening::Commit { process: number, connection, epoch, server });
    }

    /// The write is at the server.
    pub(crate) fn commit(&mut self, process: u64, connection: u64, epoch: u64, server: usize) {
        let model = &self.servers[server];
        let reaches =
            !self.is_cut(self.here(), server) && !self.rejected[server] && model.works() && !model.closing;
        let current =
            self.process.as_ref().is_some_and(|here| here.number == process && here.connection == connection);
        if !current && self.chance.percent(50) {
            // The connection was cut before the packet left.
            return;
        }
        if !reaches || !model.writable || model.disk_full || model.stalled || model.locked_until > self.now {
            self.ended(process, connection);
            return;
        }
        let tx = self.new_tx(server);
        self.servers[server].log_it(tx);
        one_writer(&mut self.history, epoch, server);
        let followed =
            self.servers.iter().any(|other| other.link.as_ref().is_some_and(|link| link.source == server));
        if self.setup.semi_sync && followed {
            self.servers[server].waiting.push(tx);
            self.waiters.insert(tx.id, Waiter { process, connection });
        } else {
            self.servers[server].commit(tx);
            self.after(HOP, Happening::Reply { process, connection, server, tx });
        }
        self.pump_all();
    }

    /// The server's OK is at Headgate, which tells the client unless it has cut that connection.
    pub(crate) fn reply(&mut self, process: u64, connection: u64, server: usize, tx: Tx) {
        let (cut, flavor) = (self.is_cut(server, self.here()), self.setup.flavor);
        let Some(here) = self.process.as_mut().filter(|here| here.number == process) else { return };
        if cut || here.connection != connection {
            return;
        }
        here.in_flight.pop();
        add(here.relayed.get_or_insert_with(|| none(flavor)), tx);
        self.history.acknowledged.insert(tx.id);
    }

    fn ended(&mut self, process: u64, connection: u64) {
        let here =
            self.process.as_mut().filter(|here| here.number == process && here.connection == connection);
        if let Some(here) = here {
            here.in_flight.pop();
        }
    }

    /// Somebody writes to a server directly.
    pub(crate) fn write_directly(&mut self, server: usize) {
        if !self.servers[server].works() || self.servers[server].closing {
            return;
        }
        let tx = self.new_tx(server);
        self.servers[server].log_it(tx);
        self.servers[server].commit(tx);
        self.history.strays.insert(tx.id, server);
        self.pump_all();
        self.history.tell(self.now, || format!("somebody writes {} to server {server} directly", tx.id));
    }

    /// A client does not wait longer than this for its OK before a switchover goes on without it.
    pub(crate) const fn round_trip() -> u64 {
        SECOND
    }
}
