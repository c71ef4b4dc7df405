//! Servers that are kept out.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;

pub(super) static QUARANTINE: Table = Table {
    name: "quarantine",
    meaning: "Servers that failover keeps out, with the transactions that only they have.",
    columns: &[
        column("address", "Address", Kind::Text, "Where it is reached."),
        column("why", "Why", Kind::Text, "Why it is kept out. REJOIN and REBUILD let it in."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let failover = view.failover.view();
    let kept_out = failover.quarantined.iter();
    kept_out
        .map(|(server, why)| vec![Value::Text(view.failover.address(*server)), Value::text(why.clone())])
        .collect()
}
