//! Reads the protocol's field types from a payload, refusing what does not fit.
//!
//! Source: MySQL Internals, "Protocol Basics: Data Types".

/// A payload that does not have the form its place in the conversation demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet: {what}")]
pub struct Malformed {
    /// The field or packet that could not be read.
    pub what: &'static str,
}

impl Malformed {
    /// Names the field that could not be read.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what }
    }
}

/// A reading position in a payload. Every reader names the field it wants, for the error.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte of `payload`.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True when everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads exactly `n` bytes.
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Malformed { what })?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        self.take(N, what)?.try_into().map_err(|_| Malformed { what })
    }

    /// int<1>.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    /// int<2>, little endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// int<4>, little endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// int<lenenc>. The bytes 0xFB (NULL) and 0xFF (ERR) are no integers.
    pub fn lenenc(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(match self.u8(what)? {
            small @ 0..=0xFA => u64::from(small),
            0xFC => u64::from(self.u16(what)?),
            0xFD => {
                let [a, b, c] = self.array(what)?;
                u64::from(u32::from_le_bytes([a, b, c, 0]))
            }
            0xFE => u64::from_le_bytes(self.array(what)?),
            0xFB | 0xFF => return Err(Malformed { what }),
        })
    }

    /// string<lenenc>.
    pub fn lenenc_bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let n = usize::try_from(self.lenenc(what)?).map_err(|_| Malformed { what })?;
        self.take(n, what)
    }

    /// string<lenenc> of a text-protocol row, where 0xFB stands for NULL.
    pub fn nullable_bytes(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.first() == Some(&0xFB) {
            self.take(1, what)?;
            return Ok(None);
        }
        self.lenenc_bytes(what).map(Some)
    }

    /// string<NUL>, without its NUL.
    pub fn nul_terminated(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(0, self.rest).ok_or(Malformed { what })?;
        let text = self.take(end, what)?;
        self.take(1, what)?;
        Ok(text)
    }

    /// string<EOF>: everything that is left.
    pub fn remaining(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenenc_integers_have_four_sizes() {
        let check = |bytes: &[u8], expected| {
            let mut cursor = Cursor::new(bytes);
            assert_eq!(cursor.lenenc("n"), expected, "{bytes:?}");
        };
        check(&[0xFA], Ok(0xFA));
        check(&[0xFC, 1, 2], Ok(0x0201));
        check(&[0xFD, 1, 2, 3], Ok(0x0003_0201));
        check(&[0xFE, 1, 0, 0, 0, 0, 0, 0, 1], Ok(0x0100_0000_0000_0001));
        check(&[0xFB], Err(Malformed::new("n")));
        check(&[0xFF], Err(Malformed::new("n")));
        check(&[0xFD, 1, 2], Err(Malformed::new("n")));
        check(&[], Err(Malformed::new("n")));
    }

    #[test]
    fn lengths_beyond_the_payload_are_refused() {
        assert!(Cursor::new(&[5, b'a']).lenenc_bytes("s").is_err());
        assert!(Cursor::new(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255]).lenenc_bytes("s").is_err());
        assert!(Cursor::new(b"no end").nul_terminated("s").is_err());
    }

    #[test]
    fn null_is_not_the_empty_string() {
        let mut row = Cursor::new(&[0xFB, 0, 1, b'x']);
        assert_eq!(row.nullable_bytes("a"), Ok(None));
        assert_eq!(row.nullable_bytes("b"), Ok(Some(&b""[..])));
        assert_eq!(row.nullable_bytes("c"), Ok(Some(&b"x"[..])));
        assert!(row.is_empty());
    }
}
