//! The head of what COM_STMT_PREPARE is answered.
//!
//! Source: MySQL Internals, "COM_STMT_PREPARE_OK".

use std::ops::Range;

use super::cursor::Cursor;

/// A statement, and how many definitions follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// Its id on this connection.
    pub id: u32,
    /// Columns of its result.
    pub columns: u16,
    /// Its parameters, whose definitions come first.
    pub parameters: u16,
}

/// Lengths of the packet, without and with the byte of OPTIONAL_METADATA.
const LENGTHS: [usize; 2] = [12, 13];

impl Prepared {
    /// Where the id stands in the payload.
    pub const ID: Range<usize> = 1..5;

    /// Reads a payload that begins as an OK does. Nothing where it is one: MySQL answers a SET GLOBAL that the
    /// account may not run with an OK that has no statement. The byte behind the counts is reserved and zero; in
    /// an OK of that length it is not, since what would be a change of a variable there is longer.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        if !LENGTHS.contains(&payload.len()) {
            return None;
        }
        let mut cursor = Cursor::new(payload);
        cursor.u8("head").ok()?;
        let id = cursor.u32("statement id").ok()?;
        let columns = cursor.u16("column count").ok()?;
        let parameters = cursor.u16("parameter count").ok()?;
        let reserved = cursor.u8("reserved byte").ok()?;
        (reserved == 0).then_some(Self { id, columns, parameters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_an_ok() {
        let check = |payload: &[u8], expected| assert_eq!(Prepared::parse(payload), expected, "{payload:?}");
        let statement = Some(Prepared { id: 7, columns: 2, parameters: 1 });
        check(b"\x00\x07\0\0\0\x02\0\x01\0\0\0\0", statement);
        check(b"\x00\x07\0\0\0\x02\0\x01\0\0\0\0\x01", statement);
        check(b"\x00\0\0\x02\0\0\0", None);
        // With all trackers on it is longer than a statement's head.
        check(b"\x00\0\0\x02\x40\0\0\0\x13\0\x11\x0cstatement_id\x03123", None);
        check(b"", None);
    }
}
