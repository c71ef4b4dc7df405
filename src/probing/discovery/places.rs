//! What names of hosts lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::topology::Address;

/// What the shell has looked up and tried.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// By host name: its addresses, or why there are none.
    looked_up: BTreeMap<String, Result<BTreeSet<IpAddr>, String>>,
    /// Addresses that nobody answered at when they were last asked.
    silent: BTreeSet<Address>,
}

impl Places {
    /// Notes what a look-up gave.
    pub fn looked_up(&mut self, host: &str, found: Result<BTreeSet<IpAddr>, String>) {
        let canonical = |found: BTreeSet<IpAddr>| found.into_iter().map(|ip| ip.to_canonical()).collect();
        self.looked_up.insert(host.to_owned(), found.map(canonical));
    }

    /// Notes whether somebody answers at an address.
    pub fn answers(&mut self, address: &Address, answers: bool) {
        if answers {
            self.silent.remove(address);
        } else {
            self.silent.insert(address.clone());
        }
    }

    /// Forgets names that are not among these, and what was tried elsewhere, so that neither grows.
    pub(super) fn keep(&mut self, hosts: &BTreeSet<String>, addresses: &BTreeSet<Address>) {
        self.looked_up.retain(|host, _| hosts.contains(host));
        self.silent.retain(|address| addresses.contains(address));
    }

    pub(super) fn is_silent(&self, address: &Address) -> bool {
        self.silent.contains(address)
    }

    /// The addresses of a host; nothing where it has to be looked up first.
    pub(super) fn of(&self, host: &str) -> Option<Result<BTreeSet<IpAddr>, String>> {
        match host.parse::<IpAddr>() {
            Ok(ip) => Some(Ok(BTreeSet::from([ip.to_canonical()]))),
            Err(_) => self.looked_up.get(host).cloned(),
        }
    }

    /// Whether two addresses are known to lead to one socket.
    pub(super) fn meet(&self, one: &Address, other: &Address) -> bool {
        if one == other {
            return true;
        }
        let (Address::Tcp { host, port }, Address::Tcp { host: others, port: other_port }) = (one, other)
        else {
            return false;
        };
        let (Some(Ok(own)), Some(Ok(theirs))) = (self.of(host), self.of(others)) else { return false };
        port == other_port && !own.is_disjoint(&theirs)
    }
}
