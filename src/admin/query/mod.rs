//! SQL over the tables, by SQLite in memory.
//!
//! Each statement gets a database of its own. It is compiled once against empty tables, to learn which it
//! reads; those are filled from one look at the live state, and it runs. A virtual table would read the
//! state while it changes, once for each side of a join, and would need unsafe code. Filling costs about a
//! microsecond a row.
//!
//! What may run is bounded: nothing but reading is authorized, one result has a limit of rows and bytes, a
//! statement has a limit of time, and SQLite as a whole has a limit of memory.

mod run;
mod translate;

pub(super) use run::run;

#[cfg(test)]
mod tests;
