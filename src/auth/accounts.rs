//! Accounts as the server stores them.

use super::method::Method;
use super::scramble::SHA1_LEN;

/// One row of `mysql.user` for a user name: what it says about logging in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// The method the account wants.
    pub method: Method,
    /// `SHA1(SHA1(password))` of an account with a native password.
    pub native_verifier: Option<[u8; SHA1_LEN]>,
}

impl StoredAccount {
    /// Reads the columns `plugin` and `authentication_string`.
    ///
    /// Total: an unreadable hash makes an account whose password nobody knows, as on the server.
    #[must_use]
    pub fn parse(plugin: &[u8], authentication_string: &[u8]) -> Self {
        let method = Method::from_name(plugin);
        let native_verifier =
            if method == Method::Native { read_verifier(authentication_string) } else { None };
        Self { method, native_verifier }
    }
}

/// What was found out about the accounts of a user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// The rows, none for an unknown user. Anonymous accounts (user `''`) match every name and
    /// belong to the rows of each.
    Rows(Vec<StoredAccount>),
    /// `mysql.user` could not be read: no control account, no privilege, no primary.
    Unavailable,
}

/// `*` and 40 hexadecimal digits.
fn read_verifier(text: &[u8]) -> Option<[u8; SHA1_LEN]> {
    let digits = text.strip_prefix(b"*")?;
    if digits.len() != 2 * SHA1_LEN {
        return None;
    }
    let mut out = [0; SHA1_LEN];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The stored form of the password `password`, as in mysql.user.
    const PASSWORD: &[u8] = b"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

    #[test]
    fn native_rows_carry_a_verifier() {
        let row = StoredAccount::parse(b"mysql_native_password", PASSWORD);
        assert_eq!(row.method, Method::Native);
        assert_eq!(row.native_verifier.unwrap()[..4], [0x24, 0x70, 0xC0, 0xC0]);
        // Rows of old servers name no plugin.
        assert_eq!(StoredAccount::parse(b"", PASSWORD), row);
    }

    #[test]
    fn other_rows_carry_none() {
        assert_eq!(StoredAccount::parse(b"mysql_native_password", b"").native_verifier, None);
        assert_eq!(StoredAccount::parse(b"mysql_native_password", b"invalid").native_verifier, None);
        assert_eq!(StoredAccount::parse(b"mysql_native_password", b"*GG").native_verifier, None);
        let sha2 = StoredAccount::parse(b"caching_sha2_password", b"$A$005$salt");
        assert_eq!(sha2, StoredAccount { method: Method::CachingSha2, native_verifier: None });
        let ed25519 = StoredAccount::parse(b"ed25519", b"x");
        assert_eq!(ed25519.method, Method::Unsupported("ed25519".into()));
    }

    proptest! {
        #[test]
        fn parsing_is_total(plugin: Vec<u8>, text: Vec<u8>) {
            let row = StoredAccount::parse(&plugin, &text);
            prop_assert!(row.native_verifier.is_none() || row.method == Method::Native);
        }
    }
}
