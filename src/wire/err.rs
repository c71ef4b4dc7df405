//! ERR packets.
//!
//! Source: MySQL Internals, "ERR_Packet".

use super::cursor::{Cursor, Malformed};

/// First byte of an ERR packet.
pub const ERR: u8 = 0xFF;

/// An error as the protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket {
    /// The server's error number.
    pub code: u16,
    /// Five characters of SQLSTATE.
    pub state: [u8; 5],
    /// The text for a person.
    pub message: Vec<u8>,
}

impl ErrPacket {
    /// An error of Headgate's own. Its message is prefixed `headgate:` so that nobody looks for it
    /// in the server's log. `code` is one of a server: MariaDB's client library takes what has a number of a
    /// client library's own (2000 to 2999) for a malformed packet and does not show it.
    #[must_use]
    pub fn own(code: u16, state: &[u8; 5], message: &str) -> Self {
        debug_assert!(!(2000..3000).contains(&code), "{code} is a client library's");
        Self { code, state: *state, message: format!("headgate: {message}").into_bytes() }
    }

    /// Reads an ERR payload. Errors sent before the handshake have no SQLSTATE and get HY000.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8("ERR header")? != ERR {
            return Err(Malformed::new("ERR header"));
        }
        let code = cursor.u16("ERR code")?;
        let mut state = *b"HY000";
        if let Some((b'#', rest)) = cursor.rest().split_first()
            && let Some(named) = rest.first_chunk::<5>()
        {
            state = *named;
            cursor.take(6, "SQLSTATE")?;
        }
        Ok(Self { code, state, message: cursor.remaining().to_vec() })
    }

    /// The payload of this error.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + self.message.len());
        out.push(ERR);
        out.extend_from_slice(&self.code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(&self.state);
        out.extend_from_slice(&self.message);
        out
    }

    /// The payload where it stands in place of a greeting: nothing has been negotiated yet, so there is no
    /// SQLSTATE.
    #[must_use]
    pub fn payload_before_greeting(&self) -> Vec<u8> {
        let mut out = vec![ERR];
        out.extend_from_slice(&self.code.to_le_bytes());
        out.extend_from_slice(&self.message);
        out
    }

    /// The message as text, for logs.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }
}

impl std::fmt::Display for ErrPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.code, String::from_utf8_lossy(&self.state), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_round_trip() {
        let error = ErrPacket { code: 1045, state: *b"28000", message: b"Access denied".to_vec() };
        assert_eq!(error.payload(), b"\xff\x15\x04#28000Access denied");
        assert_eq!(ErrPacket::parse(&error.payload()), Ok(error));
    }

    #[test]
    fn an_error_before_the_handshake_has_no_state() {
        let parsed = ErrPacket::parse(b"\xff\x10\x04Too many connections");
        assert_eq!(
            parsed,
            Ok(ErrPacket { code: 1040, state: *b"HY000", message: b"Too many connections".to_vec() })
        );
        assert!(ErrPacket::parse(b"\xff\x10").is_err());
        assert!(ErrPacket::parse(b"\x00").is_err());
    }
}
