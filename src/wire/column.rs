//! Column definitions, as far as questions of our own need them: the name.
//!
//! Source: MySQL Internals, "Column Definition 41".

use super::cursor::{Cursor, Malformed};

/// The name (alias) of the column that `payload` defines.
pub fn name(payload: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = Cursor::new(payload);
    for what in ["catalog", "schema", "table", "original table"] {
        cursor.lenenc_bytes(what)?;
    }
    cursor.lenenc_bytes("column name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_is_the_fifth_field() {
        assert_eq!(name(b"\x03def\x00\x01t\x01t\x02id\x02id\x0c"), Ok(&b"id"[..]));
        assert!(name(b"\x03def\x00").is_err());
    }
}
