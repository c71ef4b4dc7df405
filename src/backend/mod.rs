//! Connections to servers: connect, log in, prepare for use, ask questions of our own.
