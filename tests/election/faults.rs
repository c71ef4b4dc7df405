//! What goes wrong, when, and until when.

use headgate::election::{Event, Operator};

use crate::chance::Chance;
use crate::mutation::Mutation;
use crate::process::id;
use crate::world::{Happening, MS, SECOND, Setup, World};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The process ends.
    Crash,
    /// The process ends in order, and takes its time.
    Close,
    /// The process stops, as under SIGSTOP.
    Freeze,
    DiskFull,
    /// It greets and does nothing else.
    Stall,
    Crowded,
    /// Packets between two do not pass, one way or both.
    Cut {
        other: usize,
        both: bool,
    },
    /// Something between Headgate and the server refuses connections.
    Reject,
    /// Nobody reaches it, it reaches nobody.
    Isolate,
    /// A backup holds a lock.
    Lock,
    /// An XA branch is prepared, and committed when the fault ends.
    Prepare,
    /// Somebody writes to it directly.
    Stray,
    /// It purges its logs.
    Purge,
    /// It applies slowly.
    Slow,
    /// Headgate is killed.
    Kill,
    /// Headgate cannot save its state.
    StoreBroken,
    /// Another Headgate is there.
    Rival,
    /// Headgate loses its lease.
    LeaseLost,
    Pause,
    Veto,
    Switchover,
    Failover,
    AcceptLoss,
    Rejoin,
    Rebuild,
    /// Something else promotes it and makes the old primary read only.
    Promote,
    /// It crashes and comes back without its last transaction: its log was not on its disk.
    LoseTail,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Which server; with none, whichever is the primary then.
    pub(crate) server: Option<usize>,
    /// For how long; with none, for ever.
    pub(crate) lasts: Option<u64>,
}

/// Those that hit a server, with how often of a hundred.
const KINDS: &[(u64, Kind)] = &[
    (22, Kind::Crash),
    (4, Kind::Close),
    (14, Kind::Freeze),
    (3, Kind::DiskFull),
    (3, Kind::Stall),
    (2, Kind::Crowded),
    (9, Kind::Cut { other: 0, both: true }),
    (5, Kind::Cut { other: 0, both: false }),
    (3, Kind::Reject),
    (8, Kind::Isolate),
    (4, Kind::Lock),
    (3, Kind::Prepare),
    (2, Kind::Stray),
    (2, Kind::Purge),
    (2, Kind::Slow),
    (6, Kind::Kill),
    (2, Kind::StoreBroken),
    (1, Kind::Rival),
    (1, Kind::LeaseLost),
    (1, Kind::Pause),
    (2, Kind::Veto),
    (5, Kind::Switchover),
    (2, Kind::Failover),
    (1, Kind::AcceptLoss),
    (1, Kind::Rejoin),
    (1, Kind::Rebuild),
];

impl Fault {
    fn by(chance: &mut Chance, servers: usize) -> Self {
        let mut roll = chance.within(0, KINDS.iter().map(|(weight, _)| weight).sum());
        let mut kind = Kind::Crash;
        for (weight, candidate) in KINDS {
            kind = *candidate;
            match roll.checked_sub(*weight) {
                Some(left) => roll = left,
                None => break,
            }
        }
        // Most of what happens, happens to the primary.
        let mut server = if chance.percent(65) { None } else { Some(chance.below(servers)) };
        match &mut kind {
            Kind::Cut { other, .. } => *other = chance.below(servers + 1),
            Kind::Switchover | Kind::Veto | Kind::Rejoin | Kind::Rebuild => {
                server = Some(chance.below(servers))
            }
            _ => {}
        }
        let lasts = match chance.below(3) {
            0 => chance.within(10, 900) * MS,
            1 => chance.within(900, 5_000) * MS,
            _ => chance.within(5, 25) * SECOND,
        };
        Self { kind, server, lasts: Some(lasts) }
    }

    /// It keeps the primary from working, or Headgate from seeing that it does, or Headgate from working itself.
    const fn is_failure(self) -> bool {
        matches!(
            self.kind,
            Kind::Crash
                | Kind::Close
                | Kind::Freeze
                | Kind::DiskFull
                | Kind::Stall
                | Kind::Crowded
                | Kind::Cut { .. }
                | Kind::Reject
                | Kind::Isolate
                | Kind::Kill
        )
    }
}

/// Faults by chance, with their times; and when the last has ended.
pub(crate) fn plan(chance: &mut Chance, setup: &Setup) -> (Vec<(u64, Fault)>, u64) {
    let (mut at, mut end) = (chance.within(2, 6) * SECOND, 0);
    let mut faults = Vec::new();
    for _ in 0..chance.within(2, 8) {
        let fault = Fault::by(chance, setup.servers);
        faults.push((at, fault));
        end = end.max(at + fault.lasts.unwrap_or_default());
        // Half of them strike while the last one is being dealt with.
        at += if chance.percent(50) { chance.within(1, 3_500) * MS } else { chance.within(3, 20) * SECOND };
    }
    if setup.servers > 2 && chance.percent(25) {
        let kind = chance.pick(&[Kind::Crash, Kind::Freeze, Kind::Isolate]);
        faults.push((at, Fault { kind, server: None, lasts: None }));
        end = end.max(at);
    }
    (faults, end)
}

impl World {
    pub(crate) fn strike(&mut self, fault: Fault) {
        let Some(server) = fault.server.or(self.history.primary) else { return };
        let fault = Fault { server: Some(server), ..fault };
        self.history.failures += u64::from(fault.is_failure());
        self.history.tell(self.now, || format!("FAULT {fault:?}"));
        self.count_heartbeats();
        let here = self.here();
        match fault.kind {
            Kind::Crash => self.servers[server].crash(),
            Kind::Close => self.servers[server].closing = self.servers[server].up,
            Kind::Freeze => self.servers[server].frozen = true,
            Kind::DiskFull => self.servers[server].disk_full = true,
            Kind::Stall => self.servers[server].stalled = true,
            Kind::Crowded => self.servers[server].crowded = true,
            Kind::Cut { other, both } => self.set_cut(server, other, both, true),
            Kind::Reject => self.rejected[server] = true,
            Kind::Isolate => (0..=here).for_each(|other| self.set_cut(server, other, true, true)),
            Kind::Lock => self.servers[server].locked_until = self.now + fault.lasts.unwrap_or_default(),
            Kind::Prepare => self.prepare(server, fault.lasts.unwrap_or_default()),
            Kind::Stray => self.write_directly(server),
            Kind::Purge => self.servers[server].purged = self.servers[server].log.len(),
            Kind::Slow => self.servers[server].pace = 250 * MS,
            Kind::Kill => self.kill_headgate(),
            Kind::StoreBroken => self.store_broken = true,
            Kind::Rival => self.step(Event::Rival(Some("another".into()))),
            Kind::LeaseLost => self.set_leading(false),
            Kind::Pause => self.wish(Operator::Pause(true)),
            Kind::Veto => {
                self.history.vetoed.insert(server);
                if self.mutation != Some(Mutation::NoVeto) {
                    self.wish(Operator::Veto { server: id(server), on: true });
                }
            }
            Kind::Switchover => self.wish(Operator::Switchover { to: id(server) }),
            Kind::Failover => self.wish(Operator::Failover),
            Kind::AcceptLoss => self.wish(Operator::AcceptLoss),
            Kind::Promote => self.promote_from_outside(server),
            Kind::LoseTail => self.servers[server].lose_tail(),
            Kind::Rejoin => self.wish(Operator::Rejoin { server: id(server) }),
            Kind::Rebuild => self.wish(Operator::Rebuild { server: id(server) }),
        }
        self.break_links();
        if let Some(lasts) = fault.lasts {
            self.after(lasts, Happening::Mend(fault));
        }
    }

    pub(crate) fn mend(&mut self, fault: Fault) {
        let Some(server) = fault.server else { return };
        self.history.tell(self.now, || format!("MENDED {:?}", fault.kind));
        self.count_heartbeats();
        let here = self.here();
        match fault.kind {
            Kind::Crash => self.start_server(server),
            Kind::Close => {
                self.servers[server].crash();
                self.break_links();
                self.start_server(server);
            }
            Kind::Freeze => {
                self.servers[server].frozen = false;
                self.let_apply(server);
            }
            Kind::DiskFull => self.servers[server].disk_full = false,
            Kind::Stall => self.servers[server].stalled = false,
            Kind::Crowded => self.servers[server].crowded = false,
            Kind::Cut { other, both } => self.set_cut(server, other, both, false),
            Kind::Reject => self.rejected[server] = false,
            Kind::Isolate => (0..=here).for_each(|other| self.set_cut(server, other, true, false)),
            Kind::Slow => self.servers[server].pace = 10 * MS,
            Kind::Kill => self.start_headgate(),
            Kind::StoreBroken => self.store_broken = false,
            Kind::Rival => self.step(Event::Rival(None)),
            Kind::LeaseLost => self.set_leading(true),
            Kind::Pause => self.wish(Operator::Pause(false)),
            Kind::Veto => {
                self.history.vetoed.remove(&server);
                self.wish(Operator::Veto { server: id(server), on: false });
            }
            Kind::Lock
            | Kind::Prepare
            | Kind::Stray
            | Kind::Purge
            | Kind::Switchover
            | Kind::Failover
            | Kind::AcceptLoss
            | Kind::Rejoin
            | Kind::Rebuild
            | Kind::LoseTail
            | Kind::Promote => {}
        }
        self.break_links();
    }

    fn set_cut(&mut self, one: usize, other: usize, both: bool, cut: bool) {
        let ways = [(one, other), (other, one)];
        for (from, to) in ways.into_iter().take(if both { 2 } else { 1 }).filter(|(from, to)| from != to) {
            let cuts = &mut self.cuts[from][to];
            *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) };
        }
    }

    fn promote_from_outside(&mut self, server: usize) {
        for other in 0..self.servers.len() {
            if other == server {
                self.servers[server].link = None;
                self.servers[server].writable = true;
            } else if self.servers[other].works() {
                self.servers[other].writable = false;
                self.follow(other, server);
            }
        }
    }

    fn start_server(&mut self, server: usize) {
        if self.servers[server].up {
            return;
        }
        self.servers[server].start();
        if self.servers[server].link.is_some() {
            self.reconnect(server);
            let session = self.servers[server].link.as_ref().map_or(0, |link| link.session);
            self.after(SECOND, Happening::Connect { replica: server, session });
        }
    }

    fn prepare(&mut self, server: usize, lasts: u64) {
        let model = &self.servers[server];
        if !model.works() || !model.writable {
            return;
        }
        let mut tx = self.new_tx(server);
        // It gets its number when it is committed.
        tx.number = 0;
        self.servers[server].prepared.push(tx);
        self.after(lasts, Happening::CommitPrepared { server, tx });
    }

    pub(crate) fn commit_prepared(&mut self, server: usize, mut tx: crate::server::Tx) {
        if !self.servers[server].works() || self.servers[server].disk_full {
            if self.now < 400 * SECOND {
                self.after(SECOND, Happening::CommitPrepared { server, tx });
            }
            return;
        }
        // A copy of another server has none.
        if !self.servers[server].prepared.iter().any(|other| other.id == tx.id) {
            return;
        }
        self.servers[server].prepared.retain(|other| other.id != tx.id);
        tx.number = self.servers[server].next_number();
        self.servers[server].log_it(tx);
        self.servers[server].commit(tx);
        self.history.tell(self.now, || format!("an XA branch is committed on server {server} as {}", tx.id));
        self.pump_all();
    }
}
