//! Clusters that are found from one of their servers.

#![allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::probing::Replication;
use crate::probing::family::{Family, Member, MemberState};
use crate::probing::survey::Follower;
use crate::topology::{Address, Flavor, ServerId};

const MINUTE: Duration = Duration::from_secs(60);

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Server `number` of MySQL, or of MariaDB, which has no UUID. Its address is 10.0.0.number:3306.
fn word(flavor: Flavor, number: u64) -> Word {
    let mysql = flavor == Flavor::MySql;
    let mut variables: BTreeMap<String, String> =
        [("server_id", number.to_string()), ("hostname", format!("db{number}")), ("port", "3306".into())]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    if mysql {
        variables.insert("server_uuid".into(), format!("U{number}"));
    }
    Word::read(flavor, &variables).unwrap()
}

fn uuid(flavor: Flavor, number: u64) -> String {
    if flavor == Flavor::MySql { format!("u{number}") } else { String::new() }
}

fn follower(flavor: Flavor, number: u64, at: Option<&str>) -> Follower {
    Follower { address: at.map(address), hosts: Vec::new(), uuid: uuid(flavor, number), server_id: number }
}

fn source(flavor: Flavor, number: u64, at: &str) -> Replication {
    Replication {
        source: at.to_owned(),
        source_uuid: uuid(flavor, number),
        source_server_id: number,
        ..Replication::default()
    }
}

fn at(number: u64) -> String {
    format!("10.0.0.{number}:3306")
}

fn private(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10)
}

/// What one server alone tells of others: where, why, and whether they may be asked.
fn told(word: &Word, places: &Places) -> Vec<(String, String, May)> {
    let one = address(&at(1));
    let listed = Listed { address: &one, word: Some(word), claim: None, tells: true, heads: false };
    let found = discover(&[listed], places, &private);
    let evidence =
        |found: &Found| found.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let text = |found: &Found| {
        let address = found.address.as_ref().map(ToString::to_string).unwrap_or_default();
        (address, evidence(found), found.may.clone())
    };
    found.iter().map(text).collect()
}

fn asked(ip: &str) -> May {
    May::Ask([ip.parse().unwrap()].into())
}

#[test]
fn a_server_tells_of_its_replicas_and_of_its_source() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let mut middle = word(flavor, 1);
        middle.followers = vec![follower(flavor, 3, Some("10.0.0.3:3306"))];
        middle.sources = vec![source(flavor, 2, "10.0.0.2:3307")];
        let expected = vec![
            ("10.0.0.2:3307".to_owned(), "10.0.0.1:3306 follows it".to_owned(), asked("10.0.0.2")),
            ("10.0.0.3:3306".to_owned(), "it follows 10.0.0.1:3306".to_owned(), asked("10.0.0.3")),
        ];
        assert_eq!(told(&middle, &Places::default()), expected);
    }
}

#[test]
fn members_of_a_group_tell_of_each_other() {
    let mut one = word(Flavor::MySql, 1);
    one.family = Family::Group { name: "g".into() };
    let member = |number: u64, state| Member {
        uuid: format!("u{number}"),
        address: at(number).parse().ok(),
        state,
        primary: number == 1,
    };
    one.members = vec![
        member(1, MemberState::Online),
        member(2, MemberState::Recovering),
        member(3, MemberState::Error),
    ];
    let expected = (at(2), "it is in the replication group of 10.0.0.1:3306".to_owned(), asked("10.0.0.2"));
    assert_eq!(told(&one, &Places::default()), [expected]);
}

#[test]
fn what_may_not_be_asked_says_why() {
    let check = |host: Option<&str>, places: &Places, expected: May| {
        let mut one = word(Flavor::MySql, 1);
        one.followers = vec![follower(Flavor::MySql, 2, host)];
        let found = told(&one, places);
        assert_eq!(found.iter().map(|(_, _, may)| may).collect::<Vec<_>>(), [&expected], "{host:?}");
    };
    let none = Places::default();
    check(None, &none, May::Not(Doubt::NoAddress));
    let outside: IpAddr = "192.0.2.7".parse().unwrap();
    check(Some("192.0.2.7:3306"), &none, May::Not(Doubt::Outside { address: outside }));
    check(Some("db2:3306"), &none, May::LookUp("db2".into()));
    let mut places = Places::default();
    let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<BTreeSet<IpAddr>>();
    places.looked_up("db2", Ok(ips(&["::ffff:10.0.0.2"])));
    check(Some("db2:3306"), &places, asked("10.0.0.2"));
    places.looked_up("db2", Ok(ips(&["10.0.0.2", "192.0.2.7"])));
    check(Some("db2:3306"), &places, May::Not(Doubt::Outside { address: outside }));
    places.looked_up("db2", Err("no such name".into()));
    check(Some("db2:3306"), &places, May::Not(Doubt::NoSuchHost { problem: "no such name".into() }));
    // Another server is known at that address.
    check(Some("10.0.0.1:3306"), &none, May::Not(Doubt::Another));
    let mut replica = word(Flavor::MySql, 1);
    replica.sources = vec![Replication { source: at(2), ..Replication::default() }];
    assert_eq!(told(&replica, &none)[0].2, May::Not(Doubt::Unidentified));
}

#[test]
fn a_server_told_of_under_two_addresses_is_found_once() {
    let places = Places::default();
    let (one, three) = (address(&at(1)), address(&at(3)));
    let (mut primary, mut replica) = (word(Flavor::MySql, 1), word(Flavor::MySql, 3));
    primary.followers = vec![follower(Flavor::MySql, 2, Some("192.0.2.2:3306"))];
    replica.sources = vec![source(Flavor::MySql, 2, "10.0.0.2:3306")];
    let listed = |address, word| Listed { address, word: Some(word), claim: None, tells: true, heads: false };
    let found = discover(&[listed(&one, &primary), listed(&three, &replica)], &places, &private);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].address, Some(address(&at(2))), "the one that may be used");
    assert_eq!(found[0].evidence.len(), 2);
}

#[test]
fn an_answer_must_be_of_the_server_that_was_told_of() {
    let check = |flavor, answered: &Word, expected: Result<(), Doubt>| {
        let mut one = word(flavor, 1);
        one.followers = vec![follower(flavor, 2, Some("10.0.0.2:3306"))];
        let address = address(&at(1));
        let listed = Listed { address: &address, word: Some(&one), claim: None, tells: true, heads: false };
        let found = discover(&[listed], &Places::default(), &private);
        assert_eq!(found[0].confirm(answered), expected);
    };
    let (mysql, mariadb) = (Flavor::MySql, Flavor::MariaDb);
    check(mysql, &word(mysql, 2), Ok(()));
    check(mysql, &word(mysql, 3), Err(Doubt::Another));
    check(mariadb, &word(mariadb, 3), Err(Doubt::Another));
    check(mariadb, &word(mariadb, 2), Err(Doubt::NotMutual));
    check(mariadb, &word(mysql, 2), Err(Doubt::Unidentified));
    let mut follows = word(mariadb, 2);
    follows.sources = vec![source(mariadb, 1, "10.0.0.1:3306")];
    check(mariadb, &follows, Ok(()));
}

/// A cluster of real words: server n is at 10.0.0.n, or nowhere.
struct Stage {
    roster: Roster,
    words: BTreeMap<String, Word>,
    now: Instant,
}

impl Stage {
    fn new(fixed: &[&str], words: Vec<(&str, Word)>) -> Self {
        let policy = Policy { forget_after: MINUTE, most: 8 };
        let fixed: Vec<Address> = fixed.iter().map(|text| address(text)).collect();
        let words = words.into_iter().map(|(at, word)| (at.to_owned(), word)).collect();
        Self { roster: Roster::new(policy, &fixed), words, now: Instant::now() }
    }

    /// Everybody is asked, a minute's quarter later, and conclusions are drawn.
    fn round(&mut self) -> Vec<Change> {
        self.now += MINUTE / 4;
        let asked: Vec<_> =
            self.roster.entries().iter().map(|entry| (entry.id, entry.address.to_string())).collect();
        for (id, address) in asked {
            self.roster.hear(id, self.words.get(&address).cloned(), self.now);
        }
        self.roster.step(&private, self.now)
    }

    fn settle(&mut self) {
        for _ in 0..6 {
            self.round();
        }
    }

    /// Who is known, and in what standing.
    fn known(&self) -> Vec<(String, Standing)> {
        self.roster
            .entries()
            .iter()
            .map(|entry| (entry.address.to_string(), entry.standing.clone()))
            .collect()
    }

    fn members(&self) -> Vec<String> {
        let used = self.known().into_iter().filter(|(_, standing)| *standing == Standing::Member);
        used.map(|(address, _)| address).collect()
    }
}

/// 1 is followed by 2, and 2 by 3.
fn chain(flavor: Flavor) -> Vec<(&'static str, Word)> {
    let (mut one, mut two, mut three) = (word(flavor, 1), word(flavor, 2), word(flavor, 3));
    one.followers = vec![follower(flavor, 2, Some("10.0.0.2:3306"))];
    two.followers = vec![follower(flavor, 3, Some("10.0.0.3:3306"))];
    two.sources = vec![source(flavor, 1, "10.0.0.1:3306")];
    three.sources = vec![source(flavor, 2, "10.0.0.2:3306")];
    vec![("10.0.0.1:3306", one), ("10.0.0.2:3306", two), ("10.0.0.3:3306", three)]
}

#[test]
fn a_cluster_is_found_from_any_of_its_servers() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        for first in 1..=3 {
            let mut stage = Stage::new(&[&at(first)], chain(flavor));
            stage.settle();
            let members: BTreeSet<String> = stage.members().into_iter().collect();
            assert_eq!(members, (1..=3).map(at).collect(), "{flavor:?} from {first}");
        }
    }
}

#[test]
fn one_server_under_two_addresses_is_used_once() {
    let mut words = chain(Flavor::MariaDb);
    words.push(("db1:3306", words[0].1.clone()));
    let mut stage = Stage::new(&["db1:3306", "10.0.0.1:3306"], words);
    stage.settle();
    let same = Standing::Doubted(Doubt::SameAs { address: address("db1:3306") });
    assert_eq!(stage.known()[1], (at(1), same), "the configuration's stays, and says why it serves nothing");
    assert_eq!(stage.members().len(), 3);
}

#[test]
fn a_copy_with_its_originals_name_is_not_used() {
    let mut words = chain(Flavor::MySql);
    let mut copy = words[1].1.clone();
    copy.who.host = "db9".into();
    words.push(("10.0.0.9:3306", copy));
    let mut stage = Stage::new(&["10.0.0.2:3306", "10.0.0.9:3306"], words);
    stage.settle();
    let twin = Standing::Doubted(Doubt::Twin { of: address(&at(2)) });
    assert_eq!(stage.known()[1], (at(9), twin));
}

#[test]
fn a_server_that_is_gone_is_forgotten_and_one_of_the_configuration_is_not() {
    let mut stage = Stage::new(&["10.0.0.1:3306", "10.0.0.8:3306"], chain(Flavor::MySql));
    stage.settle();
    stage.words.remove("10.0.0.3:3306");
    stage.settle();
    assert!(stage.members().contains(&at(3)), "somebody still names it");
    stage.words.get_mut("10.0.0.2:3306").unwrap().followers.clear();
    let changes: Vec<Change> = (0..6).flat_map(|_| stage.round()).collect();
    let gone = Change::Remove { id: ServerId(3), address: address(&at(3)), why: None };
    assert_eq!(changes, [gone]);
    assert_eq!(stage.known()[1], (at(8), Standing::Unheard));
    // Whoever comes back is somebody new.
    stage.words = chain(Flavor::MySql).into_iter().map(|(at, word)| (at.to_owned(), word)).collect();
    stage.settle();
    assert_eq!(stage.roster.entries().last().map(|entry| entry.id), Some(ServerId(4)));
}

#[test]
fn who_was_confirmed_stays_when_the_one_who_told_is_gone() {
    let mut stage = Stage::new(&["10.0.0.1:3306"], chain(Flavor::MySql));
    stage.settle();
    stage.words.remove("10.0.0.1:3306");
    stage.settle();
    assert_eq!(stage.members().len(), 3);
    // Somebody else at that address is not believed.
    stage.words.insert(at(3), word(Flavor::MySql, 7));
    stage.settle();
    assert_eq!(stage.known()[2], (at(3), Standing::Doubted(Doubt::Another)));
    // Until the server that it follows tells of it.
    let two = stage.words.get_mut("10.0.0.2:3306").unwrap();
    two.followers = vec![follower(Flavor::MySql, 7, Some("10.0.0.3:3306"))];
    stage.settle();
    assert_eq!(stage.known()[2], (at(3), Standing::Member));
}

#[test]
fn a_silent_address_gives_way_to_another_of_the_same_server() {
    let mut words = chain(Flavor::MySql);
    words[0].1.followers = vec![follower(Flavor::MySql, 2, Some("10.9.9.9:3306"))];
    let mut stage = Stage::new(&["10.0.0.1:3306", "10.0.0.3:3306"], words);
    stage.settle();
    let known: Vec<String> = stage.known().into_iter().map(|(address, _)| address).collect();
    assert_eq!(known, [at(1), at(3), at(2)]);
}

#[test]
fn names_are_looked_up_before_anybody_is_asked_and_again() {
    let mut words = chain(Flavor::MySql);
    words[0].1.followers = vec![follower(Flavor::MySql, 2, Some("db2:3306"))];
    words.push(("db2:3306", words[1].1.clone()));
    let mut stage = Stage::new(&["10.0.0.1:3306"], words);
    assert_eq!(stage.round(), [Change::Stands(ServerId(0)), Change::LookUp("db2".into())]);
    stage.roster.looked_up("db2", Ok(["192.0.2.2".parse().unwrap()].into()));
    assert_eq!(stage.round(), []);
    assert_eq!(stage.roster.names(), &["db2".to_owned()].into());
    stage.roster.looked_up("db2", Ok(["10.0.0.2".parse().unwrap()].into()));
    assert_eq!(stage.round(), [Change::Add(ServerId(1))]);
    stage.settle();
    assert_eq!(stage.members(), [at(1), "db2:3306".to_owned(), at(3)]);
    // The name leads elsewhere now: nobody is to be asked there.
    stage.roster.looked_up("db2", Ok(["192.0.2.2".parse().unwrap()].into()));
    stage.round();
    assert_eq!(stage.roster.entries()[1].at, [].into());
}

#[test]
fn there_is_a_most() {
    let mut one = word(Flavor::MySql, 1);
    one.followers = (2..30).map(|n| follower(Flavor::MySql, n, Some(&at(n)))).collect();
    let mut stage = Stage::new(&["10.0.0.1:3306"], vec![("10.0.0.1:3306", one)]);
    stage.settle();
    assert_eq!(stage.roster.entries().len(), 8);
    assert!(stage.roster.rejected().iter().all(|found| found.may == May::Not(Doubt::TooMany)));
}

/// What servers may say: each of a few follows any, under any of three addresses, one of them outside.
fn words(flavor: Flavor) -> impl Strategy<Value = Vec<Word>> {
    let place = |number: u64, net: u8| match net {
        0 => Some(format!("10.0.0.{number}:3306")),
        1 => Some(format!("10.0.1.{number}:3306")),
        2 => Some(format!("192.0.2.{number}:3306")),
        _ => None,
    };
    let told = move |(number, sources, followers, members): (u64, Leads, Leads, Leads)| {
        let mut word = word(flavor, number);
        let source = |(n, net): &(u64, u8)| Some(source(flavor, *n, &place(*n, *net)?));
        word.sources = sources.iter().filter_map(source).collect();
        let follower = |(n, net): &(u64, u8)| follower(flavor, *n, place(*n, *net).as_deref());
        word.followers = followers.iter().map(follower).collect();
        let member = |(n, net): &(u64, u8)| Member {
            uuid: format!("u{n}"),
            address: place(*n, *net).map(|text| address(&text)),
            state: MemberState::Online,
            primary: false,
        };
        word.members = members.iter().filter(|_| flavor == Flavor::MySql).map(member).collect();
        word
    };
    let others = || proptest::collection::vec((1_u64..9, 0_u8..4), 0..4);
    proptest::collection::vec((1_u64..9, others(), others(), others()).prop_map(told), 1..6)
}

/// Numbers of servers, and which of their addresses is told.
type Leads = Vec<(u64, u8)>;

fn flavors() -> impl Strategy<Value = Flavor> {
    prop_oneof![Just(Flavor::MySql), Just(Flavor::MariaDb)]
}

proptest! {
    #[test]
    fn discovery_does_not_depend_on_order_and_stays_inside(
        words in flavors().prop_flat_map(words),
        turn in 0_usize..6,
    ) {
        let addresses: Vec<Address> = words.iter().map(|word| address(&at(word.who.server_id))).collect();
        let listed = |(word, address)| Listed { address, word: Some(word), claim: None, tells: true, heads: false };
        let mut known: Vec<Listed<'_>> = words.iter().zip(&addresses).map(listed).collect();
        let places = Places::default();
        let found = discover(&known, &places, &private);
        known.rotate_left(turn % words.len());
        prop_assert_eq!(&found, &discover(&known, &places, &private));
        known.reverse();
        prop_assert_eq!(&found, &discover(&known, &places, &private));
        let names: BTreeSet<_> =
            found.iter().map(|found| (&found.claim.uuid, found.claim.server_id * u64::from(found.claim.uuid.is_empty()))).collect();
        prop_assert_eq!(names.len(), found.len(), "each once");
        for found in &found {
            prop_assert!(!known.iter().any(|listed| listed.word.is_some_and(|word| found.claim.is(&word.who))));
            if let May::Ask(ips) = &found.may {
                prop_assert!(ips.iter().all(|ip| private(*ip)));
            }
        }
    }

    #[test]
    fn a_roster_never_uses_a_server_twice_and_never_one_outside(
        rounds in flavors().prop_flat_map(|flavor| proptest::collection::vec(words(flavor), 1..6)),
        alias in 0_u8..2,
    ) {
        let mut stage = Stage::new(&["10.0.1.1:3306", "10.0.0.1:3306", "10.0.0.2:3306"], Vec::new());
        for words in rounds {
            // Every server answers under both of its addresses inside, or under one.
            let under = |word: Word| {
                let id = word.who.server_id;
                let one = (format!("10.0.0.{id}:3306"), word.clone());
                [Some(one), (alias == 1).then_some((format!("10.0.1.{id}:3306"), word))]
            };
            stage.words = words.into_iter().flat_map(under).flatten().collect();
            for _ in 0..4 {
                stage.round();
                let entries = stage.roster.entries();
                let used: Vec<&Entry> =
                    entries.iter().filter(|entry| entry.standing == Standing::Member).collect();
                let words: Vec<&Who> = used
                    .iter()
                    .filter_map(|entry| stage.words.get(&entry.address.to_string()))
                    .map(|word| &word.who)
                    .collect();
                for (at, who) in words.iter().enumerate() {
                    prop_assert!(words.iter().skip(at + 1).all(|other| who.compare(other) == Likeness::Other));
                }
                let found = entries.iter().filter(|entry| entry.origin == Origin::Found);
                for entry in found {
                    prop_assert!(entry.at.iter().all(|ip| private(*ip)) && !entry.at.is_empty());
                }
                let ids: BTreeSet<ServerId> = entries.iter().map(|entry| entry.id).collect();
                prop_assert_eq!(ids.len(), entries.len());
            }
        }
    }
}
