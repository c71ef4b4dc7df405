//! Servers, the network between them and Headgate, and time. Everything that happens is an entry of one queue, so that a
//! seed is a run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use headgate::election::{
    Command, CommandId, Done, Failure, Heartbeat, Policy, Receiver, Rules, Sight, State,
};
use headgate::topology::Epoch;

use crate::chance::Chance;
use crate::faults::Fault;
use crate::history::History;
use crate::mutation::Mutation;
use crate::process::Process;
use crate::server::{Flavor, Link, Server, Tx};

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000 * MS;

/// How long a packet takes.
pub const HOP: u64 = MS;

/// What is in the queue.
#[derive(Debug, Clone)]
pub enum Happening {
    /// Headgate asks a server how it is.
    Probe {
        process: u64,
        server: usize,
    },
    /// It learns.
    Seen {
        process: u64,
        server: usize,
        asked: u64,
        sight: Sight,
    },
    /// The machine wanted to be stepped.
    Wake {
        process: u64,
    },
    /// A command is carried out, by a server or by Headgate itself.
    Arrive {
        process: u64,
        command: Command,
    },
    /// Its answer is there.
    Answer {
        process: u64,
        id: CommandId,
        epoch: Epoch,
        outcome: Result<Done, Failure>,
    },
    /// A client writes through Headgate.
    Write,
    /// The write is at the server.
    Commit {
        process: u64,
        connection: u64,
        epoch: u64,
        server: usize,
    },
    /// The client's OK is at Headgate.
    Reply {
        process: u64,
        connection: u64,
        server: usize,
        tx: Tx,
    },
    /// A replica gets a part of its source's log.
    Deliver {
        replica: usize,
        session: u64,
        from: usize,
        to: usize,
    },
    /// A replica has acknowledged what it received.
    Acknowledge {
        source: usize,
        run: u64,
        tx: Tx,
    },
    /// A replica has applied the next transaction.
    Apply {
        server: usize,
        run: u64,
    },
    /// A receiver without a connection tries to get one.
    Connect {
        replica: usize,
        session: u64,
    },
    /// What was said to be saved is.
    Stored(State),
    /// An XA branch that was prepared is committed, whether the server is read only or not.
    CommitPrepared {
        server: usize,
        tx: Tx,
    },
    /// A lock that kept a server from becoming read only is gone.
    ReadOnlyAtLast {
        server: usize,
        run: u64,
    },
    Fault(Fault),
    Mend(Fault),
    /// Headgate is started.
    Start,
}

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Setup {
    pub flavor: Flavor,
    pub servers: usize,
    pub semi_sync: bool,
    /// Between heartbeats, in microseconds.
    pub heartbeat: u64,
    /// Between writes, in microseconds; nothing where nobody writes.
    pub writes: Option<u64>,
    pub rules: Rules,
}

/// A client's write, as its connection to the primary knows it.
#[derive(Debug, Clone, Copy)]
pub struct Waiter {
    pub process: u64,
    pub connection: u64,
}

pub struct World {
    pub setup: Setup,
    pub now: u64,
    pub base: Instant,
    pub chance: Chance,
    pub servers: Vec<Server>,
    /// How many faults cut the way from, to; Headgate is the last.
    pub cuts: Vec<Vec<u32>>,
    /// Connections from Headgate to this server are refused by something in between.
    pub rejected: Vec<bool>,
    /// Since when a server is a witness of a living primary.
    pub witness_since: Vec<Option<u64>>,
    pub process: Option<Process>,
    /// Counts Headgate's runs.
    pub processes: u64,
    pub stored: Option<State>,
    /// Of a hundred commands, so many take long.
    pub sluggish: u64,
    /// Nothing can be saved.
    pub store_broken: bool,
    pub history: History,
    pub mutation: Option<Mutation>,
    pub waiters: BTreeMap<u32, Waiter>,
    next_tx: u32,
    next_session: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    entries: Vec<Option<Happening>>,
    free: Vec<usize>,
    queued: u64,
}

impl Setup {
    /// A run by chance.
    pub fn by(chance: &mut Chance) -> Self {
        let managed = chance.percent(70);
        let heartbeat = if managed { 500 * MS } else { chance.pick(&[1, 5, 30]) * SECOND };
        let period = Duration::from_micros(heartbeat);
        let rules = Rules {
            policy: if chance.percent(30) { Policy::Safe } else { Policy::Available },
            heartbeat: if managed { Heartbeat::Managed(period) } else { Heartbeat::Found(period) },
            cooldown: Duration::from_secs(chance.within(5, 20)),
            catch_up: Duration::from_secs(chance.within(3, 15)),
            retry: Duration::from_secs(chance.within(1, 5)),
            hook: chance.percent(10).then_some(Duration::from_secs(1)),
            ..Rules::default()
        };
        Self {
            flavor: if chance.percent(60) { Flavor::MySql } else { Flavor::MariaDb },
            servers: 2 + chance.below(3),
            semi_sync: chance.percent(60),
            heartbeat,
            writes: (!chance.percent(15)).then_some(chance.within(40, 400) * MS),
            rules,
        }
    }
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "an Instant has no literal; only differences count")]
    pub fn new(seed: u64, setup: Setup, mutation: Option<Mutation>) -> Self {
        let count = setup.servers;
        let mut chance = Chance::new(seed ^ 0x5eed);
        let mut servers: Vec<Server> = (0..count).map(|id| Server::new(id, setup.flavor)).collect();
        servers[0].writable = true;
        for server in &mut servers {
            server.careful = chance.percent(50);
            server.pace =
                if chance.percent(15) { chance.within(50, 300) * MS } else { chance.within(1, 20) * MS };
            server.version = if chance.percent(8) { 90_000 } else { 80_400 };
            server.logs = !chance.percent(4);
            server.filtered = chance.percent(4);
        }
        servers[0].logs = true;
        servers[0].filtered = false;
        let mut world = Self {
            now: 0,
            base: Instant::now(),
            chance,
            servers,
            cuts: vec![vec![0; count + 1]; count + 1],
            rejected: vec![false; count],
            witness_since: vec![None; count],
            process: None,
            processes: 0,
            stored: None,
            sluggish: 3,
            store_broken: false,
            history: History::default(),
            mutation,
            waiters: BTreeMap::new(),
            next_tx: 0,
            next_session: 0,
            queue: BinaryHeap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            queued: 0,
            setup,
        };
        for replica in 1..count {
            world.follow(replica, 0);
        }
        world.after(0, Happening::Start);
        world.after(10 * MS, Happening::Write);
        world
    }

    pub fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    pub fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.base).as_micros()).unwrap()
    }

    pub fn after(&mut self, delay: u64, happening: Happening) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.entries[slot] = Some(happening);
        self.queued += 1;
        self.queue.push(Reverse((self.now + delay, self.queued, slot)));
    }

    /// Lets the next thing happen. False where that is after `until`.
    pub fn turn(&mut self, until: u64) -> bool {
        match self.queue.peek() {
            Some(Reverse((at, _, _))) if *at <= until => {}
            _ => {
                self.now = until;
                return false;
            }
        }
        let Some(Reverse((at, _, slot))) = self.queue.pop() else { return false };
        self.now = at;
        self.free.push(slot);
        if let Some(happening) = self.entries[slot].take() {
            self.happen(happening);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Probe { process, server } => self.probe(process, server),
            Happening::Seen { process, server, asked, sight } => self.seen(process, server, asked, sight),
            Happening::Wake { process } => self.wake(process),
            Happening::Arrive { process, command } => self.arrive(process, command),
            Happening::Answer { process, id, epoch, outcome } => self.answered(process, id, epoch, outcome),
            Happening::Write => self.write(),
            Happening::Commit { process, connection, epoch, server } => {
                self.commit(process, connection, epoch, server);
            }
            Happening::Reply { process, connection, server, tx } => {
                self.reply(process, connection, server, tx)
            }
            Happening::Deliver { replica, session, from, to } => self.deliver(replica, session, from, to),
            Happening::Acknowledge { source, run, tx } => self.acknowledge(source, run, tx),
            Happening::Apply { server, run } => self.apply(server, run),
            Happening::Connect { replica, session } => self.connect(replica, session),
            Happening::ReadOnlyAtLast { server, run } => {
                if self.servers[server].up && self.servers[server].run == run {
                    self.servers[server].writable = false;
                    self.history.tell(self.now, || format!("server {server} is read only at last"));
                }
            }
            Happening::Stored(state) => self.stored = Some(state),
            Happening::CommitPrepared { server, tx } => self.commit_prepared(server, tx),
            Happening::Fault(fault) => self.strike(fault),
            Happening::Mend(fault) => self.mend(fault),
            Happening::Start => self.start_headgate(),
        }
    }

    /// Headgate's place in the network.
    pub fn here(&self) -> usize {
        self.servers.len()
    }

    /// Packets do not pass this way.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to] > 0
    }

    /// Packets pass both ways.
    pub fn connected(&self, one: usize, other: usize) -> bool {
        !self.is_cut(one, other) && !self.is_cut(other, one)
    }

    // Replication.

    /// Makes a server replicate from another, from wherever it stands.
    pub fn follow(&mut self, replica: usize, source: usize) {
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
    pub fn connect(&mut self, replica: usize, session: u64) {
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
                && self.servers[replica].works();
            if let Some(link) = &mut self.servers[replica].link {
                link.receiver = if told { Receiver::Crowded } else { Receiver::Connecting };
            }
            self.after(SECOND, Happening::Connect { replica, session });
        }
    }

    /// Receivers learn that their connection is gone, where a packet that says so can reach them. Those whose source is
    /// frozen, or behind a cut, do not.
    pub fn break_links(&mut self) {
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
    pub fn reconnect(&mut self, replica: usize) {
        self.next_session += 1;
        let session = self.next_session;
        if let Some(link) = &mut self.servers[replica].link {
            link.receiver = Receiver::Connecting;
            link.session = session;
            self.connect(replica, session);
        }
    }

    /// Sends a replica what it was not sent.
    pub fn pump(&mut self, replica: usize) {
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
    pub fn pump_all(&mut self) {
        (0..self.servers.len()).for_each(|replica| self.pump(replica));
    }

    fn deliver(&mut self, replica: usize, session: u64, from: usize, to: usize) {
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

    fn acknowledge(&mut self, source: usize, run: u64, tx: Tx) {
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

    pub fn let_apply(&mut self, server: usize) {
        let replica = &mut self.servers[server];
        if replica.applying || replica.relay.is_empty() || !replica.works() {
            return;
        }
        replica.applying = true;
        let (pace, run) = (replica.pace, replica.run);
        self.after(pace, Happening::Apply { server, run });
    }

    fn apply(&mut self, server: usize, run: u64) {
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
    pub fn new_tx(&mut self, server: usize) -> Tx {
        self.next_tx += 1;
        Tx { id: self.next_tx, origin: server, number: self.servers[server].next_number() }
    }

    /// Brings the heartbeats up to date. To be called before anything about connections changes.
    pub fn count_heartbeats(&mut self) {
        (0..self.servers.len()).for_each(|replica| self.count_heartbeats_of(replica));
    }

    pub fn count_heartbeats_of(&mut self, replica: usize) {
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
    pub fn note_witnesses(&mut self) {
        let primary = self.published();
        for replica in 0..self.servers.len() {
            let witnesses = primary.is_some_and(|primary| {
                let source = &self.servers[primary];
                self.servers[replica]
                    .link
                    .as_ref()
                    .is_some_and(|link| link.source == primary && link.receiver == Receiver::Running)
                    && source.works()
                    && !source.disk_full
                    && self.servers[replica].works()
                    && !self.servers[replica].crowded
                    && self.connected(replica, primary)
                    && self.connected(replica, self.here())
                    && !self.rejected[replica]
            });
            let since = self.witness_since[replica];
            self.witness_since[replica] = witnesses.then(|| since.unwrap_or(self.now));
        }
    }
}
