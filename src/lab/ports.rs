//! Loopback ports that stay ours.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use super::error::{AtPath, LabError, Result};

/// Below the range the kernel takes for outgoing connections, so that a port stays free while its
/// server is down.
const FIRST: u16 = 21_000;
const LAST: u16 = 31_999;

/// A port no other laboratory takes while this value lives.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a free port by a lock file in `folder`, which all laboratories of a user share.
    pub(super) fn reserve(folder: &Path) -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        fs::create_dir_all(folder).at("create", folder)?;
        let span = LAST - FIRST + 1;
        // Processes that start together begin at different places.
        let start = u16::try_from(process::id().wrapping_mul(37) % u32::from(span)).unwrap_or_default();
        for _ in 0..span {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
            let number =
                FIRST + u16::try_from((u32::from(start) + u32::from(step)) % u32::from(span)).unwrap_or(0);
            let path = folder.join(number.to_string());
            let lock = File::create(&path).at("create", &path)?;
            let free = lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok();
            if free {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(LabError::NoFreePort { from: FIRST, to: LAST })
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}
