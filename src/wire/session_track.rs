//! Session-state changes, as OK packets report them.
//!
//! Source: MySQL `include/mysql_com.h` `enum_session_state_type`, `sql/session_tracker.cc`; MariaDB
//! numbers them the same way.

use super::cursor::{Cursor, Malformed};

/// One reported change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// Type 0: a system variable has this value now, as text.
    Variable {
        /// The variable's name.
        name: &'a [u8],
        /// Its new value as text.
        value: &'a [u8],
    },
    /// Type 1: the current schema.
    Schema(&'a [u8]),
    /// Type 2: something of the session changed; nothing says what.
    StateChanged,
    /// Type 3: GTIDs, of the session's own transaction or all executed ones.
    Gtids(&'a [u8]),
    /// Type 4: the statements that would start the open transaction again.
    TransactionCharacteristics(&'a [u8]),
    /// Type 5: the transaction's state as eight letters.
    TransactionState(&'a [u8]),
    /// A type this module has no name for.
    Unnamed(u8),
}

/// One change and the bytes it was read from, type and length included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What changed.
    pub change: Change<'a>,
    /// The whole entry, to be passed on as it is.
    pub raw: &'a [u8],
}

/// Iterates over the session-state information of an OK packet. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    cursor: Cursor<'a>,
    /// What is left of an entry of type 0 that names several variables (MariaDB packs them).
    variables: Option<(Cursor<'a>, &'a [u8])>,
}

/// Reads the session-state information `info`, the string<lenenc> at the end of an OK packet.
#[must_use]
pub fn entries(info: &[u8]) -> Entries<'_> {
    Entries { cursor: Cursor::new(info), variables: None }
}

impl<'a> Entries<'a> {
    fn variable(cursor: &mut Cursor<'a>) -> Result<Change<'a>, Malformed> {
        let name = cursor.lenenc_bytes("tracked variable's name")?;
        let value = cursor.lenenc_bytes("tracked variable's value")?;
        Ok(Change::Variable { name, value })
    }

    fn read(&mut self) -> Result<Entry<'a>, Malformed> {
        if let Some((rest, raw)) = &mut self.variables {
            let raw = *raw;
            let change = Self::variable(rest)?;
            if rest.is_empty() {
                self.variables = None;
            }
            return Ok(Entry { change, raw });
        }
        let before = self.cursor.rest();
        let kind = self.cursor.u8("session-state type")?;
        let body = self.cursor.lenenc_bytes("session-state data")?;
        let used = before.len() - self.cursor.rest().len();
        let raw = before.get(..used).unwrap_or(before);
        let mut body = Cursor::new(body);
        let change = match kind {
            0 => {
                let change = Self::variable(&mut body)?;
                if !body.is_empty() {
                    self.variables = Some((body, raw));
                }
                change
            }
            1 => Change::Schema(body.lenenc_bytes("tracked schema")?),
            2 => Change::StateChanged,
            3 => {
                // One byte of encoding specification, always 0: text.
                body.u8("GTID encoding")?;
                Change::Gtids(body.lenenc_bytes("tracked GTIDs")?)
            }
            4 => Change::TransactionCharacteristics(body.lenenc_bytes("transaction characteristics")?),
            5 => Change::TransactionState(body.lenenc_bytes("transaction state")?),
            other => Change::Unnamed(other),
        };
        Ok(Entry { change, raw })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() && self.variables.is_none() {
            return None;
        }
        let entry = self.read();
        if entry.is_err() {
            self.cursor.remaining();
            self.variables = None;
        }
        Some(entry)
    }
}

/// Which changes a client asked to be told about.
///
/// Backend connections have all trackers on for Headgate's own use; a client sees what the server's
/// defaults would show it (manual: `session_track_system_variables`, `session_track_schema`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// The client did not negotiate session tracking.
    #[default]
    Nothing,
    /// The defaults of both servers.
    Defaults,
    /// Everything, after the client has set a `session_track_*` variable itself.
    Everything,
}

impl Wish {
    /// Whether the client shall see this change.
    #[must_use]
    pub fn includes(self, change: &Change<'_>) -> bool {
        const DEFAULT_VARIABLES: [&[u8]; 5] = [
            b"time_zone",
            b"autocommit",
            b"character_set_client",
            b"character_set_results",
            b"character_set_connection",
        ];
        match (self, change) {
            (Self::Nothing, _) => false,
            (Self::Everything, _) | (Self::Defaults, Change::Schema(_)) => true,
            (Self::Defaults, Change::Variable { name, .. }) => DEFAULT_VARIABLES.contains(name),
            (Self::Defaults, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(info: &[u8]) -> Vec<Change<'_>> {
        entries(info).map(|entry| entry.unwrap().change).collect()
    }

    #[test]
    fn every_type_is_read() {
        let info = b"\x00\x0f\x0aautocommit\x03OFF\x01\x03\x02db\x02\x02\x011\x03\x07\x00\x05u:1-2\x04\x07\x06BEGIN;\x05\x09\x08T_______\x09\x01x";
        assert_eq!(
            read(info),
            [
                Change::Variable { name: b"autocommit", value: b"OFF" },
                Change::Schema(b"db"),
                Change::StateChanged,
                Change::Gtids(b"u:1-2"),
                Change::TransactionCharacteristics(b"BEGIN;"),
                Change::TransactionState(b"T_______"),
                Change::Unnamed(9),
            ]
        );
    }

    #[test]
    fn one_entry_may_name_several_variables() {
        let info = b"\x00\x08\x01a\x011\x01b\x012";
        assert_eq!(
            read(info),
            [Change::Variable { name: b"a", value: b"1" }, Change::Variable { name: b"b", value: b"2" }]
        );
    }

    #[test]
    fn an_error_ends_the_iteration() {
        let mut entries = entries(b"\x00\x50\x0aauto");
        assert!(entries.next().is_some_and(|entry| entry.is_err()));
        assert_eq!(entries.next(), None);
    }
}
