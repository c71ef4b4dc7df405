//! Servers, the network between them and Headgate, and time. Everything that happens is an entry of one queue, so that a
//! seed is a run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use headgate::election::{Command, CommandId, Done, Failure, Heartbeat, Policy, Rules, Sight, State};
use headgate::topology::Epoch;

use crate::chance::Chance;
use crate::faults::Fault;
use crate::history::History;
use crate::mutation::Mutation;
use crate::process::Process;
use crate::server::{Flavor, Server, Tx};

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// How long a packet takes.
pub(crate) const HOP: u64 = MS;

/// What is in the queue.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
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
pub(crate) struct Setup {
    pub(crate) flavor: Flavor,
    pub(crate) servers: usize,
    pub(crate) semi_sync: bool,
    /// Between heartbeats, in microseconds.
    pub(crate) heartbeat: u64,
    /// Between writes, in microseconds; nothing where nobody writes.
    pub(crate) writes: Option<u64>,
    pub(crate) rules: Rules,
}

/// A client's write, as its connection to the primary knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter {
    pub(crate) process: u64,
    pub(crate) connection: u64,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) now: u64,
    pub(crate) base: Instant,
    pub(crate) chance: Chance,
    pub(crate) servers: Vec<Server>,
    /// How many faults cut the way from, to; Headgate is the last.
    pub(crate) cuts: Vec<Vec<u32>>,
    /// Connections from Headgate to this server are refused by something in between.
    pub(crate) rejected: Vec<bool>,
    /// Since when a server is a witness of a living primary.
    pub(crate) witness_since: Vec<Option<u64>>,
    pub(crate) process: Option<Process>,
    /// Counts Headgate's runs.
    pub(crate) processes: u64,
    pub(crate) stored: Option<State>,
    /// Of a hundred commands, so many take long.
    pub(crate) sluggish: u64,
    /// What is to be saved may not be, with or without an answer.
    pub(crate) store_broken: bool,
    pub(crate) history: History,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) waiters: BTreeMap<u32, Waiter>,
    pub(crate) next_tx: u32,
    pub(crate) next_session: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    entries: Vec<Option<Happening>>,
    free: Vec<usize>,
    queued: u64,
}

impl Setup {
    /// A run by chance.
    pub(crate) fn by(chance: &mut Chance) -> Self {
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
            servers: 2 + chance.below(4),
            semi_sync: chance.percent(60),
            heartbeat,
            writes: (!chance.percent(15)).then_some(chance.within(40, 400) * MS),
            rules,
        }
    }
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "an Instant has no literal; only differences count")]
    pub(crate) fn new(seed: u64, setup: Setup, mutation: Option<Mutation>) -> Self {
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

    pub(crate) fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    pub(crate) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.base).as_micros()).unwrap()
    }

    pub(crate) fn after(&mut self, delay: u64, happening: Happening) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.entries[slot] = Some(happening);
        self.queued += 1;
        self.queue.push(Reverse((self.now + delay, self.queued, slot)));
    }

    /// Lets the next thing happen. False where that is after `until`.
    pub(crate) fn turn(&mut self, until: u64) -> bool {
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
    pub(crate) fn here(&self) -> usize {
        self.servers.len()
    }

    /// Packets do not pass this way.
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to] > 0
    }

    /// Packets pass both ways.
    pub(crate) fn connected(&self, one: usize, other: usize) -> bool {
        !self.is_cut(one, other) && !self.is_cut(other, one)
    }
}
