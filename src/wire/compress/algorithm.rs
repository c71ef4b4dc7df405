//! What both sides have agreed to compress with.

use super::packet::{Broken, Header};
use crate::wire::capabilities::Capabilities;

/// How packets are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// zlib, always at the level that servers use.
    Zlib,
    /// zstd.
    Zstd {
        /// The level that the client asks for, for both directions: 1 to 22.
        level: u8,
    },
}

/// A client asks for a level that zstd does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("zstd has the levels 1 to 22, not {level}")]
pub struct NoSuchLevel {
    /// What was asked for; 0 where it was nothing.
    pub level: u8,
}

impl Algorithm {
    /// What the flags that both sides have set come to. zlib where both are, as servers have it, and then the
    /// level is not looked at.
    ///
    /// # Errors
    /// zstd with a level that it does not have.
    pub fn chosen(capabilities: Capabilities, zstd_level: u8) -> Result<Option<Self>, NoSuchLevel> {
        if capabilities.contains(Capabilities::COMPRESS) {
            return Ok(Some(Self::Zlib));
        }
        if !capabilities.contains(Capabilities::ZSTD) {
            return Ok(None);
        }
        match zstd_level {
            level @ 1..=22 => Ok(Some(Self::Zstd { level })),
            level => Err(NoSuchLevel { level }),
        }
    }

    /// No stream holds more than so many times its length.
    const fn densest(self) -> usize {
        match self {
            // 258 bytes in two bits.
            Self::Zlib => 1032,
            // Blocks of 128 KiB in four bytes.
            Self::Zstd { .. } => 128 * 1024 / 4,
        }
    }

    /// Whether what a header speaks of can be true.
    pub(super) const fn check_promise(self, header: Header) -> Result<(), Broken> {
        let Header { len, unpacked, .. } = header;
        if unpacked > len * self.densest() {
            Err(Broken::Promise { len, promised: unpacked })
        } else {
            Ok(())
        }
    }
}
