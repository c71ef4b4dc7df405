//! Compressed packets: pieces of the stream of ordinary packets, each with a header of seven bytes.
//!
//! A layer of its own under the ordinary packets and over TLS, from the login's OK on. A piece may hold
//! several packets or a part of one. Each piece is a zlib stream or a zstd frame by itself, so nothing but
//! a count has to be kept from one to the next, and a thread's [`Workspace`] serves all its connections.
//!
//! Servers take a stream that ends early or has bytes behind it; here both are refused: no client makes
//! them, and what is not understood to the last byte is not passed on. Source: MySQL Internals,
//! "Compression"; `sql-common/net_serv.cc` and `mysys/my_compress.cc` of the server.

mod algorithm;
mod compression;
mod packet;
mod workspace;

pub use algorithm::{Algorithm, NoSuchLevel};
pub use compression::Compression;
pub use packet::{Broken, HEADER, Header, MAX_PAYLOAD, Numbers, SHORTEST};
pub use workspace::Workspace;

#[cfg(test)]
mod tests;
