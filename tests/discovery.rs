//! What real servers say of each other, read as the monitor will read it.
//!
//! Servers are asked as root through their sockets: what the control account must be granted is in docs/grants.md.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, TcpListener};
use std::time::{Duration, Instant};

use headgate::lab::{Builder, Cluster, Flavor, Node};
use headgate::probing::discovery::{Policy, Roster, Standing, Word, queries};
use headgate::probing::errant::{ErrantWatch, Executed, Reign};
use headgate::probing::family::group::{View, leader, members};
use headgate::probing::family::{Family, Kin, MemberState};
use headgate::probing::{Identity, Judgement, Known, Observation, Past, Replication, judge_after, survey};
use headgate::topology::{self, Address, NotServing, ServerId, ServerState};
use headgate::wire::answer::Answer;

const PATIENCE: Duration = Duration::from_secs(20);

#[allow(clippy::disallowed_methods, reason = "these tests watch real servers in real time")]
fn now() -> Instant {
    Instant::now()
}

fn flavor(node: &Node) -> topology::Flavor {
    match node.flavor() {
        Flavor::MySql => topology::Flavor::MySql,
        Flavor::MariaDb => topology::Flavor::MariaDb,
    }
}

/// The answer to the first of some questions that is not refused; empty where all are.
async fn ask(node: &Node, questions: &[&str]) -> Answer {
    for question in questions {
        if let Ok(rows) = node.sql(*question).await {
            let columns = rows.first().map(|row| row.columns().to_vec()).unwrap_or_default();
            let rows = rows.iter().map(|row| row.values().to_vec()).collect();
            return Answer { columns, rows, ..Answer::default() };
        }
    }
    Answer::default()
}

async fn value(node: &Node, question: &str) -> String {
    let rows = node.sql(question).await.unwrap();
    rows.first().and_then(|row| row.at(0)).unwrap_or_default().replace('\n', "")
}

async fn channels(node: &Node) -> Vec<Replication> {
    Replication::read(&ask(node, &["SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS"]).await)
}

async fn word(node: &Node) -> Word {
    let answer = ask(node, &[&queries::variables()]).await;
    let pair = |row: &Vec<Option<String>>| Some((row[0].clone()?.to_ascii_lowercase(), row[1].clone()?));
    let variables: BTreeMap<String, String> = answer.rows.iter().filter_map(pair).collect();
    let mut word = Word::read(flavor(node), &variables).unwrap();
    word.sources = channels(node).await;
    let replicas = ask(node, &queries::REPLICAS).await;
    word.followers = survey::followers(&replicas, &ask(node, queries::dumps(flavor(node))).await);
    if matches!(word.family, Family::Group { .. }) {
        word.members = members(&ask(node, &[queries::MEMBERS]).await);
    }
    word
}

/// Every address that leads to a node: its own, its link's, and for the primary those of its replicas' links.
fn places(cluster: &Cluster) -> HashMap<String, &Node> {
    let mut places = HashMap::new();
    for node in cluster.nodes() {
        places.insert(node.address().to_string(), node);
        places.insert(node.direct_address().to_string(), node);
        if let Ok(link) = node.replication_link() {
            places.insert(link.address().to_string(), cluster.primary());
        }
    }
    places
}

fn inside(ip: IpAddr) -> bool {
    ip.is_loopback()
}

/// Asks until so many servers are known, and nothing changes any more.
async fn discovered(cluster: &Cluster, first: &Node, count: usize) -> Roster {
    let places = places(cluster);
    let first: Address = first.address().to_string().parse().unwrap();
    let mut roster = Roster::new(Policy { forget_after: PATIENCE, most: 8 }, &[first]);
    let (end, mut quiet) = (now() + PATIENCE, 0);
    while now() < end && quiet < 3 {
        let asked: Vec<_> =
            roster.entries().iter().map(|entry| (entry.id, entry.address.to_string())).collect();
        for (id, address) in asked {
            let said = match places.get(&address) {
                Some(node) => Some(word(node).await),
                None => None,
            };
            roster.hear(id, said, now());
        }
        let changes = roster.step(&inside, now());
        let known = roster.entries().iter().filter(|entry| entry.standing == Standing::Member).count();
        quiet = if changes.is_empty() && known == count { quiet + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    roster
}

async fn judged(cluster: &Cluster, roster: &Roster, through: &HashMap<ServerId, ServerId>) -> Judgement {
    let places = places(cluster);
    let mut seen = Vec::new();
    for entry in roster.entries() {
        let node = places[&entry.address.to_string()];
        let identity = headgate::probing::queries::identity(flavor(node));
        seen.push(Observation {
            identity: Identity::read(&ask(node, &[identity]).await).unwrap(),
            channels: channels(node).await,
            defaults: BTreeMap::new(),
            max_connections: None,
            kin: Kin::default(),
            executed: None,
        });
    }
    let known = |(entry, seen): (&'_ headgate::probing::discovery::Entry, &'_ Observation)| {
        (entry.id, entry.address.clone(), seen.clone())
    };
    let known: Vec<_> = roster.entries().iter().zip(&seen).map(known).collect();
    let known: Vec<Known<'_>> = known
        .iter()
        .map(|(id, address, seen)| Known { id: *id, address, identity: Some(&seen.identity), now: Ok(seen) })
        .collect();
    judge_after(&known, Past { reigning: None, through, discovers: true })
}

async fn start(builder: Builder) -> Cluster {
    builder.start().await.unwrap()
}

/// Replica 2 follows replica 1. Only replica 2 is known at first.
async fn a_chain_is_found_from_its_end(flavor: Flavor) {
    let cluster = start(Cluster::builder(flavor)).await;
    let [middle, last] = cluster.replicas() else { panic!("two replicas") };
    let at = middle.address();
    let change = match flavor {
        Flavor::MySql => {
            format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST='{}', SOURCE_PORT={}", at.ip(), at.port())
        }
        Flavor::MariaDb => format!("CHANGE MASTER TO MASTER_HOST='{}', MASTER_PORT={}", at.ip(), at.port()),
    };
    for statement in ["STOP REPLICA", &change, "START REPLICA"] {
        last.sql(statement).await.unwrap();
    }
    // The old source lists it for a while, so its listing must do no harm either.
    let roster = discovered(&cluster, last, 3).await;
    let places = places(&cluster);
    let named = |entry: &headgate::probing::discovery::Entry| places[&entry.address.to_string()].name();
    let names: BTreeSet<&str> = roster.entries().iter().map(named).collect();
    assert_eq!(names, ["primary", "replica-1", "replica-2"].into(), "{:?}", roster.entries());
    assert_eq!(roster.entries().len(), 3, "each once: {:?}", roster.entries());
    let id = |node: &Node| {
        let entry = roster.entries().iter().find(|entry| named(entry) == node.name());
        entry.unwrap().id
    };
    let judgement = judged(&cluster, &roster, &HashMap::new()).await;
    assert_eq!(judgement.primary, Ok(id(cluster.primary())));
    assert_eq!(judgement.states[&id(middle)], ServerState::Replica);
    assert_eq!(judgement.states[&id(last)], ServerState::Replica);
    assert_eq!(judgement.through, [(id(last), id(middle))].into());
    middle.sql("STOP REPLICA SQL_THREAD").await.unwrap();
    let judgement = judged(&cluster, &roster, &judgement.through).await;
    let state = &judgement.states[&id(last)];
    assert!(matches!(state, ServerState::NotServing(NotServing::ChainBroken { .. })), "{state:?}");
}

#[tokio::test]
async fn a_chain_of_mysql_is_found_from_its_end() {
    a_chain_is_found_from_its_end(Flavor::MySql).await;
}

#[tokio::test]
async fn a_chain_of_mariadb_is_found_from_its_end() {
    a_chain_is_found_from_its_end(Flavor::MariaDb).await;
}

async fn executed(node: &Node) -> Executed {
    match node.flavor() {
        Flavor::MySql => Executed::MySql(value(node, "SELECT @@GLOBAL.gtid_executed").await.parse().unwrap()),
        Flavor::MariaDb => {
            Executed::MariaDb(value(node, "SELECT @@GLOBAL.gtid_binlog_state").await.parse().unwrap())
        }
    }
}

async fn what_a_replica_wrote_itself_is_named(flavor: Flavor) {
    let cluster = start(Cluster::builder(flavor).replicas(1)).await;
    let (primary, replica) = (cluster.primary(), &cluster.replicas()[0]);
    let mut reign = Reign { server_ids: [primary.server_id()].into(), ..Reign::default() };
    if flavor == Flavor::MySql {
        reign.uuids.insert(value(primary, "SELECT @@GLOBAL.server_uuid").await);
    }
    let mut watch = ErrantWatch::default();
    let id = ServerId(1);
    primary.sql("CREATE DATABASE before_it").await.unwrap();
    for _ in 0..4 {
        let own = executed(replica).await;
        assert_eq!(watch.observe(id, &own, &executed(primary).await, &reign), None);
    }
    if flavor == Flavor::MySql {
        replica.sql("SET GLOBAL super_read_only = OFF").await.unwrap();
    }
    replica.sql("CREATE DATABASE of_its_own").await.unwrap();
    let own = executed(replica).await;
    let errant = watch.observe(id, &own, &executed(primary).await, &reign).unwrap().to_string();
    // The primary goes on, and on MariaDB passes the number that the replica has used.
    primary.sql("CREATE DATABASE after_it").await.unwrap();
    primary.sql("CREATE DATABASE after_that").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let own = executed(replica).await;
    let still = watch.observe(id, &own, &executed(primary).await, &reign).unwrap().to_string();
    assert_eq!(still, errant);
    match flavor {
        Flavor::MySql => {
            assert_eq!(errant, format!("{}:1", value(replica, "SELECT @@GLOBAL.server_uuid").await))
        }
        Flavor::MariaDb => assert!(errant.starts_with("0-2-"), "{errant}"),
    }
}

#[tokio::test]
async fn what_a_replica_of_mysql_wrote_itself_is_named() {
    what_a_replica_wrote_itself_is_named(Flavor::MySql).await;
}

#[tokio::test]
async fn what_a_replica_of_mariadb_wrote_itself_is_named() {
    what_a_replica_wrote_itself_is_named(Flavor::MariaDb).await;
}

#[tokio::test]
async fn a_replication_group_names_its_primary() {
    let cluster = start(
        Cluster::builder(Flavor::MySql).replicas(0).server_option("plugin-load-add=group_replication.so"),
    )
    .await;
    let node = cluster.primary();
    assert_eq!(word(node).await.family, Family::Replication, "loaded is not configured");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for statement in [
        "SET GLOBAL group_replication_group_name='aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa'".to_owned(),
        format!("SET GLOBAL group_replication_local_address='{free}'"),
        "SET GLOBAL group_replication_bootstrap_group=ON".to_owned(),
    ] {
        node.sql(statement).await.unwrap();
    }
    let offline = word(node).await;
    assert_eq!(offline.members[0].state, MemberState::Offline);
    let uuid = offline.who.uuid.clone();
    let view = |word: &Word| {
        leader(&[View { by: &uuid, members: &word.members }], &BTreeSet::new()).map(str::to_owned)
    };
    assert!(view(&offline).is_err());
    node.sql("START GROUP_REPLICATION").await.unwrap();
    let end = now() + PATIENCE;
    let mut said = word(node).await;
    while view(&said).is_err() && now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        said = word(node).await;
    }
    assert_eq!(view(&said), Ok(uuid.clone()));
    assert_eq!(said.members[0].address, node.address().to_string().parse().ok());
    node.sql("STOP GROUP_REPLICATION").await.unwrap();
}
