//! The login methods against real peers: our client side at real servers, real clients at our server
//! side. The whole program's login is tested elsewhere; here every method meets every channel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod clients;
mod packets;
mod servers;
