use crate::sql::{Name, charset_is_safe};
use crate::topology::Collations;

/// The character set a session speaks, and how to give another connection the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charset {
    /// As the handshake asked for: the collation's id, and the character set it belongs to.
    Handshake { collation: u16, charset: Name },
    /// As `SET NAMES` asked for.
    Names { charset: Name, collation: Option<Name> },
    /// Not known, so that no other connection can be given it.
    Unknown,
}

impl Charset {
    /// What a handshake with this collation id means on servers with these collations.
    pub fn handshake(collation: u16, collations: &Collations) -> Self {
        match collations.get(collation).and_then(|known| Name::new(known.charset.as_bytes())) {
            Some(charset) => Self::Handshake { collation, charset },
            None => Self::Unknown,
        }
    }

    /// The name of `character_set_client`.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Handshake { charset, .. } | Self::Names { charset, .. } => {
                std::str::from_utf8(charset.as_bytes()).ok()
            }
            Self::Unknown => None,
        }
    }

    /// Whether texts in it can be read byte by byte.
    pub fn is_safe(&self) -> bool {
        self.name().is_some_and(charset_is_safe)
    }

    /// Whether a server that reports `reported` for `character_set_client` means this one.
    pub(super) fn is_called(&self, reported: &[u8]) -> bool {
        // utf8 is an alias that servers report under either name.
        let full = |name: &[u8]| {
            if name.eq_ignore_ascii_case(b"utf8") { b"utf8mb3".to_vec() } else { name.to_vec() }
        };
        self.name().is_some_and(|name| full(name.as_bytes()).eq_ignore_ascii_case(&full(reported)))
    }
}
