//! OK packets, and the EOF packets that old clients want in their place.
//!
//! Source: MySQL Internals, "OK_Packet"; `sql/protocol_classic.cc` `net_send_ok`. The manual calls
//! the info field string<EOF> without session tracking; both servers write it string<lenenc> always.

use super::cursor::{Cursor, Malformed};
use super::encode::{put_lenenc, put_lenenc_bytes};
use super::session_track::{self, Change, Wish};
use super::status::StatusFlags;

/// First byte of an OK packet.
pub const OK: u8 = 0x00;
/// First byte of an OK packet that ends a result set, and of an EOF packet.
pub const EOF: u8 = 0xFE;

/// An OK packet from a server that negotiated SESSION_TRACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// [`OK`] or [`EOF`].
    pub header: u8,
    /// Rows changed, deleted or inserted.
    pub affected_rows: u64,
    /// The AUTO_INCREMENT value of the statement.
    pub last_insert_id: u64,
    /// Status flags.
    pub status: StatusFlags,
    /// Number of warnings.
    pub warnings: u16,
    /// Text for a person, like `Rows matched: 1`.
    pub info: &'a [u8],
    /// Session-state information, see [`session_track::entries`].
    pub session_state: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads an OK payload.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        let header = cursor.u8("OK header")?;
        if header != OK && header != EOF {
            return Err(Malformed::new("OK header"));
        }
        let affected_rows = cursor.lenenc("affected rows")?;
        let last_insert_id = cursor.lenenc("last insert id")?;
        let status = StatusFlags(cursor.u16("status flags")?);
        let warnings = cursor.u16("warning count")?;
        let info = if cursor.is_empty() { &[][..] } else { cursor.lenenc_bytes("info")? };
        let session_state = if status.contains(StatusFlags::SESSION_STATE_CHANGED) && !cursor.is_empty() {
            cursor.lenenc_bytes("session state")?
        } else {
            &[]
        };
        Ok(Self { header, affected_rows, last_insert_id, status, warnings, info, session_state })
    }

    /// The payload of an OK that says nothing but how things stand.
    #[must_use]
    pub fn plain_payload(status: StatusFlags) -> Vec<u8> {
        let [s0, s1] = status.without(StatusFlags::SESSION_STATE_CHANGED).0.to_le_bytes();
        vec![OK, 0, 0, s0, s1, 0, 0]
    }

    /// Calls `see` for each reported change.
    pub fn for_each_change(&self, mut see: impl FnMut(Change<'_>)) -> Result<(), Malformed> {
        session_track::entries(self.session_state).try_for_each(|entry| {
            see(entry?.change);
            Ok(())
        })
    }

    /// Appends this packet's payload as a client with this `wish` would get it from the server.
    pub fn put_for_client(&self, out: &mut Vec<u8>, wish: Wish) -> Result<(), Malformed> {
        let mut wanted = Vec::new();
        if wish != Wish::Nothing {
            let mut last: &[u8] = &[];
            for entry in session_track::entries(self.session_state) {
                let entry = entry?;
                // An entry that packs several variables comes once for each of them.
                if wish.includes(&entry.change) && !std::ptr::eq(entry.raw, last) {
                    wanted.extend_from_slice(entry.raw);
                    last = entry.raw;
                }
            }
        }
        let mut status = self.status.without(StatusFlags::SESSION_STATE_CHANGED);
        if !wanted.is_empty() {
            status.0 |= StatusFlags::SESSION_STATE_CHANGED.0;
        }
        out.push(self.header);
        put_lenenc(out, self.affected_rows);
        put_lenenc(out, self.last_insert_id);
        out.extend_from_slice(&status.0.to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if !self.info.is_empty() || !wanted.is_empty() {
            put_lenenc_bytes(out, self.info);
        }
        if !wanted.is_empty() {
            put_lenenc_bytes(out, &wanted);
        }
        Ok(())
    }

    /// The EOF payload that says the same to a client without DEPRECATE_EOF.
    #[must_use]
    pub fn eof_payload(&self) -> [u8; 5] {
        eof_payload(self.warnings, self.status.without(StatusFlags::SESSION_STATE_CHANGED))
    }
}

/// The payload of an EOF packet.
#[must_use]
pub fn eof_payload(warnings: u16, status: StatusFlags) -> [u8; 5] {
    let [w0, w1] = warnings.to_le_bytes();
    let [s0, s1] = status.0.to_le_bytes();
    [EOF, w0, w1, s0, s1]
}

/// The payload of a plain OK of Headgate's own.
#[must_use]
pub fn plain_payload(status: StatusFlags) -> [u8; 7] {
    let [s0, s1] = status.0.to_le_bytes();
    [OK, 0, 0, s0, s1, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An UPDATE's OK as MySQL sends it with schema and GTID tracking on.
    const TRACKED: &[u8] = b"\x00\x01\x00\x02\x40\x00\x00\x05hello\x10\x01\x03\x02db\x03\x09\x00\x07u:12-13";

    fn rewritten(wish: Wish) -> Vec<u8> {
        let mut out = Vec::new();
        OkPacket::parse(TRACKED).unwrap().put_for_client(&mut out, wish).unwrap();
        out
    }

    #[test]
    fn a_client_without_tracking_sees_none_of_it() {
        assert_eq!(rewritten(Wish::Nothing), b"\x00\x01\x00\x02\x00\x00\x00\x05hello");
    }

    #[test]
    fn a_tracking_client_sees_what_it_asked_for() {
        assert_eq!(rewritten(Wish::Defaults), b"\x00\x01\x00\x02\x40\x00\x00\x05hello\x05\x01\x03\x02db");
        assert_eq!(rewritten(Wish::Everything), TRACKED);
    }

    #[test]
    fn changes_are_read() {
        let mut seen = 0;
        OkPacket::parse(TRACKED)
            .unwrap()
            .for_each_change(|change| {
                seen += 1;
                assert!(matches!(change, Change::Schema(b"db") | Change::Gtids(b"u:12-13")));
            })
            .unwrap();
        assert_eq!(seen, 2);
    }

    #[test]
    fn short_packets_are_refused() {
        for end in 0..TRACKED.len() {
            let Some(cut) = TRACKED.get(..end) else { continue };
            // A cut right behind the warnings or the info is a shorter, legal packet.
            if end != 7 && end != 13 {
                assert!(OkPacket::parse(cut).is_err(), "cut at {end}");
            }
        }
    }
}
