//! How servers are reached in Headgate's own name.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connect::Target;
use crate::net::tls::ClientTls;
use crate::topology::{Address, ServerId};
use crate::wire::proxy_protocol::Announced;

/// How servers are reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// TLS towards them.
    pub tls: Arc<ArcSwap<ClientTls>>,
    /// For the socket, and again for handshake and login together.
    pub timeout: Duration,
    /// What they are told, where they take a PROXY header.
    pub announced: Option<Announced>,
}

impl Way {
    /// A server at its address, in Headgate's own name. `only`: the addresses its name may lead to.
    #[must_use]
    pub fn target(&self, server: ServerId, address: &Address, only: Option<Arc<[IpAddr]>>) -> Target {
        Target {
            server,
            address: address.clone(),
            only,
            tls: Arc::clone(&self.tls),
            timeout: self.timeout,
            announced: self.announced,
        }
    }
}
