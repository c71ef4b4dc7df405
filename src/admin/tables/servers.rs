//! The servers.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::{View, ms};
use crate::runtime::clock;
use crate::topology::ServerState;

pub(super) static SERVERS: Table = Table {
    name: "servers",
    meaning: "The servers behind Headgate: what each is now, and why one serves nothing.",
    columns: &[
        column("number", "Number", Kind::Integer, "Its place in `servers.addresses`, from 0."),
        column("address", "Address", Kind::Text, "Where it is reached."),
        column("role", "Role", Kind::Text, "`primary`, `replica`, or `none` where it serves nothing."),
        column("state", "State", Kind::Text, "`serving`, or why it serves nothing."),
        column(
            "age_ms",
            "Data age (ms)",
            Kind::Integer,
            "A replica holds everything that was committed this long ago; NULL where that is not known.",
        ),
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
        column("allowed", "Allowed", Kind::Integer, "How many there may be by now (docs/pooling.md)."),
        column("idle", "Idle", Kind::Integer, "Those of them that wait in a pool."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let topology = view.topology();
    let now = clock::now();
    let servers = topology.servers.iter().map(|server| {
        let (role, state) = match &server.state {
            ServerState::Primary => ("primary", "serving".to_owned()),
            ServerState::Replica => ("replica", "serving".to_owned()),
            ServerState::NotServing(why) => ("none", why.to_string()),
        };
        let age = match server.state {
            ServerState::Primary => Some(0),
            _ => server.as_of.map(|as_of| ms(as_of, now)),
        };
        vec![
            Value::count(server.id.0),
            Value::text(server.address.to_string()),
            Value::text(role),
            Value::Text(state),
            age.map(Value::Integer).into(),
            server.since.map(|since| Value::Integer(ms(since, now))).into(),
            Value::count(view.open(server.id)),
            Value::count(view.allowed(server.id)),
            Value::count(view.idle(server.id)),
        ]
    });
    servers.collect()
}
