//! Sockets: listeners, streams, TLS.
