//! The second witness: what the server reports that has changed.

use super::hold::Hold;
use super::state::State;
use super::variables::{Handling, seconds};
use super::view::{Changed, Isolation};
use crate::sql::{LexMode, is_local_schema};
use crate::wire::session_track::Change;

impl State {
    /// The primary reported a change.
    pub fn observe(&mut self, change: Change<'_>) {
        self.reports = true;
        match change {
            Change::Schema(name) => {
                self.view.local_schema = is_local_schema(name);
                self.schema = (!name.is_empty()).then(|| name.into());
            }
            Change::Variable { name, value } => self.observe_variable(name, value),
            Change::StateChanged if self.named => {}
            Change::StateChanged | Change::Unnamed(_) => self.pin(Changed::Reported),
            // The statements that would make the next transaction what it will be.
            Change::TransactionCharacteristics(sql) => {
                // Those of the transaction that is open name its beginning.
                let begun = memchr::memmem::find(sql, b"START TRANSACTION").is_some();
                self.view.next_transaction_set = !sql.is_empty() && !begun;
                self.view.transaction_named = !sql.is_empty();
            }
            // Transactions are followed by the status flags.
            Change::Gtids(_) | Change::TransactionState(_) => {}
        }
    }

    fn observe_variable(&mut self, name: &[u8], value: &[u8]) {
        self.awaited.retain(|awaited| awaited.as_bytes() != name);
        if is_charset(name) {
            if !self.charsets.is_pending() {
                self.charsets.reported(name);
                self.view.charset_known = false;
            }
            return;
        }
        match Handling::of(name) {
            Handling::Local => {
                if name == b"wait_timeout" {
                    self.wait_timeout = seconds(value);
                }
                if !self.home.note_local(name, value) {
                    self.hold_for(Hold::Changed(Changed::Variable));
                }
            }
            Handling::Mirrored if is_of_schema(name) && !self.uses_schema => {
                self.hold_for(Hold::Changed(Changed::Variable));
            }
            Handling::Mirrored => {}
            Handling::Carried => {
                if matches!(name, b"transaction_isolation" | b"tx_isolation") {
                    // A level without a name is no level that a read may leave its connection under.
                    // The transaction that is open keeps its own.
                    self.view.only_read &= !self.view.in_transaction;
                    self.view.isolation = Isolation::of_word(value).or(Some(Isolation::Serializable));
                }
                if name == b"max_join_size" {
                    // Servers set the one with the other, and report one of them.
                    let big = value == b"18446744073709551615";
                    self.variables.note(b"sql_big_selects", if big { b"ON" } else { b"OFF" });
                }
                // What IS NULL finds depends on the last insert then.
                let remembers = name == b"sql_auto_is_null" && value != b"OFF";
                let carried = self.variables.note(name, value) && !remembers;
                if !carried || (name == b"sql_mode" && !self.take_sql_mode(value)) {
                    self.pin(Changed::Variable);
                }
            }
            Handling::Pins => {
                self.set_trackers |= name.starts_with(b"session_track_");
                self.pin(Changed::Variable);
            }
        }
    }

    /// False where the mode names another grammar.
    fn take_sql_mode(&mut self, value: &[u8]) -> bool {
        let Ok(mode) = std::str::from_utf8(value) else { return false };
        // Neither charset nor dialect matters: only the quoting is taken from it.
        self.quoting = Some(LexMode::new(mode, "", crate::sql::Dialect::MySql));
        !crate::sql::is_other_grammar(mode)
    }
}

/// Variables that follow the schema, unless they are set.
fn is_of_schema(name: &[u8]) -> bool {
    matches!(name, b"character_set_database" | b"collation_database")
}

/// Variables that `SET NAMES` sets, and that are reported then.
fn is_charset(name: &[u8]) -> bool {
    matches!(
        name,
        b"character_set_client"
            | b"character_set_connection"
            | b"character_set_results"
            | b"collation_connection"
    )
}
