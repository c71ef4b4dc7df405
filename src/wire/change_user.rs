//! COM_CHANGE_USER.
//!
//! Source: MySQL Internals, "COM_CHANGE_USER"; `parse_com_change_user_packet` in `sql/auth/sql_authentication.cc`.

use super::capabilities::Capabilities;
use super::cursor::{Cursor, Malformed};
use super::login_request::{LoginRequest, attributes, plugin};

/// The longest payload that is read: the attributes alone may have 64 KiB.
pub const MAX_PAYLOAD: usize = 128 * 1024;

/// Reads the payload, command byte included, of a client that agreed on `capabilities`.
pub fn parse(payload: &[u8], capabilities: Capabilities) -> Result<LoginRequest, Malformed> {
    let mut cursor = Cursor::new(payload);
    cursor.u8("command")?;
    let user = cursor.nul_terminated("user name")?.to_vec();
    let len = cursor.u8("authentication response")?;
    let auth_response = cursor.take(usize::from(len), "authentication response")?.to_vec();
    let schema = Some(cursor.nul_terminated("schema")?.to_vec()).filter(|name| !name.is_empty());
    // What follows may be missing, as from clients before 5.1.
    let collation = if cursor.is_empty() { 0 } else { cursor.u16("collation")? };
    let plugin = plugin(&mut cursor, capabilities);
    let attributes = attributes(&mut cursor, capabilities)?;
    Ok(LoginRequest {
        capabilities,
        max_packet: 0,
        collation,
        user,
        auth_response,
        schema,
        plugin,
        attributes,
        zstd_level: 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As mysql2 sends it, with an attribute.
    const SENT: &[u8] = b"\x11app\0\x03abcshop\0\xff\0caching_sha2_password\0\x08\x03_os\x03Lin";

    const ALL: Capabilities = Capabilities(Capabilities::BACKEND.0);

    #[test]
    fn every_field_is_read() {
        let request = parse(SENT, ALL).unwrap();
        assert_eq!(request.user, b"app");
        assert_eq!(request.auth_response, b"abc");
        assert_eq!(request.schema.as_deref(), Some(&b"shop"[..]));
        assert_eq!(request.collation, 255);
        assert_eq!(request.plugin.as_deref(), Some(&b"caching_sha2_password"[..]));
        assert_eq!(request.attributes, [(b"_os".to_vec(), b"Lin".to_vec())]);
    }

    #[test]
    fn the_end_may_be_missing() {
        let request = parse(b"\x11app\0\0\0", ALL).unwrap();
        assert_eq!((request.schema, request.collation, request.plugin), (None, 0, None));
        assert!(parse(b"\x11app\0\0", ALL).is_err(), "a schema's name has an end");
        assert!(parse(b"\x11app", ALL).is_err());
        let old = parse(SENT, Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION).unwrap();
        assert_eq!((old.plugin, old.attributes.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_a_request(bytes: Vec<u8>, cut in 0..SENT.len()) {
            let _ = parse(&bytes, ALL);
            let _ = parse(SENT.get(..cut).unwrap_or_default(), ALL);
        }
    }
}
