//! What can be said of parts in a table. What the whole does under faults is in `tests/election`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const OTHER: &str = "9e11fa47-71ca-11e1-9e33-c80aa9429562";

#[allow(clippy::disallowed_methods, reason = "an Instant has no literal")]
fn start() -> Instant {
    Instant::now()
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn set(text: &str) -> Transactions {
    Transactions::MySql(text.replace('o', OTHER).replace('u', UUID).parse().unwrap())
}

fn report(received: &str) -> Report {
    Report {
        origin: OTHER.to_owned(),
        run: 1,
        version: 80_400,
        writable: false,
        channel: Some(Channel {
            source: Some(ServerId(0)),
            receiver: Receiver::Running,
            applier: true,
            heartbeats: 1,
        }),
        executed: set(received),
        received: set(received),
        purged: set(""),
        logs: true,
        filtered: false,
        prepared: Vec::new(),
    }
}

fn primary(executed: &str) -> Report {
    Report { origin: UUID.to_owned(), writable: true, channel: None, ..report(executed) }
}

/// Ranks servers 1, 2, … Of the primary `u:1-100` was seen.
#[track_caller]
fn check_rank(reports: &[Report], order: &[u16], rejected: &[(u16, Rejection)]) {
    let seen = set("u:1-100");
    let standings: BTreeMap<ServerId, Standing<'_>> =
        (1..).map(ServerId).zip(reports.iter().map(|report| Standing { report, barred: None })).collect();
    let ranking = rank(&standings, Lineage { origins: &[UUID], seen: Some(&seen) });
    assert_eq!(ranking.order, order.iter().copied().map(ServerId).collect::<Vec<_>>());
    let rejected: Vec<_> = rejected.iter().map(|(server, why)| (ServerId(*server), why.clone())).collect();
    assert_eq!(ranking.rejected, rejected);
}

#[test]
fn who_has_received_most_is_first() {
    let behind = |received: &str, executed: &str| Report { executed: set(executed), ..report(received) };
    check_rank(&[report("u:1-90"), report("u:1-95")], &[2, 1], &[]);
    check_rank(&[behind("u:1-95", "u:1-10"), report("u:1-94")], &[1, 2], &[]);
    check_rank(&[behind("u:1-95", "u:1-10"), report("u:1-95")], &[2, 1], &[]);
    check_rank(&[report("u:1-95"), report("u:1-95")], &[1, 2], &[]);
    // Semi-synchronous replicas have what the primary has not shown.
    check_rank(&[report("u:1-101"), report("u:1-100")], &[1, 2], &[]);
}

#[test]
fn against_some_something_stands() {
    let mut filtered = report("u:1-100");
    filtered.filtered = true;
    let mut silent = report("u:1-100");
    silent.logs = false;
    let newer = Report { version: 90_000, ..report("u:1-100") };
    let patched = Report { version: 80_411, ..report("u:1-100") };
    let mut stuck = Report { executed: set("u:1-50"), ..report("u:1-100") };
    stuck.channel.as_mut().unwrap().applier = false;
    let rest = report("u:1-50");
    check_rank(&[filtered, rest.clone()], &[2], &[(1, Rejection::Filtered)]);
    check_rank(&[silent, rest.clone()], &[2], &[(1, Rejection::NoBinaryLog)]);
    check_rank(&[newer, rest.clone()], &[2], &[(1, Rejection::NewerThan(ServerId(2)))]);
    check_rank(&[patched, rest.clone()], &[1, 2], &[]);
    check_rank(&[stuck, rest.clone()], &[2], &[(1, Rejection::ApplierStopped)]);
    check_rank(&[report("u:1-100,o:1"), rest], &[2], &[(1, Rejection::Errant(set("o:1")))]);
}

#[test]
fn purged_logs_count_only_where_nothing_is_lost_by_it() {
    let purged = |received: &str| Report { purged: set("u:1-60"), ..report(received) };
    let rejected = |server, needed_by| (server, Rejection::LogsPurged { needed_by: ServerId(needed_by) });
    check_rank(&[purged("u:1-90"), report("u:1-90"), report("u:1-50")], &[2, 3], &[rejected(1, 3)]);
    check_rank(&[purged("u:1-91"), report("u:1-90"), report("u:1-50")], &[1, 2, 3], &[]);
    check_rank(&[purged("u:1-90"), purged("u:1-90"), report("u:1-50")], &[1, 2, 3], &[]);
    check_rank(&[purged("u:1-90"), report("u:1-90"), report("u:1-60")], &[1, 2, 3], &[]);
}

/// A machine with a primary and two replicas, and a clock.
struct Fixture {
    machine: Machine,
    now: Instant,
}

impl Fixture {
    fn new(state: Option<State>) -> Self {
        let now = start();
        let servers = [ServerId(0), ServerId(1), ServerId(2)];
        Self { machine: Machine::restore(state, Rules::default(), &servers, now), now }
    }

    fn see(&mut self, server: u16, sight: Sight) -> Vec<Command> {
        let (server, asked) = (ServerId(server), self.now);
        self.machine.step(self.now, Event::Seen { server, asked, sight })
    }

    fn healthy() -> Self {
        let mut fixture = Self::new(None);
        let mut commands = Vec::new();
        for (server, report) in [(0, primary("u:1-10")), (1, report("u:1-10")), (2, report("u:1-10"))] {
            commands.extend(fixture.see(server, Sight::Answered(Box::new(report))));
        }
        fixture.fulfil(commands, |_| Ok(Done::Plainly));
        assert_eq!(fixture.machine.phase(), &Phase::Healthy);
        fixture
    }

    /// The primary refuses, and replicas see that they have no connection.
    fn kill(&mut self) -> Vec<Command> {
        let mut connecting = report("u:1-10");
        connecting.channel.as_mut().unwrap().receiver = Receiver::Connecting;
        let mut commands = Vec::new();
        for _ in 0..4 {
            self.now += ms(200);
            commands.extend(self.see(0, Sight::Trouble(Trouble::Refused)));
            commands.extend(self.see(1, Sight::Answered(Box::new(connecting.clone()))));
            commands.extend(self.see(2, Sight::Answered(Box::new(connecting.clone()))));
        }
        commands
    }

    fn answer(&mut self, command: &Command, outcome: Result<Done, Failure>) -> Vec<Command> {
        self.now += ms(1);
        let (id, epoch) = (command.id, command.epoch);
        self.machine.step(self.now, Event::Answered { id, epoch, outcome })
    }

    /// Answers commands and those that follow from that; tells all of them in order.
    fn fulfil(
        &mut self,
        mut commands: Vec<Command>,
        mut outcome: impl FnMut(&Action) -> Result<Done, Failure>,
    ) -> Vec<Action> {
        let mut done = Vec::new();
        while !commands.is_empty() {
            let command = commands.remove(0);
            if !matches!(command.action, Action::Alert(_)) {
                let outcome = outcome(&command.action);
                commands.extend(self.answer(&command, outcome));
            }
            done.push(command.action);
            assert!(done.len() < 100, "it goes on for ever: {done:?}");
        }
        done
    }
}

/// Servers that do as they are told.
fn obedient(action: &Action) -> Result<Done, Failure> {
    let told = |report: Report| Ok(Done::Report(Box::new(report)));
    match action {
        Action::HoldWrites { .. } => Ok(Done::Held { relayed: None }),
        Action::Promote { .. } => told(Report { writable: true, channel: None, ..report("u:1-10") }),
        Action::Follow { source, .. } => {
            let mut report = report("u:1-10");
            report.channel.as_mut().unwrap().source = Some(*source);
            told(report)
        }
        Action::StopReceiver { .. } | Action::DrainApplier { .. } => told(report("u:1-10")),
        Action::Fence { .. } => told(Report { writable: false, ..primary("u:1-10") }),
        Action::Unfence { .. } => told(primary("u:1-10")),
        _ => Ok(Done::Plainly),
    }
}

fn names(actions: &[Action]) -> Vec<String> {
    let name = |action: &Action| format!("{action:?}").split([' ', '(']).next().unwrap().to_owned();
    actions.iter().map(name).collect()
}

#[test]
fn a_failover_goes_step_by_step() {
    let mut fixture = Fixture::healthy();
    let commands = fixture.kill();
    let done = fixture.fulfil(commands, obedient);
    assert_eq!(
        names(&done),
        [
            "Save",
            "HoldWrites",
            "StopReceiver",
            "StopReceiver",
            "DrainApplier",
            "Save",
            "Promote",
            "RestoreSemiSync",
            "Follow",
            "Save",
            "Publish",
            "ReleaseWrites"
        ]
    );
    assert_eq!((fixture.machine.phase(), fixture.machine.epoch()), (&Phase::Cooldown, Epoch(2)));
    assert_eq!(fixture.machine.primary(), Some(ServerId(1)));
}

/// Clients wait for the first replica that follows, and for nobody else: an old primary may take a second to stop waiting for
/// acknowledgements.
#[test]
fn one_replica_that_follows_is_enough() {
    let mut fixture = Fixture::healthy();
    let wish = Event::Operator(Operator::Switchover { to: ServerId(1) });
    let mut commands = fixture.machine.step(fixture.now, wish);
    let mut done = Vec::new();
    while !commands.is_empty() {
        let command = commands.remove(0);
        if !matches!(command.action, Action::Follow { replica: ServerId(0), .. }) {
            commands.extend(fixture.answer(&command, obedient(&command.action)));
        }
        done.push(command.action);
    }
    let followed = |server| {
        let follows =
            |action: &Action| matches!(action, Action::Follow { replica, .. } if replica.0 == server);
        done.iter().any(follows)
    };
    assert!(followed(0) && followed(2), "{done:?}");
    assert!(done.contains(&Action::Publish { primary: ServerId(1) }), "{done:?}");
    assert_eq!(fixture.machine.phase(), &Phase::Healthy);
}

/// A receiver that is restarted to see what it gets is stopped first. Should Headgate end then, the next run knows.
#[test]
fn what_is_stopped_to_be_restarted_is_saved_first() {
    let mut fixture = Fixture::healthy();
    let mut commands = Vec::new();
    for _ in 0..2 {
        fixture.now += ms(50);
        commands.extend(fixture.see(0, Sight::Trouble(Trouble::Refused)));
        for replica in [1, 2] {
            commands.extend(fixture.see(replica, Sight::Answered(Box::new(report("u:1-10")))));
        }
    }
    let saved = matches!(&commands[..], [Command { action: Action::Save(state), .. }] if state.stopped);
    assert!(saved, "{commands:?}");
    let asked = fixture.answer(&commands.remove(0), Ok(Done::Plainly));
    let asked: Vec<Action> = asked.into_iter().map(|command| command.action).collect();
    assert_eq!(asked, [Action::RestartReceiver { replica: ServerId(1) }]);
}

/// Receivers that an earlier run had stopped and not started again are witnesses, once they are started.
#[test]
fn receivers_that_were_to_be_restarted_are_asked_again() {
    let state = State {
        epoch: Epoch(5),
        primary: ServerId(0),
        before: None,
        stage: Stage::Settled,
        stopped: true,
        cooling: false,
    };
    let mut fixture = Fixture::new(Some(state));
    let mut stopped = report("u:1-10");
    stopped.channel.as_mut().unwrap().receiver = Receiver::Stopped;
    let mut restarted = Vec::new();
    for _ in 0..4 {
        fixture.now += ms(200);
        let mut commands = fixture.see(0, Sight::Trouble(Trouble::Refused));
        for replica in [1, 2] {
            commands.extend(fixture.see(replica, Sight::Answered(Box::new(stopped.clone()))));
        }
        let done = fixture.fulfil(commands, |action| match action {
            Action::RestartReceiver { .. } => Ok(Done::Receiver { alive: false }),
            other => obedient(other),
        });
        restarted.extend(done.into_iter().filter(|action| matches!(action, Action::RestartReceiver { .. })));
    }
    let both = [1, 2].map(|replica| Action::RestartReceiver { replica: ServerId(replica) });
    assert_eq!(restarted, both, "{:?}", fixture.machine.phase());
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut fixture = Fixture::healthy();
    let commands = fixture.kill();
    let save = commands.last().unwrap().clone();
    assert!(matches!(save.action, Action::Save(_)), "{save:?}");
    for (id, epoch) in [(save.id, Epoch(0)), (save.id, Epoch(7)), (CommandId(save.id.0 + 1), save.epoch)] {
        let command = Command { id, epoch, ..save.clone() };
        assert_eq!(fixture.answer(&command, Ok(Done::Plainly)), [], "{id:?} {epoch:?}");
    }
    assert_ne!(fixture.answer(&save, Ok(Done::Plainly)), []);
    assert_eq!(fixture.answer(&save, Ok(Done::Plainly)), [], "it is answered twice");
}

#[test]
fn a_command_that_is_not_answered_has_failed_at_its_deadline() {
    let mut fixture = Fixture::healthy();
    let commands = fixture.kill();
    let deadline = commands.last().unwrap().deadline;
    assert!(fixture.machine.wake_at() <= deadline);
    fixture.now = deadline;
    fixture.machine.step(deadline, Event::Tick);
    assert!(
        matches!(fixture.machine.phase(), Phase::Blocked(Why::StateNotSaved(_))),
        "{:?}",
        fixture.machine.phase()
    );
}

#[test]
fn what_was_begun_is_gone_on_with() {
    let saved = |stage| State {
        epoch: Epoch(5),
        primary: ServerId(0),
        before: None,
        stage,
        stopped: false,
        cooling: false,
    };
    // The same candidate is promoted in the same epoch, and nobody else.
    let mut fixture = Fixture::new(Some(saved(Stage::Promoting { candidate: ServerId(2) })));
    let commands = fixture.machine.step(fixture.now, Event::Tick);
    let done = fixture.fulfil(commands, |action| match action {
        Action::Save(state) => {
            assert_eq!(state.epoch, Epoch(5));
            Ok(Done::Plainly)
        }
        action => obedient(action),
    });
    assert!(done.contains(&Action::Promote { server: ServerId(2) }));
    assert!(done.contains(&Action::Publish { primary: ServerId(2) }));

    // What can be undone is.
    let mut fixture = Fixture::new(Some(saved(Stage::Changing)));
    let mut commands = fixture.see(1, Sight::Answered(Box::new(report("u:1-10"))));
    commands
        .extend(fixture.see(0, Sight::Answered(Box::new(Report { writable: false, ..primary("u:1-10") }))));
    let done = fixture.fulfil(commands, obedient);
    assert_eq!(names(&done), ["Unfence", "Follow", "Save", "Publish", "ReleaseWrites"]);
    assert_eq!((fixture.machine.phase(), fixture.machine.epoch()), (&Phase::Healthy, Epoch(5)));
}

#[test]
fn nothing_is_sent_without_the_lease() {
    let mut fixture = Fixture::healthy();
    let commands = fixture.machine.step(fixture.now, Event::Leadership(None));
    assert!(commands.iter().all(|command| matches!(command.action, Action::Alert(_))), "{commands:?}");
    let commands = fixture.kill();
    assert_eq!(commands, []);
    assert_eq!(fixture.machine.phase(), &Phase::Blocked(Why::NotLeading));
}
