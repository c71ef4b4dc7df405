//! Who may come in: addresses, users, limits, proxies in front and servers that are told of clients, with the
//! real program before real servers. Loopback has addresses enough to be many clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod client;
mod ipv6;
mod limits;
mod networks;
mod place;
mod proxies;
mod servers;
