//! Idle connections.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::{View, ms};
use crate::backend::Purpose;
use crate::runtime::clock;

pub(super) static POOLS: Table = Table {
    name: "pools",
    meaning: "Idle connections, by what they must have in common to stand in for each other.",
    columns: &[
        column("worker", "Worker", Kind::Integer, "The worker that keeps them, from 0."),
        column("server", "Server", Kind::Text, "The server's address."),
        column("user", "User", Kind::Text, "The account they are logged in as."),
        column(
            "purpose",
            "Purpose",
            Kind::Text,
            "`primary`: for the next login of this user; `replica`: for reads, and read only.",
        ),
        column(
            "flags",
            "Flags",
            Kind::Integer,
            "The client's capability flags that change what a statement means.",
        ),
        column(
            "client",
            "Client",
            Kind::Text,
            "The address that the server was told their clients have (`servers.proxy_protocol`), else NULL.",
        ),
        column("idle", "Idle", Kind::Integer, "How many there are."),
        column("idle_ms", "Idle for (ms)", Kind::Integer, "How long the oldest of them has waited."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let topology = view.topology();
    let now = clock::now();
    let mut rows = Vec::new();
    for (worker, context) in view.workers.iter().enumerate() {
        for (key, idle, since) in context.pool.shelves() {
            let address = topology.server(key.server).map(|server| server.address.to_string());
            let purpose = match key.purpose {
                Purpose::Control => "control",
                Purpose::Primary => "primary",
                Purpose::Replica => "replica",
            };
            rows.push(vec![
                Value::count(worker),
                address.map(Value::Text).into(),
                Value::from_bytes(&key.user),
                Value::text(purpose),
                Value::count(key.capabilities.0),
                key.client.map(|client| Value::Text(client.to_string())).into(),
                Value::count(idle),
                since.map(|since| Value::Integer(ms(since, now))).into(),
            ]);
        }
    }
    rows
}
