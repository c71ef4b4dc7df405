//! The servers.

use std::time::{Duration, Instant};

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::{View, ms};
use crate::gtid::Position;
use crate::runtime::clock;
use crate::topology::{KnownBy, Server, ServerState, Topology};

pub(super) static SERVERS: Table = Table {
    name: "servers",
    meaning: "The servers behind Headgate: what each is now, how Headgate came to know it, and why one serves nothing.",
    columns: &[
        column(
            "number",
            "Number",
            Kind::Integer,
            "In the order in which Headgate came to know them, from 0.",
        ),
        column("address", "Address", Kind::Text, "Where it is reached."),
        column("role", "Role", Kind::Text, "`primary`, `replica`, or `none` where it serves nothing."),
        column("state", "State", Kind::Text, "`serving`, `drained`, or why it serves nothing."),
        column("health", "Health", Kind::Text, "`up`, `suspect` or `down` (docs/servers.md)."),
        column("trouble", "Trouble", Kind::Text, "What is wrong, where it is not `up`."),
        column(
            "writes",
            "Writes",
            Kind::Text,
            "On the primary, `ok` or what is wrong with writes (`health.write_probe_table`); NULL where none is tried.",
        ),
        column(
            "lag_ms",
            "Lag (ms)",
            Kind::Integer,
            "So much later a transaction was on the replica than on the primary; NULL where that is not known.",
        ),
        column(
            "lag_age_ms",
            "Lag known for (ms)",
            Kind::Integer,
            "How long ago the replica was asked for that.",
        ),
        column(
            "dated_by",
            "Dated by",
            Kind::Text,
            "What tells how old its data is: `gtid_executed` of MySQL, `gtid_slave_pos` of MariaDB, beside the \
             primary's positions by Headgate's clock; NULL where nothing does.",
        ),
        column(
            "age_ms",
            "Data age (ms)",
            Kind::Integer,
            "A replica holds everything that was committed this long ago; NULL where that is not known.",
        ),
        column(
            "weight",
            "Weight",
            Kind::Integer,
            "How many reads it gets beside others (`servers.weights`).",
        ),
        column(
            "warmth",
            "Warm-up (%)",
            Kind::Integer,
            "So much of its weight counts by now; less than 100 while it comes back (`routing.warm_up`).",
        ),
        column("through", "Through", Kind::Text, "The replica that it follows, where it is not the primary."),
        column(
            "errant",
            "Errant",
            Kind::Text,
            "Transactions that it has and the primary has not, so that it could not take the primary's place.",
        ),
        column("known_by", "Known by", Kind::Text, "`listed`, `added` with ADD SERVER, or `discovered`."),
        column("evidence", "Evidence", Kind::Text, "Who told of one that was discovered."),
        column(
            "up_ms",
            "Answering for (ms)",
            Kind::Integer,
            "How long it has answered without a break; NULL while it does not.",
        ),
        column(
            "open",
            "Open",
            Kind::Integer,
            "Connections to it, in use and idle, Headgate's own not counted.",
        ),
        column("in_use", "In use", Kind::Integer, "Those of them that a client has at the moment."),
        column(
            "drained_ms",
            "Drained for (ms)",
            Kind::Integer,
            "How long ago DRAIN has taken it out of the reads; NULL where it is not drained.",
        ),
        column("allowed", "Allowed", Kind::Integer, "How many there may be by now (docs/pooling.md)."),
        column("idle", "Idle", Kind::Integer, "Those of the open ones that wait in a pool."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let topology = view.topology();
    let (now, warm_up) = (clock::now(), view.shared.live.load().policy.warm_up);
    topology.servers.iter().map(|server| row(server, view, &topology, warm_up, now)).collect()
}

/// Whether a server serves, and what keeps it from that. So many connections to it are in use.
pub(in crate::admin) fn state(server: &Server, in_use: usize) -> String {
    let drained = || match in_use {
        0 => "drained; nothing is under way there, so it may be stopped".to_owned(),
        1 => "drained; 1 connection to it is still in use".to_owned(),
        many => format!("drained; {many} connections to it are still in use"),
    };
    match &server.state {
        ServerState::Primary | ServerState::Replica if server.drained.is_none() => "serving".to_owned(),
        ServerState::Primary | ServerState::Replica => drained(),
        ServerState::NotServing(why) if server.drained.is_none() => why.to_string(),
        ServerState::NotServing(why) => format!("{why}; {}", drained()),
    }
}

fn row(server: &Server, view: &View, topology: &Topology, warm_up: Duration, now: Instant) -> Vec<Value> {
    let role = match &server.state {
        ServerState::Primary => "primary",
        ServerState::Replica => "replica",
        ServerState::NotServing(_) => "none",
    };
    let in_use = view.in_use(server.id);
    let age = match server.state {
        ServerState::Primary => Some(0),
        _ => server.as_of.map(|as_of| ms(as_of, now)),
    };
    let text = |text: Option<String>| Value::from(text.map(Value::Text));
    let evidence = match &server.known_by {
        KnownBy::Found { evidence } => Some(evidence.to_string()),
        KnownBy::Listed | KnownBy::Added => None,
    };
    let behind = match server.state {
        ServerState::Primary => Some(0),
        _ => server.lag.map(|lag| i64::try_from(lag.behind.as_millis()).unwrap_or(i64::MAX)),
    };
    let dated_by =
        server.applied.as_deref().filter(|_| server.as_of.is_some()).map(|applied| match applied {
            Position::MySql(_) => "gtid_executed",
            Position::MariaDb(_) => "gtid_slave_pos",
        });
    let through = server.through.and_then(|id| topology.server(id));
    vec![
        Value::count(server.id.0),
        Value::text(server.address.to_string()),
        Value::text(role),
        Value::Text(state(server, in_use)),
        Value::text(server.health.word()),
        text(server.health.trouble().map(|trouble| trouble.to_string())),
        text(view.writes.borrow().of(server.id).map(|problem| problem.unwrap_or("ok").to_owned())),
        behind.map(Value::Integer).into(),
        server.lag.map(|lag| Value::Integer(ms(lag.at, now))).into(),
        dated_by.map(Value::text).into(),
        age.map(Value::Integer).into(),
        Value::count(server.weight),
        Value::count(server.warmth(warm_up, now) / 10),
        text(through.map(|server| server.address.to_string())),
        text(server.errant.as_deref().map(str::to_owned)),
        Value::text(server.known_by.word()),
        text(evidence),
        server.since.map(|since| Value::Integer(ms(since, now))).into(),
        Value::count(view.open(server.id)),
        Value::count(in_use),
        server.drained.map(|since| Value::Integer(ms(since, now))).into(),
        Value::count(view.allowed(server.id)),
        Value::count(view.idle(server.id)),
    ]
}
