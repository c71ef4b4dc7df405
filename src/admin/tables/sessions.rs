//! Clients.

use std::sync::Arc;

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::request::MODE;
use crate::admin::view::{View, ms};
use crate::frontend::{Card, Standing};
use crate::routing::{self, Explanation, Target};
use crate::runtime::clock;
use crate::session::SessionView;
use crate::sql::{self, LexMode};
use crate::topology::Topology;

pub(super) static SESSIONS: Table = Table {
    name: "sessions",
    meaning: "The clients that are logged in.",
    columns: &[
        column("id", "Id", Kind::Integer, "The id that the client was told; KILL takes it."),
        column("user", "User", Kind::Text, "Its user."),
        column("client", "Client", Kind::Text, "Its address; NULL where it came by a Unix socket."),
        column("schema", "Schema", Kind::Text, "Its current schema."),
        column("connected_ms", "Connected for (ms)", Kind::Integer, "How long ago it logged in."),
        column("statements", "Statements", Kind::Integer, "Statements and commands so far."),
        column("on_replicas", "On replicas", Kind::Integer, "Those of them that ran on a replica."),
        column("in_transaction", "In transaction", Kind::Integer, "1 while a transaction is open, else 0."),
        column(
            "last_reason",
            "Last reason",
            Kind::Text,
            "Why its last statement ran where it ran: a `reason` of the table `routes`.",
        ),
        column(
            "stays",
            "Reads stay because",
            Kind::Text,
            "Why a plain read of this session would go to the primary now; NULL where it would not.",
        ),
        column(
            "pool_mode",
            "Pool mode",
            Kind::Text,
            "For how long it has its connection to the primary: `session` or `transaction` (docs/pooling.md).",
        ),
        column(
            "mode_by",
            "Mode by",
            Kind::Text,
            "What has chosen the mode: the rule of its `user`, its `listener`, or the `default`, `pool.mode`.",
        ),
        column(
            "keeps",
            "Keeps its connection because",
            Kind::Text,
            "Why the session keeps its connection to the primary between statements (pool mode `transaction`); NULL \
             where it does not, or the connection is its own.",
        ),
        column("idle_ms", "Idle for (ms)", Kind::Integer, "How long ago it sent its last statement."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let topology = view.topology();
    let cards = view.shared.roster.cards();
    cards.iter().map(|card| row(card, view, &topology)).collect()
}

fn row(card: &Arc<Card>, view: &View, topology: &Topology) -> Vec<Value> {
    let standing = card.standing();
    let now = clock::now();
    let read = reads(b"SELECT 1", standing.as_ref(), view, topology).decision;
    let stays = (read.target == Target::Primary).then(|| read.reason.to_string());
    let keeps = standing.as_ref().and_then(|standing| standing.keeps).map(|why| why.to_string());
    let in_transaction = standing.as_ref().is_some_and(|standing| standing.view.in_transaction);
    vec![
        Value::count(card.id),
        Value::from_bytes(&card.user),
        card.client.map(|client| Value::text(client.to_string())).into(),
        standing.and_then(|standing| standing.schema.as_deref().map(Value::from_bytes)).into(),
        Value::Integer(ms(card.since, now)),
        Value::count(card.statements()),
        Value::count(card.on_replicas()),
        Value::Integer(in_transaction.into()),
        card.last_reason().map(|reason| Value::text(reason.label())).into(),
        stays.map(Value::Text).into(),
        Value::text(card.pool.mode.word()),
        Value::text(card.pool.by.word()),
        keeps.map(Value::Text).into(),
        Value::Integer(ms(card.last_at(), now)),
    ]
}

/// What would become of a statement of a session; of one that has just logged in where none is given.
pub(in crate::admin) fn reads(
    text: &[u8],
    standing: Option<&Standing>,
    view: &View,
    topology: &Topology,
) -> Explanation {
    let facts = topology.facts.as_deref();
    let (session, mode) = match standing {
        Some(standing) => (standing.view, standing.mode),
        None => (
            SessionView::fresh(facts.map_or(0, |facts| facts.generation)),
            facts.map_or(MODE, |facts| facts.lex_mode(true)),
        ),
    };
    // A text with parameters is there to be prepared.
    let mode = LexMode { parameters: true, ..mode };
    let shared = &view.shared;
    let known_to_write = shared.learned.knows(|| Some(sql::digest(text, mode)));
    let policy = shared.live.load().policy;
    routing::explain(text, mode, &session, topology, policy, known_to_write, clock::now())
}
