//! The packets between login request and verdict.
//!
//! Source: MySQL Internals, "AuthSwitchRequest", "AuthMoreData".

use super::cursor::{Cursor, Malformed};
use super::encode::put_nul_terminated;
use super::ok::EOF;

/// First byte of an AuthMoreData packet.
pub const MORE_DATA: u8 = 0x01;

/// A server's wish to go on with another method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    /// The method's name.
    pub plugin: &'a [u8],
    /// The new nonce, without the NUL that servers put behind it.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    /// Reads the payload. A lone 0xFE is the request of servers before 4.1 and is refused.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8("AuthSwitchRequest")? != EOF {
            return Err(Malformed::new("AuthSwitchRequest"));
        }
        let plugin = cursor.nul_terminated("AuthSwitchRequest method")?;
        let data = cursor.remaining();
        Ok(Self { plugin, data: data.strip_suffix(&[0]).unwrap_or(data) })
    }

    /// The payload of this request.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![EOF];
        put_nul_terminated(&mut out, self.plugin);
        out.extend_from_slice(self.data);
        out.push(0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_round_trip() {
        let request = AuthSwitch { plugin: b"caching_sha2_password", data: b"12345678901234567890" };
        assert_eq!(AuthSwitch::parse(&request.payload()), Ok(request));
        assert!(AuthSwitch::parse(&[EOF]).is_err());
    }
}
