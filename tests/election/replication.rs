//! How transactions and heartbeats get from one server to another.

use headgate::election::Receiver;

use crate::server::{Flavor, Link, Tx};
use crate::world::{HOP, Happening, MS, SECOND, Waiter, World};

impl World {
    /// Makes a server replicate from another, from wherever it stands.
    pub(crate) fn follow(&mut self, replica: usize, source: usize) {
        // MySQL keeps the relay log while the applier runs, MariaDB does not.
        if self.setup.flavor == Flavor::MariaDb || self.servers[replica].link.is_none() {
            self.servers[replica].drop_relay();
        }
        self.next_session += 1;
        let session = self.next_session;
        let counted = self.now;
        let receiver = Receiver::Connecting;
        self.servers[replica].link =
            Some(Link { source, source_run: 0, receiver, session, sent: 0, heartbeats: 0, counted });
        self.connect(replica, session);
    }

    /// A receiver tries to get a connection.
    pub(crate) fn connect(&mut self, replica: usize, session: u64) {
        let Some(link) = &self.servers[replica].link else { return };
        if link.session != session
            || !matches!(link.receiver, Receiver::Connecting | Receiver::Crowded)
            || !self.servers[replica].up
        {
            return;
        }
        let source = link.source;
        let reached = self.connected(replica, source)
            && self.servers[source].works()
            && !self.servers[source].crowded
            && !self.servers[source].closing
            && !self.servers[replica].frozen;
        let now = self.now;
        if reached {
            let (from, to) = (self.servers[source].purged, self.servers[source].log.len());
            let missing =
                self.servers[source].log[..from].iter().any(|tx| !self.servers[replica].has_received(tx.id));
            let run = self.servers[source].run;
            let Some(link) = &mut self.servers[replica].link else { return };
            if missing {
                // 1236: what it wants is purged.
                link.receiver = Receiver::Stopped;
                return;
            }
            link.receiver = Receiver::Running;
            link.source_run = run;
            link.sent = 0;
            link.counted = now;
            link.heartbeats += 1;
            self.note_witnesses();
            if to > 0 {
                self.pump(replica);
            }
        } else {
            let told = self.connected(replica, source)
                && self.servers[source].works()
                && self.servers[source].crowded
                && !self.servers[source].closing
                && self.servers[replica].works();
            if let Some(link) = &mut self.servers[replica].link {
                link.receiver = if told { Receiver::Crowded } else { Receiver::Connecting };
            }
            self.after(SECOND, Happening::Connect { replica, session });
        }
    }

    /// Receivers learn that their connection is gone, where a packet that says so can reach them. Those whose source is
    /// frozen, or behind a cut, do not.
    pub(crate) fn break_links(&mut self) {
        for replica in 0..self.servers.len() {
            let Some(link) = &self.servers[replica].link else { continue };
            let source = &self.servers[link.source];
            let gone = !source.up || (source.works() && source.run != link.source_run);
            let reached = self.connected(replica, link.source) && self.servers[replica].works();
            if link.receiver != Receiver::Running || !gone || !reached {
                continue;
            }
            self.next_session += 1;
            let session = self.next_session;
            if let Some(link) = &mut self.servers[replica].link {
                link.receiver = Receiver::Connecting;
                link.session = session;
            }
            let delay = self.chance.within(1, 1_000) * MS;
            self.after(delay, Happening::Connect { replica, session });
        }
        self.note_witnesses();
        self.pump_all();
    }

    /// A receiver begins anew.
    pub(crate) fn reconnect(&mut self, replica: usize) {
        self.next_session += 1;
        let session = self.next_session;
        if let Some(link) = &mut self.servers[replica].link {
            link.receiver = Receiver::Connecting;
            link.session = session;
            self.connect(replica, session);
        }
    }

    /// Sends a replica what it was not sent.
    pub(crate) fn pump(&mut self, replica: usize) {
        let Some(link) = &self.servers[replica].link else { return };
        let (source, session, from) = (link.source, link.session, link.sent);
        let to = self.servers[source].log.len();
        let flows = link.receiver == Receiver::Running
            && self.connected(replica, source)
            && self.servers[source].works()
            && self.servers[replica].works();
        if !flows || from >= to {
            return;
        }
        if let Some(link) = &mut self.servers[replica].link {
            link.sent = to;
        }
        self.after(HOP * 2, Happening::Deliver { replica, session, from, to });
    }

    /// Sends all replicas of a server, or all at all, what they were not sent.
    pub(crate) fn pump_all(&mut self) {
        (0..self.servers.len()).for_each(|replica| self.pump(replica));
    }

    pub(crate) fn deliver(&mut self, replica: usize, session: u64, from: usize, to: usize) {
        let Some(link) = self.servers[replica].link.clone() else { return };
        if link.session != session || link.receiver != Receiver::Running {
            return;
        }
        let source = link.source;
        if self.is_cut(source, replica) || !self.servers[replica].works() {
            // It is sent again when the network lets it.
            if let Some(link) = &mut self.servers[replica].link {
                link.sent = link.sent.min(from);
            }
            return;
        }
        let txs: Vec<Tx> = self.servers[source].log[from..to.min(self.servers[source].log.len())].to_vec();
        let semi_sync = self.setup.semi_sync;
        for tx in txs {
            self.servers[replica].receive(tx);
            if semi_sync && self.servers[source].waiting.contains(&tx) && !self.is_cut(replica, source) {
                let run = self.servers[source].run;
                self.after(HOP, Happening::Acknowledge { source, run, tx });
            }
        }
        self.let_apply(replica);
    }

    pub(crate) fn acknowledge(&mut self, source: usize, run: u64, tx: Tx) {
        let server = &mut self.servers[source];
        if !server.works() || server.run != run {
            return;
        }
        // All that was written before it is acknowledged with it.
        let mut told = Vec::new();
        while let Some(first) = server.waiting.first().copied().filter(|first| first.number <= tx.number) {
            server.waiting.remove(0);
            server.commit(first);
            told.extend(self.waiters.remove(&first.id).map(|waiter| (waiter, first)));
        }
        for (Waiter { process, connection }, tx) in told {
            self.after(HOP, Happening::Reply { process, connection, server: source, tx });
        }
    }

    pub(crate) fn let_apply(&mut self, server: usize) {
        let replica = &mut self.servers[server];
        if replica.applying || replica.relay.is_empty() || !replica.works() {
            return;
        }
        replica.applying = true;
        let (pace, run) = (replica.pace, replica.run);
        self.after(pace, Happening::Apply { server, run });
    }

    pub(crate) fn apply(&mut self, server: usize, run: u64) {
        let replica = &mut self.servers[server];
        if replica.run != run || !replica.up {
            return;
        }
        replica.applying = false;
        if replica.frozen || replica.link.is_none() {
            return;
        }
        if let Some(tx) = replica.relay.pop_front() {
            if !replica.held.contains(&tx.id) {
                replica.log_it(tx);
                replica.commit(tx);
            }
            self.pump_all();
        }
        self.let_apply(server);
    }

    /// A transaction that begins at this server.
    pub(crate) fn new_tx(&mut self, server: usize) -> Tx {
        self.next_tx += 1;
        Tx { id: self.next_tx, origin: server, number: self.servers[server].next_number() }
    }

    /// Brings the heartbeats up to date. To be called before anything about connections changes.
    pub(crate) fn count_heartbeats(&mut self) {
        (0..self.servers.len()).for_each(|replica| self.count_heartbeats_of(replica));
    }

    pub(crate) fn count_heartbeats_of(&mut self, replica: usize) {
        let Some(link) = &self.servers[replica].link else { return };
        let source = link.source;
        let flows = link.receiver == Receiver::Running
            && self.connected(replica, source)
            && self.servers[source].works()
            && self.servers[replica].works();
        let (now, period) = (self.now, self.setup.heartbeat);
        let Some(link) = &mut self.servers[replica].link else { return };
        if flows {
            let beats = (now - link.counted) / period;
            link.heartbeats += beats;
            link.counted += beats * period;
        } else {
            link.counted = now;
        }
    }

    /// Brings up to date since when replicas that Headgate can ask hear from a primary that works.
    pub(crate) fn note_witnesses(&mut self) {
        let primary = self.published();
        for replica in 0..self.servers.len() {
            let witnesses = primary.is_some_and(|primary| {
                let source = &self.servers[primary];
                self.servers[replica]
                    .link
                    .as_ref()
                    .is_some_and(|link| link.source == primary && link.receiver == Receiver::Running)
                    && source.works()
                    && !source.closing
                    && source.writable
                    && !source.disk_full
                    && !source.stalled
                    && !self.servers[replica].stalled
                    && self.servers[replica].works()
                    && !self.servers[replica].crowded
                    && !self.servers[replica].closing
                    && self.connected(replica, primary)
                    && self.connected(replica, self.here())
                    && !self.rejected[replica]
            });
            let since = self.witness_since[replica];
            self.witness_since[replica] = witnesses.then(|| since.unwrap_or(self.now));
        }
    }
}
