//! The server's first packet, version 10.
//!
//! Source: MySQL Internals, "Protocol::HandshakeV10"; MariaDB's extended flags at the filler's end: MariaDB
//! `sql/sql_acl.cc`, `send_server_handshake_packet`.

use super::capabilities::Capabilities;
use super::cursor::{Cursor, Malformed};
use super::encode::put_nul_terminated;

/// What a server says of itself before anyone has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `9.7.4`, `5.5.5-10.11.19-MariaDB-…`, as sent.
    pub version: Vec<u8>,
    /// The connection's id at that server.
    pub thread_id: u32,
    /// 20 bytes for the first authentication response.
    pub nonce: Vec<u8>,
    /// What the server can do.
    pub capabilities: Capabilities,
    /// The low byte of the server's default collation.
    pub collation: u8,
    /// Status flags.
    pub status: u16,
    /// The method that the server proposes.
    pub plugin: Vec<u8>,
}

const PROTOCOL: u8 = 10;

impl Greeting {
    /// Reads the payload. Servers without PROTOCOL_41 and SECURE_CONNECTION (before 4.1) are refused.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8("protocol version")? != PROTOCOL {
            return Err(Malformed::new("protocol version (10 is wanted)"));
        }
        let version = cursor.nul_terminated("server version")?.to_vec();
        let thread_id = cursor.u32("connection id")?;
        let mut nonce = cursor.take(8, "nonce")?.to_vec();
        cursor.take(1, "filler")?;
        let low = cursor.u16("capabilities")?;
        let collation = cursor.u8("collation")?;
        let status = cursor.u16("status flags")?;
        let high = cursor.u16("capabilities")?;
        let base = u32::from(low) | u32::from(high) << 16;
        let capabilities = Capabilities::from_halves(base, 0);
        if !capabilities.contains(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(Malformed::new("capabilities (a server of 4.1 or newer is wanted)"));
        }
        let nonce_len = usize::from(cursor.u8("nonce length")?);
        cursor.take(6, "filler")?;
        let capabilities = Capabilities::from_halves(base, cursor.u32("extended capabilities")?);
        let second = cursor.take(nonce_len.saturating_sub(8).max(13).min(cursor.rest().len()), "nonce")?;
        nonce.extend_from_slice(second.strip_suffix(&[0]).unwrap_or(second));
        // MySQL before 5.5.10 and 5.6.2 forgot the NUL (bug 59453), so it is not asked for.
        let name = cursor.remaining();
        let plugin = name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
        Ok(Self { version, thread_id, nonce, capabilities, collation, status, plugin })
    }

    /// The payload of this greeting.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let ([c0, c1, c2, c3], extended) = self.capabilities.halves();
        let (first, second) = self.nonce.split_at_checked(8).unwrap_or((&self.nonce, &[]));
        let mut out = vec![PROTOCOL];
        put_nul_terminated(&mut out, &self.version);
        out.extend_from_slice(&self.thread_id.to_le_bytes());
        out.extend_from_slice(first);
        out.push(0);
        out.extend_from_slice(&[c0, c1, self.collation]);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&[c2, c3]);
        out.push(u8::try_from(self.nonce.len() + 1).unwrap_or(21));
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&extended);
        out.extend_from_slice(second);
        out.push(0);
        put_nul_terminated(&mut out, &self.plugin);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::status::StatusFlags;

    fn sample() -> Greeting {
        Greeting {
            version: b"9.7.4".to_vec(),
            thread_id: 0x0102_0304,
            nonce: b"abcdefgh0123456789AB".to_vec(),
            capabilities: Capabilities(0xDFFF_FFFF),
            collation: 255,
            status: StatusFlags::AUTOCOMMIT.0,
            plugin: b"caching_sha2_password".to_vec(),
        }
    }

    #[test]
    fn greetings_round_trip() {
        assert_eq!(Greeting::parse(&sample().payload()), Ok(sample()));
    }

    /// The greeting of a MariaDB 10.11.19.
    #[test]
    fn extended_flags_stand_at_the_end_of_the_filler() {
        let bytes = b"\n5.5.5-10.11.19-MariaDB-0+deb12u1-log\x00\x08\x00\x00\x00/O$a>PWE\x00\xfe\xf7\x08\x02\x00\xff\x81\
                      \x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x003mP'q%`5'b96\x00mysql_native_password\x00";
        let greeting = Greeting::parse(bytes).unwrap();
        assert_eq!(greeting.capabilities, Capabilities(0x1D_81FF_F7FE));
        assert_eq!(greeting.payload(), bytes);
    }

    #[test]
    fn cut_greetings_are_refused_up_to_the_nonce() {
        let whole = sample().payload();
        for end in 0..32 {
            assert!(Greeting::parse(whole.get(..end).unwrap()).is_err(), "cut at {end}");
        }
    }
}
