//! What a table is, and which there are.

use super::{
    discovery, events, failover, failovers, pools, quarantine, rolling_restart, routes, servers, sessions,
    traffic,
};
use crate::admin::answer::{Answer, ConsoleError, Value, nearest};
use crate::admin::view::View;

/// A table over the live state.
pub(in crate::admin) struct Table {
    pub(in crate::admin) name: &'static str,
    /// What it shows, in one sentence.
    pub(in crate::admin) meaning: &'static str,
    pub(in crate::admin) columns: &'static [Column],
    /// Its rows now, each with a value for every column.
    pub(in crate::admin) rows: fn(&View) -> Vec<Vec<Value>>,
}

/// A column.
pub(in crate::admin) struct Column {
    /// Its name in SELECT.
    pub(in crate::admin) name: &'static str,
    /// Its heading in SHOW.
    pub(in crate::admin) title: &'static str,
    pub(in crate::admin) kind: Kind,
    pub(in crate::admin) meaning: &'static str,
}

/// What values a column has, beside NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Kind {
    Integer,
    Text,
}

impl Kind {
    /// The type in SQL.
    pub(in crate::admin) const fn sql(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
        }
    }
}

/// Every table there is.
pub(in crate::admin) static TABLES: [&Table; 11] = [
    &servers::SERVERS,
    &discovery::DISCOVERY,
    &pools::POOLS,
    &sessions::SESSIONS,
    &routes::ROUTES,
    &traffic::TRAFFIC,
    &failover::FAILOVER,
    &failovers::FAILOVERS,
    &events::EVENTS,
    &quarantine::QUARANTINE,
    &rolling_restart::ROLLING_RESTART,
];

/// The table of a name.
pub(in crate::admin) fn find(name: &str) -> Result<&'static Table, ConsoleError> {
    let found = TABLES.iter().find(|table| table.name.eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| ConsoleError::UnknownTable {
        name: name.to_owned(),
        nearest: nearest(name, TABLES.iter().map(|table| table.name)),
    })
}

/// A table as it is shown to people.
pub(in crate::admin) fn show(table: &Table, view: &View) -> Answer {
    let titles: Vec<&str> = table.columns.iter().map(|column| column.title).collect();
    Answer::new(&titles, (table.rows)(view))
}

/// A column, in one line.
pub(super) const fn column(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    meaning: &'static str,
) -> Column {
    Column { name, title, kind, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once() {
        for table in TABLES {
            assert_eq!(TABLES.iter().filter(|other| other.name == table.name).count(), 1);
            for column in table.columns {
                let same = |other: &&Column| other.name == column.name || other.title == column.title;
                assert_eq!(table.columns.iter().filter(same).count(), 1, "{}.{}", table.name, column.name);
            }
        }
    }
}
