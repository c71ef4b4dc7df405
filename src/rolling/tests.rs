//! A rolling restart, from the first drain to the last, and what stops it.

#![allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]

use std::time::{Duration, Instant};

use super::*;
use crate::topology::{Epoch, ServerId};

const IDS: [ServerId; 3] = [ServerId(0), ServerId(1), ServerId(2)];

/// A primary and two replicas that do as they are told.
struct Cluster {
    look: Look,
    now: Instant,
    rolling: Rolling,
    orders: Vec<Order>,
}

impl Cluster {
    fn new() -> Self {
        let seen =
            |server| Seen { server, run: Some(1), answers: true, well: Ok(()), drained: false, in_use: 2 };
        let look = Look {
            at_rest: true,
            epoch: Epoch(1),
            primary: Some(IDS[0]),
            candidates: vec![IDS[2], IDS[1]],
            servers: IDS.map(seen).to_vec(),
        };
        let now = Instant::now();
        let rolling = Rolling::begin(now, &look).unwrap();
        Self { look, now, rolling, orders: Vec::new() }
    }

    fn of(&mut self, server: u16) -> &mut Seen {
        self.look.servers.iter_mut().find(|seen| seen.server == ServerId(server)).unwrap()
    }

    fn tell(&mut self, event: Event) {
        self.now += Duration::from_millis(250);
        self.orders.extend(self.rolling.step(self.now, event));
    }

    fn look(&mut self) {
        self.tell(Event::Look(self.look.clone()));
    }

    /// Carries out what was ordered.
    fn obey(&mut self) {
        match *self.orders.last().unwrap() {
            Order::Drain(server) => self.of(server.0).drained = true,
            Order::Undrain(server) => self.of(server.0).drained = false,
            Order::SwitchOver { to } => {
                (self.look.primary, self.look.epoch) = (Some(to), Epoch(2));
                self.look.candidates.retain(|server| *server != to);
            }
        }
        self.tell(Event::Obeyed(Ok(())));
    }

    fn stage(&self, at: usize) -> Stage {
        self.rolling.steps()[at].stage
    }

    fn why(&self) -> &str {
        match self.rolling.outcome() {
            Some(Outcome::Stopped(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    /// From the drain that was just ordered to the next server.
    fn restart(&mut self, server: u16, at: usize) {
        assert_eq!(
            (self.stage(at), self.orders.last()),
            (Stage::Draining, Some(&Order::Drain(ServerId(server))))
        );
        self.look();
        self.obey();
        self.look();
        assert_eq!((self.stage(at), self.rolling.steps()[at].wanted()), (Stage::Draining, None));
        self.of(server).in_use = 0;
        self.look();
        assert_eq!(self.stage(at), Stage::Asked);
        assert!(self.rolling.steps()[at].wanted().is_some());
        self.look();
        (self.of(server).answers, self.of(server).well) = (false, Err("it is down".to_owned()));
        self.look();
        assert_eq!(self.stage(at), Stage::Asked);
        (self.of(server).answers, self.of(server).run) = (true, Some(2));
        self.look();
        self.look();
        assert_eq!(
            (self.stage(at), self.rolling.steps()[at].what.as_str()),
            (Stage::Returning, "it is down")
        );
        self.of(server).well = Ok(());
        for _ in 0..12 {
            self.look();
        }
        assert_eq!(self.orders.last(), Some(&Order::Drain(ServerId(server))), "not before it was steady");
        self.look();
        assert_eq!(self.orders.last(), Some(&Order::Undrain(ServerId(server))));
        self.obey();
        assert_eq!(self.stage(at), Stage::Done);
    }
}

#[test]
fn every_server_is_restarted_and_the_primary_last() {
    let mut cluster = Cluster::new();
    cluster.look();
    cluster.restart(1, 0);
    cluster.look();
    cluster.restart(2, 1);
    cluster.look();
    assert_eq!(cluster.orders.last(), Some(&Order::SwitchOver { to: IDS[2] }), "the best one");
    cluster.of(0).well = Err("it does not follow yet".to_owned());
    cluster.obey();
    cluster.look();
    assert_eq!(cluster.stage(2), Stage::SwitchingOver);
    cluster.of(0).well = Ok(());
    cluster.look();
    cluster.restart(0, 2);
    assert_eq!(cluster.rolling.outcome(), Some(&Outcome::Finished));
    assert_eq!(cluster.orders.len(), 7);
}

#[test]
fn it_does_not_begin_where_a_server_is_not_well() {
    let check = |change: fn(&mut Cluster), expected: &str| {
        let mut cluster = Cluster::new();
        change(&mut cluster);
        let why = Rolling::begin(cluster.now, &cluster.look).unwrap_err();
        assert!(why.contains(expected), "{why}");
    };
    check(|cluster| cluster.of(1).drained = true, "UNDRAIN it first");
    check(|cluster| cluster.of(2).well = Err("it is down".to_owned()), "server 2: it is down");
    check(|cluster| cluster.look.primary = None, "no primary");
    check(|cluster| cluster.look.at_rest = false, "under way");
    check(|cluster| cluster.look.servers.truncate(1), "no replica");
}

#[test]
fn the_next_one_waits_until_all_others_are_well() {
    let mut cluster = Cluster::new();
    cluster.of(2).well = Err("it is 9 s behind".to_owned());
    cluster.look();
    assert!(cluster.orders.is_empty());
    assert_eq!(cluster.rolling.steps()[0].what, "begins when server 2 is well: it is 9 s behind");
    cluster.of(2).well = Ok(());
    cluster.look();
    assert_eq!(cluster.orders, [Order::Drain(IDS[1])]);
}

#[test]
fn whatever_stops_it_puts_back_what_it_has_changed() {
    let check = |change: fn(&mut Cluster), expected: &str| {
        let mut cluster = Cluster::new();
        cluster.look();
        cluster.obey();
        cluster.look();
        change(&mut cluster);
        cluster.look();
        assert!(cluster.why().contains(expected), "{}", cluster.why());
        assert_eq!(cluster.orders, [Order::Drain(IDS[1]), Order::Undrain(IDS[1])]);
        cluster.look();
        cluster.tell(Event::Obeyed(Ok(())));
        assert_eq!(cluster.orders.len(), 2, "it is over");
    };
    check(|cluster| cluster.look.primary = Some(IDS[2]), "server 2 has become the primary");
    check(|cluster| cluster.look.epoch = Epoch(2), "another reign");
    check(|cluster| cluster.look.servers.truncate(2), "none of the servers");
    check(|cluster| cluster.of(1).drained = false, "was undrained");
    check(|cluster| cluster.tell(Event::Stop { by: "ops".to_owned() }), "ops has stopped it");
}

#[test]
fn a_switchover_is_tried_again_and_then_given_up() {
    let mut cluster = Cluster::new();
    cluster.look();
    cluster.restart(1, 0);
    cluster.look();
    cluster.restart(2, 1);
    for attempt in 1..=3 {
        for _ in 0..30 {
            cluster.look();
        }
        let tried = cluster.orders.iter().filter(|order| matches!(order, Order::SwitchOver { .. })).count();
        assert_eq!(tried, attempt);
        cluster.tell(Event::Obeyed(Err("transactions have not ended in time".to_owned())));
    }
    assert!(cluster.why().contains("switchover to server 2: transactions"), "{}", cluster.why());
    assert!(!matches!(cluster.orders.last(), Some(Order::Undrain(_))), "nothing was drained");
}
