//! A raw client of the protocol: it chooses its capabilities and shows every packet it is sent.
//!
//! It is written from the protocol's documentation and shares only packet framing and field readers
//! with Headgate, so that a mistake there is not made twice.

mod command;
mod compression;
mod connection;
mod crypto;
mod login;
mod reply;
mod tls;
mod values;

pub(crate) use command::{CURSOR_READ_ONLY, Param, Shape};
pub(crate) use compression::Compression;
pub(crate) use connection::Connection;
pub(crate) use login::{Options, PLAIN_CLIENT};
pub(crate) use reply::Reply;
