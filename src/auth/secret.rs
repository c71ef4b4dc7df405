//! What can log in to a server.

use zeroize::Zeroizing;

use super::nonce::Nonce;
use super::scramble::{self, SHA1_LEN, SHA256_LEN};

/// Longest password taken, in bytes. MySQL's own hashing methods stop at 256.
pub const MAX_PASSWORD: usize = 512;

/// Longest output of [`Secret::encode`], in bytes: what a slot of locked memory must hold.
pub const MAX_ENCODED_SECRET: usize = MAX_PASSWORD + 1;

/// Knowledge that logs in to a server as one user. Wiped on drop, never printed, and copied only
/// where the code says [`Secret::duplicate`].
pub enum Secret {
    /// No password.
    Empty,
    /// The password itself: good for every method.
    Clear(Zeroizing<Vec<u8>>),
    /// `SHA1(password)`: good for mysql_native_password only.
    NativeHash(Zeroizing<[u8; SHA1_LEN]>),
}

impl Secret {
    /// The secret of a password without its trailing NUL; `None` when it is longer than
    /// [`MAX_PASSWORD`].
    #[must_use]
    pub fn from_password(password: &[u8]) -> Option<Self> {
        match password.len() {
            0 => Some(Self::Empty),
            1..=MAX_PASSWORD => Some(Self::Clear(Zeroizing::new(password.to_vec()))),
            _ => None,
        }
    }

    /// A secret nobody has, for an attempt that is meant to be refused by the server. Give it 20
    /// random bytes.
    #[must_use]
    pub fn wrong(random: [u8; SHA1_LEN]) -> Self {
        Self::NativeHash(Zeroizing::new(random))
    }

    /// Whether both are the same knowledge, in a time that depends on their lengths only.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        scramble::equal(&self.encode(), &other.encode())
    }

    /// A second copy.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Clear(password) => Self::Clear(password.clone()),
            Self::NativeHash(hash) => Self::NativeHash(hash.clone()),
        }
    }

    /// The secret as bytes, for keeping it in locked memory; at most [`MAX_ENCODED_SECRET`].
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (kind, bytes): (u8, &[u8]) = match self {
            Self::Empty => (EMPTY, &[]),
            Self::Clear(password) => (CLEAR, password),
            Self::NativeHash(hash) => (NATIVE_HASH, hash.as_ref()),
        };
        let mut out = Zeroizing::new(Vec::with_capacity(1 + bytes.len()));
        out.push(kind);
        out.extend_from_slice(bytes);
        out
    }

    /// Takes back what [`Secret::encode`] gave.
    #[must_use]
    pub fn decode(encoded: &[u8]) -> Option<Self> {
        match encoded.split_first()? {
            (&EMPTY, []) => Some(Self::Empty),
            (&CLEAR, password) if !password.is_empty() => Self::from_password(password),
            (&NATIVE_HASH, hash) => Some(Self::NativeHash(Zeroizing::new(hash.try_into().ok()?))),
            _ => None,
        }
    }

    /// The native answer to a nonce; empty without a password.
    pub(super) fn native_answer(&self, nonce: &Nonce) -> Vec<u8> {
        match self {
            Self::Empty => Vec::new(),
            Self::Clear(password) => {
                scramble::native_answer(&scramble::native_hash(password), nonce).to_vec()
            }
            Self::NativeHash(hash) => scramble::native_answer(hash, nonce).to_vec(),
        }
    }

    /// Whether `answer` is this secret's native answer to the nonce.
    pub(super) fn matches_native(&self, answer: &[u8; SHA1_LEN], nonce: &Nonce) -> bool {
        scramble::equal(&self.native_answer(nonce), answer)
    }

    /// Whether `answer` is this secret's fast caching_sha2 answer to the nonce.
    pub(super) fn matches_caching_sha2(&self, answer: &[u8; SHA256_LEN], nonce: &Nonce) -> bool {
        match self {
            Self::Clear(password) => scramble::equal(&scramble::caching_sha2_answer(password, nonce), answer),
            Self::Empty | Self::NativeHash(_) => false,
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Secret::Empty",
            Self::Clear(_) => "Secret::Clear(redacted)",
            Self::NativeHash(_) => "Secret::NativeHash(redacted)",
        })
    }
}

const EMPTY: u8 = 0;
const CLEAR: u8 = 1;
const NATIVE_HASH: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_secret_is_printed() {
        let secrets = [
            Secret::Empty,
            Secret::from_password(b"hunter2").unwrap(),
            Secret::wrong(*b"hunter2hunter2hunter"),
        ];
        for secret in secrets {
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
    }

    #[test]
    fn passwords_are_bounded_and_an_empty_one_is_none() {
        assert!(matches!(Secret::from_password(b""), Some(Secret::Empty)));
        assert!(Secret::from_password(&[b'x'; MAX_PASSWORD]).is_some());
        assert!(Secret::from_password(&[b'x'; MAX_PASSWORD + 1]).is_none());
    }

    #[test]
    fn the_same_password_is_the_same_secret() {
        let secret = |text: &[u8]| Secret::from_password(text).unwrap();
        assert!(secret(b"a").same_as(&secret(b"a")));
        assert!(!secret(b"a").same_as(&secret(b"b")));
        assert!(!secret(b"").same_as(&secret(b"b")));
        assert!(!secret(&[7; 20]).same_as(&Secret::wrong([7; 20])));
    }

    proptest! {
        #[test]
        fn encoding_round_trips(password in proptest::collection::vec(any::<u8>(), 0..=MAX_PASSWORD), hash: [u8; 20]) {
            for secret in [Secret::from_password(&password).unwrap(), Secret::wrong(hash)] {
                let encoded = secret.encode();
                prop_assert!(encoded.len() <= MAX_ENCODED_SECRET);
                prop_assert_eq!(Secret::decode(&encoded).unwrap().encode(), encoded);
            }
        }

        #[test]
        fn decoding_is_total(bytes: Vec<u8>) {
            if let Some(secret) = Secret::decode(&bytes) {
                prop_assert_eq!(&*secret.encode(), &bytes);
            }
        }
    }
}
