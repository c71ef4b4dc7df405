//! Sockets: listeners, streams, TLS.

pub mod tls;
