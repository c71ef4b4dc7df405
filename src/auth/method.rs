//! The names of login methods.

/// A login method ("authentication plugin") by the name the client side of it has in the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// `caching_sha2_password`, MySQL's default since 8.0.
    CachingSha2,
    /// `mysql_native_password`, MariaDB's default, and what clients without PLUGIN_AUTH speak.
    Native,
    /// `sha256_password`.
    Sha256,
    /// `mysql_clear_password`.
    Clear,
    /// A method that cannot be passed through, with its name made fit for a message.
    Unsupported(Box<str>),
}

impl Method {
    /// Reads a name as it travels in greetings, login requests and switch requests. Servers compare
    /// these names without regard to case. An empty name is the method of before there were names.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        let known = [Self::CachingSha2, Self::Native, Self::Sha256, Self::Clear];
        if name.is_empty() {
            return Self::Native;
        }
        known
            .into_iter()
            .find(|method| name.eq_ignore_ascii_case(method.name().as_bytes()))
            .unwrap_or_else(|| Self::Unsupported(printable(name)))
    }

    /// The name in the protocol.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::CachingSha2 => "caching_sha2_password",
            Self::Native => "mysql_native_password",
            Self::Sha256 => "sha256_password",
            Self::Clear => "mysql_clear_password",
            Self::Unsupported(name) => name,
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A peer chose these bytes, and they end up in logs and error messages.
fn printable(name: &[u8]) -> Box<str> {
    name.iter()
        .take(LONGEST_NAME)
        .map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' })
        .collect::<String>()
        .into_boxed_str()
}

/// Identifiers of servers have at most 64 characters.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_without_regard_to_case() {
        for method in [Method::CachingSha2, Method::Native, Method::Sha256, Method::Clear] {
            assert_eq!(Method::from_name(method.name().as_bytes()), method);
            assert_eq!(Method::from_name(method.name().to_uppercase().as_bytes()), method);
        }
        assert_eq!(Method::from_name(b""), Method::Native);
    }

    #[test]
    fn unknown_names_are_made_printable_and_short() {
        assert_eq!(Method::from_name(b"client_ed25519"), Method::Unsupported("client_ed25519".into()));
        assert_eq!(Method::from_name(b"a\n\xff"), Method::Unsupported("a??".into()));
        assert_eq!(Method::from_name(&[b'x'; 5000]).name().len(), LONGEST_NAME);
    }
}
