//! The client's answer to the greeting: HandshakeResponse41, or first an SSLRequest.
//!
//! Source: MySQL Internals, "Protocol::HandshakeResponse", "Protocol::SSLRequest"; MariaDB's extended flags at
//! the filler's end: MariaDB `sql/sql_acl.cc`, `parse_client_handshake_packet`.

use super::capabilities::Capabilities;
use super::cursor::{Cursor, Malformed};
use super::encode::{put_lenenc, put_lenenc_bytes, put_nul_terminated};

/// Length of an SSLRequest, and of the fixed part of a login request.
pub const FIXED_PART: usize = 32;

/// Most bytes of connection attributes that are read; MySQL servers stop at 64 KiB as well.
pub const MAX_ATTRIBUTES: usize = 64 * 1024;

/// One connection attribute: its name and its value.
pub type Attribute = (Vec<u8>, Vec<u8>);

/// Who wants in, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// What the client chose of the capabilities offered, as sent.
    pub capabilities: Capabilities,
    /// The longest packet the client takes.
    pub max_packet: u32,
    /// Collation id. Its high byte stands in the filler since MySQL 8 (`character_set` is int<2> there).
    pub collation: u16,
    /// The user's name, in the client's character set.
    pub user: Vec<u8>,
    /// First authentication response.
    pub auth_response: Vec<u8>,
    /// The schema asked for.
    pub schema: Option<Vec<u8>>,
    /// The method the response was made with.
    pub plugin: Option<Vec<u8>>,
    /// Connection attributes, keys and values.
    pub attributes: Vec<Attribute>,
    /// The level for zstd, where its flag is set.
    pub zstd_level: u8,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The response may be a clear-text password.
        f.debug_struct("LoginRequest")
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("capabilities", &self.capabilities)
            .field("plugin", &self.plugin.as_deref().map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}

/// True when `payload` is an SSLRequest: the fixed part alone, with the SSL flag set.
#[must_use]
pub fn is_tls_request(payload: &[u8]) -> bool {
    payload.len() == FIXED_PART
        && Cursor::new(payload)
            .u32("capabilities")
            .is_ok_and(|flags| Capabilities::from_halves(flags, 0).contains(Capabilities::SSL))
}

/// The capability flags at the front of a login request or SSLRequest.
pub fn capabilities(payload: &[u8]) -> Result<Capabilities, Malformed> {
    Cursor::new(payload).u32("capabilities").map(|base| Capabilities::from_halves(base, 0))
}

impl LoginRequest {
    /// Reads the payload. Clients without PROTOCOL_41 (before 4.1) are refused.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        let base = cursor.u32("capabilities")?;
        let capabilities = Capabilities::from_halves(base, 0);
        if !capabilities.contains(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(Malformed::new("capabilities (a client of 4.1 or newer is wanted)"));
        }
        let max_packet = cursor.u32("longest packet")?;
        let collation = cursor.u16("collation")?;
        cursor.take(18, "filler")?;
        let capabilities = Capabilities::from_halves(base, cursor.u32("extended capabilities")?);
        let user = cursor.nul_terminated("user name")?.to_vec();
        let auth_response = if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            cursor.lenenc_bytes("authentication response")?.to_vec()
        } else {
            let len = cursor.u8("authentication response")?;
            cursor.take(usize::from(len), "authentication response")?.to_vec()
        };
        let schema = if capabilities.contains(Capabilities::CONNECT_WITH_DB) && !cursor.is_empty() {
            Some(cursor.nul_terminated("schema")?.to_vec()).filter(|name| !name.is_empty())
        } else {
            None
        };
        let plugin = plugin(&mut cursor, capabilities);
        let attributes = attributes(&mut cursor, capabilities)?;
        let zstd_level = if capabilities.contains(Capabilities::ZSTD) && !cursor.is_empty() {
            cursor.u8("zstd level")?
        } else {
            0
        };
        Ok(Self {
            capabilities,
            max_packet,
            collation,
            user,
            auth_response,
            schema,
            plugin,
            attributes,
            zstd_level,
        })
    }

    /// The payload of this request. The flags of fields that are absent are cleared.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut out = self.fixed_part(self.flags());
        put_nul_terminated(&mut out, &self.user);
        put_lenenc_bytes(&mut out, &self.auth_response);
        if let Some(schema) = &self.schema {
            put_nul_terminated(&mut out, schema);
        }
        if let Some(plugin) = &self.plugin {
            put_nul_terminated(&mut out, plugin);
        }
        put_attributes(&mut out, &self.attributes);
        if self.capabilities.contains(Capabilities::ZSTD) {
            out.push(self.zstd_level);
        }
        out
    }

    /// The SSLRequest that goes before this request.
    #[must_use]
    pub fn tls_request_payload(&self) -> Vec<u8> {
        self.fixed_part(self.flags() | Capabilities::SSL)
    }

    fn flags(&self) -> Capabilities {
        let mut flags = self.capabilities
            | Capabilities::PLUGIN_AUTH_LENENC
            | Capabilities::CONNECT_ATTRS
            | Capabilities::PLUGIN_AUTH;
        flags = flags.without(Capabilities::CONNECT_WITH_DB);
        if self.schema.is_some() {
            flags = flags | Capabilities::CONNECT_WITH_DB;
        }
        if self.plugin.is_none() {
            flags = flags.without(Capabilities::PLUGIN_AUTH);
        }
        flags
    }

    fn fixed_part(&self, flags: Capabilities) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let (base, extended) = flags.halves();
        out.extend_from_slice(&base);
        out.extend_from_slice(&self.max_packet.to_le_bytes());
        out.extend_from_slice(&self.collation.to_le_bytes());
        out.extend_from_slice(&[0; 18]);
        out.extend_from_slice(&extended);
        out
    }
}

/// Appends the attributes as COM_CHANGE_USER and the login request both carry them.
pub fn put_attributes(out: &mut Vec<u8>, attributes: &[Attribute]) {
    let mut body = Vec::new();
    for (key, value) in attributes {
        put_lenenc_bytes(&mut body, key);
        put_lenenc_bytes(&mut body, value);
    }
    put_lenenc(out, body.len() as u64);
    out.extend_from_slice(&body);
}

/// The name of the method, where it was agreed to name it.
pub(super) fn plugin(cursor: &mut Cursor<'_>, agreed: Capabilities) -> Option<Vec<u8>> {
    if !agreed.contains(Capabilities::PLUGIN_AUTH) || cursor.is_empty() {
        return None;
    }
    // Some clients forget the NUL at the packet's end.
    let rest = cursor.rest();
    Some(match cursor.nul_terminated("authentication method") {
        Ok(name) => name.to_vec(),
        Err(_) => {
            cursor.remaining();
            rest.to_vec()
        }
    })
}

/// The connection attributes, where it was agreed to send them.
pub(super) fn attributes(cursor: &mut Cursor<'_>, agreed: Capabilities) -> Result<Vec<Attribute>, Malformed> {
    if !agreed.contains(Capabilities::CONNECT_ATTRS) || cursor.is_empty() {
        return Ok(Vec::new());
    }
    let body = cursor.lenenc_bytes("connection attributes")?;
    if body.len() > MAX_ATTRIBUTES {
        return Err(Malformed::new("connection attributes (more than 64 KiB)"));
    }
    let mut body = Cursor::new(body);
    let mut pairs = Vec::new();
    while !body.is_empty() {
        let key = body.lenenc_bytes("attribute name")?.to_vec();
        pairs.push((key, body.lenenc_bytes("attribute value")?.to_vec()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> LoginRequest {
        LoginRequest {
            capabilities: Capabilities::BACKEND | Capabilities::CONNECT_WITH_DB,
            max_packet: 1 << 24,
            collation: 255,
            user: b"app".to_vec(),
            auth_response: vec![1; 32],
            schema: Some(b"shop".to_vec()),
            plugin: Some(b"caching_sha2_password".to_vec()),
            attributes: vec![(b"_os".to_vec(), b"Linux".to_vec())],
            zstd_level: 0,
        }
    }

    #[test]
    fn requests_round_trip() {
        assert_eq!(LoginRequest::parse(&sample().payload()), Ok(sample()));
        let capabilities = sample().capabilities | Capabilities::ZSTD;
        let zstd = LoginRequest { capabilities, zstd_level: 7, ..sample() };
        assert_eq!(LoginRequest::parse(&zstd.payload()), Ok(zstd));
    }

    #[test]
    fn extended_flags_round_trip_where_they_are_announced() {
        let bulk = Capabilities::BULK_OPERATIONS;
        let check = |flags: Capabilities, expected| {
            let request = LoginRequest { capabilities: flags, ..sample() };
            let read = LoginRequest::parse(&request.payload()).unwrap();
            assert_eq!(read.capabilities & Capabilities::EXTENDED, expected, "{flags:?}");
        };
        check((sample().capabilities | bulk).without(Capabilities::LONG_PASSWORD), bulk);
        // MySQL's clients leave other things there.
        check(sample().capabilities | bulk, Capabilities(0));
    }

    #[test]
    fn a_tls_request_is_the_fixed_part_with_the_flag() {
        assert!(is_tls_request(&sample().tls_request_payload()));
        assert!(!is_tls_request(&sample().payload()));
        assert!(!is_tls_request(&[0; FIXED_PART]));
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = format!("{:?}", LoginRequest { auth_response: b"secret".to_vec(), ..sample() });
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_a_request(bytes: Vec<u8>, cut in 0_usize..200) {
            let _ = LoginRequest::parse(&bytes);
            let whole = sample().payload();
            let _ = LoginRequest::parse(&whole[..cut.min(whole.len())]);
        }
    }
}
