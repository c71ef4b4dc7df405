//! One number for all statements that differ in literals only.

use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

use super::LexMode;
use super::lexer::{Kind, Lexer};

/// Statements with the same tokens but other literals have the same digest, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

/// The digest of a statement. Names are compared in one case; white space and comments count for nothing.
pub fn digest(text: &[u8], mode: LexMode) -> Digest {
    let mut hasher = FixedState::default().build_hasher();
    for token in Lexer::new(text, mode) {
        match token.kind {
            Kind::Text | Kind::Number => hasher.write_u8(b'?'),
            _ => {
                for byte in token.text {
                    hasher.write_u8(byte.to_ascii_lowercase());
                }
            }
        }
        hasher.write_u8(0);
    }
    Digest(hasher.finish())
}
