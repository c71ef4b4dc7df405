//! A model of a server: its log, its replication, and what stands in the way of making it read only.
//!
//! It behaves as MySQL 9.7 and MariaDB 10.11 were measured to: HAZARDS 20 to 24.

use std::collections::{BTreeSet, VecDeque};

use headgate::election::{Channel, Receiver, Report};
use headgate::gtid::{GtidSet, MariaDbState, Transactions};
use headgate::topology::ServerId;

/// A transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tx {
    /// Unlike any other in this world.
    pub(crate) id: u32,
    /// Who wrote it first.
    pub(crate) origin: usize,
    /// Its number there; on MariaDB, in the domain.
    pub(crate) number: u64,
}

/// MySQL's way of GTIDs or MariaDB's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    MySql,
    MariaDb,
}

/// Where a server replicates from.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) source: usize,
    /// The source's run that the connection is to.
    pub(crate) source_run: u64,
    pub(crate) receiver: Receiver,
    /// Another number for each connection of the receiver.
    pub(crate) session: u64,
    /// So much of the source's log was sent.
    pub(crate) sent: usize,
    pub(crate) heartbeats: u64,
    /// Until when heartbeats are counted.
    pub(crate) counted: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) id: usize,
    pub(crate) flavor: Flavor,
    pub(crate) up: bool,
    pub(crate) frozen: bool,
    pub(crate) disk_full: bool,
    /// It greets and does nothing else; its dump threads send heartbeats.
    pub(crate) stalled: bool,
    pub(crate) crowded: bool,
    /// It is ending in order: it takes no connections, clients are gone, replicas are served to the last.
    pub(crate) closing: bool,
    pub(crate) run: u64,
    pub(crate) version: u32,
    pub(crate) logs: bool,
    pub(crate) filtered: bool,
    /// It starts read only.
    pub(crate) careful: bool,
    pub(crate) writable: bool,
    /// What it committed, in order; and what waits for an acknowledgement, last.
    pub(crate) log: Vec<Tx>,
    /// The highest number it has given, or has seen given in its domain.
    top: u64,
    /// So much of the log is purged.
    pub(crate) purged: usize,
    pub(crate) held: BTreeSet<u32>,
    pub(crate) executed: Transactions,
    pub(crate) received: Transactions,
    pub(crate) relay: VecDeque<Tx>,
    pub(crate) waiting: Vec<Tx>,
    pub(crate) link: Option<Link>,
    /// Microseconds that a transaction takes to be applied.
    pub(crate) pace: u64,
    pub(crate) applying: bool,
    /// A session holds a table lock until then.
    pub(crate) locked_until: u64,
    pub(crate) prepared: Vec<Tx>,
    /// Something is to be done when it is thawed.
    pub(crate) made_read_only_late: bool,
}

pub(crate) fn none(flavor: Flavor) -> Transactions {
    match flavor {
        Flavor::MySql => Transactions::MySql(GtidSet::default()),
        Flavor::MariaDb => Transactions::MariaDb(MariaDbState::default()),
    }
}

/// What a server's transactions are known by.
pub(crate) fn origin(flavor: Flavor, server: usize) -> String {
    match flavor {
        Flavor::MySql => format!("00000000-0000-0000-0000-00000000000{server}"),
        Flavor::MariaDb => (server + 1).to_string(),
    }
}

pub(crate) fn add(set: &mut Transactions, tx: Tx) {
    match set {
        Transactions::MySql(set) => set.insert(UUIDS[tx.origin], tx.number),
        Transactions::MariaDb(state) => state.insert(0, u32::try_from(tx.origin + 1).unwrap(), tx.number),
    }
}

const UUIDS: [&str; 6] = [
    "00000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000002",
    "00000000-0000-0000-0000-000000000003",
    "00000000-0000-0000-0000-000000000004",
    "00000000-0000-0000-0000-000000000005",
];

impl Server {
    pub(crate) fn new(id: usize, flavor: Flavor) -> Self {
        Self {
            id,
            flavor,
            up: true,
            frozen: false,
            disk_full: false,
            stalled: false,
            crowded: false,
            closing: false,
            run: 1,
            version: 80_400,
            logs: true,
            filtered: false,
            careful: false,
            writable: false,
            log: Vec::new(),
            top: 0,
            purged: 0,
            held: BTreeSet::new(),
            executed: none(flavor),
            received: none(flavor),
            relay: VecDeque::new(),
            waiting: Vec::new(),
            link: None,
            pace: 1_000,
            applying: false,
            locked_until: 0,
            prepared: Vec::new(),
            made_read_only_late: false,
        }
    }

    /// The number of its next own transaction.
    pub(crate) fn next_number(&self) -> u64 {
        self.top + 1
    }

    /// It takes new connections, frozen or not.
    pub(crate) const fn opens(&self) -> bool {
        self.up && !self.closing
    }

    /// It works, as far as a peer with a connection can tell.
    pub(crate) fn works(&self) -> bool {
        self.up && !self.frozen
    }

    /// Committed, or to be committed when it starts again.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.held.contains(&id) || self.waiting.iter().any(|tx| tx.id == id)
    }

    /// Committed, or received and to be applied.
    pub(crate) fn has_received(&self, id: u32) -> bool {
        self.has(id) || self.relay.iter().any(|tx| tx.id == id)
    }

    pub(crate) fn log_it(&mut self, tx: Tx) {
        if self.flavor == Flavor::MariaDb || tx.origin == self.id {
            self.top = self.top.max(tx.number);
        }
        self.log.push(tx);
    }

    /// Commits what stands in the log.
    pub(crate) fn commit(&mut self, tx: Tx) {
        self.held.insert(tx.id);
        add(&mut self.executed, tx);
        add(&mut self.received, tx);
    }

    /// Those who wait for an acknowledgement give up: it is committed all the same.
    pub(crate) fn stop_waiting(&mut self) {
        for tx in std::mem::take(&mut self.waiting) {
            self.commit(tx);
        }
    }

    pub(crate) fn receive(&mut self, tx: Tx) {
        if !self.has_received(tx.id) {
            add(&mut self.received, tx);
            self.relay.push_back(tx);
        }
    }

    /// What it has received and not applied is gone: it gets it again from its source.
    pub(crate) fn drop_relay(&mut self) {
        self.relay.clear();
        self.received = self.executed.clone();
    }

    /// What it cannot send any more.
    pub(crate) fn purged(&self) -> Transactions {
        let mut set = none(self.flavor);
        self.log[..self.purged].iter().for_each(|tx| add(&mut set, *tx));
        set
    }

    /// Crashes and starts, with a log that had not reached the disk.
    pub(crate) fn lose_tail(&mut self) {
        let Some(lost) = self.log.pop() else { return };
        let kept = std::mem::take(&mut self.log);
        self.waiting.clear();
        self.held.remove(&lost.id);
        self.executed = none(self.flavor);
        self.received = none(self.flavor);
        self.top = 0;
        for tx in kept {
            self.log_it(tx);
            self.commit(tx);
        }
        self.run += 1;
    }

    /// Becomes a copy of another server.
    pub(crate) fn copy(&mut self, donor: &Self) {
        self.log.clone_from(&donor.log);
        self.top = self.log.iter().filter(|tx| tx.origin == self.id).map(|tx| tx.number).max().unwrap_or(0);
        if self.flavor == Flavor::MariaDb {
            self.top = donor.top;
        }
        self.purged = donor.purged;
        self.held.clone_from(&donor.held);
        self.executed = donor.executed.clone();
        self.received = donor.executed.clone();
        self.relay.clear();
        self.waiting.clear();
        self.prepared.clear();
        self.link = None;
        self.writable = false;
        self.run += 1;
    }

    pub(crate) fn crash(&mut self) {
        self.stalled = false;
        self.closing = false;
        self.up = false;
        self.frozen = false;
        self.locked_until = 0;
        self.applying = false;
        self.made_read_only_late = false;
        if let Some(link) = &mut self.link {
            link.session += 1;
        }
    }

    /// Starts, and recovers what is in its log.
    pub(crate) fn start(&mut self) {
        self.up = true;
        self.run += 1;
        self.stop_waiting();
        self.drop_relay();
        if self.careful {
            self.writable = false;
        }
        if let Some(link) = &mut self.link {
            link.receiver = Receiver::Connecting;
            link.session += 1;
        }
    }

    pub(crate) fn report(&self) -> Report {
        let channel = self.link.as_ref().map(|link| Channel {
            source: Some(ServerId(u16::try_from(link.source).unwrap())),
            receiver: link.receiver,
            applier: true,
            heartbeats: link.heartbeats,
        });
        Report {
            origin: UUIDS
                .get(self.id)
                .filter(|_| self.flavor == Flavor::MySql)
                .map_or_else(|| origin(self.flavor, self.id), |uuid| (*uuid).to_owned()),
            run: self.run,
            version: self.version,
            writable: self.writable,
            channel,
            executed: self.executed.clone(),
            received: self.received.clone(),
            purged: self.purged(),
            logs: self.logs,
            filtered: self.filtered,
            prepared: Vec::new(),
        }
    }
}
