//! Servers that are known of and not used.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;

pub(super) static DISCOVERY: Table = Table {
    name: "discovery",
    meaning: "Servers that others tell of and that are not used, with the reason (docs/servers.md).",
    columns: &[
        column("address", "Address", Kind::Text, "Where it should be reached; NULL where nobody says."),
        column(
            "name",
            "Name",
            Kind::Text,
            "Its `server_uuid`, its `server_id` where there is none, or the name of an Aurora instance.",
        ),
        column("evidence", "Evidence", Kind::Text, "Who tells of it, and as what."),
        column("why", "Why not", Kind::Text, "Why it is not used, and what to do about it."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let topology = view.topology();
    let rejected = topology.rejected.iter().map(|one| {
        vec![
            one.address.as_ref().map(|address| Value::text(address.to_string())).into(),
            Value::text(one.name.clone()),
            Value::text(one.evidence.clone()),
            Value::text(one.why.clone()),
        ]
    });
    rejected.collect()
}
