//! The challenge of a login.

use super::scramble;

/// Bytes in a nonce, without the NUL that follows it in packets.
pub const NONCE_LEN: usize = 20;

/// Twenty bytes that a server sends and a client mixes into its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; NONCE_LEN]);

impl Nonce {
    /// Makes a nonce of 20 random bytes.
    ///
    /// A nonce ends at the first NUL for clients that treat it as text, and servers keep `$` out of
    /// theirs because it separates the fields of stored passwords, so both are avoided. Bytes are
    /// taken modulo 128 as servers do: some old clients read the challenge as ASCII.
    #[must_use]
    pub fn from_random(random: [u8; NONCE_LEN]) -> Self {
        Self(random.map(|byte| match byte & 0x7F {
            0 => 1,
            b'$' => b'%',
            other => other,
        }))
    }

    /// A nonce received from a server; `None` when it has not 20 bytes.
    #[must_use]
    pub fn received(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; NONCE_LEN] {
        &self.0
    }

    /// Mixes the nonce into `bytes`, over and over: the veil under RSA. Its own inverse.
    pub(super) fn veil(&self, bytes: &mut [u8]) {
        scramble::xor_cycled(bytes, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_nul_no_dollar_and_only_ascii(random: [u8; NONCE_LEN]) {
            let nonce = Nonce::from_random(random);
            prop_assert!(nonce.as_bytes().iter().all(|b| *b != 0 && *b != b'$' && b.is_ascii()));
        }
    }

    #[test]
    fn only_twenty_bytes_are_a_nonce() {
        assert_eq!(Nonce::received(&[7; 19]), None);
        assert_eq!(Nonce::received(&[7; 21]), None);
        assert_eq!(Nonce::received(&[7; 20]).map(|n| *n.as_bytes()), Some([7; 20]));
    }
}
