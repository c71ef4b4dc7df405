//! TLS, towards clients and towards servers.
//!
//! - [`ServerTls`]: Headgate's certificate, given or made by itself; `accept` answers a client's
//!   SSLRequest. Can be reloaded while in use.
//! - [`ClientTls`]: the five modes of MySQL's `--ssl-mode`; `wants` decides, `connect` upgrades. A
//!   value: to reload, load another and hand it to the next connection.
//!
//! TLS 1.2 is the oldest version on both sides. Handshakes have no deadline of their own: wrap them in
//! the login's. A peer that closes without close_notify reads as
//! [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof); most clients do, and it is a normal end
//! ([`is_plain_end`]).

mod client;
mod error;
mod own_certificate;
mod pem_files;
mod public_key;
mod server;
mod verifier;

pub use client::{ClientSettings, ClientTls, Mode};
pub use error::{TlsError, is_plain_end};
pub use pem_files::CertificateFiles;
pub use server::{CertificateSource, ServerTls};

#[cfg(test)]
mod tests;
