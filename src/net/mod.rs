//! Sockets: listeners, streams with their buffers, TLS.

pub mod buffer;
mod compressed;
pub mod link;
pub mod listener;
pub mod socket;
pub mod tls;
