//! Which server is meant by what a replica calls its source.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::backend::Target;
use crate::probing::standing::{Channels, Names};
use crate::topology::{Address, ServerId};

/// The servers by their names: the addresses of the configuration, and what they say of themselves.
#[derive(Debug, Default)]
pub(super) struct Directory {
    addresses: HashMap<String, ServerId>,
    origins: Mutex<HashMap<String, ServerId>>,
    /// Addresses under which replicas know a server, and Headgate does not. A replica that was restarted while its
    /// source was away tells nothing else of it.
    learned: Mutex<HashMap<String, ServerId>>,
}

impl Directory {
    pub(super) fn new(targets: &[Target]) -> Self {
        let addresses = targets.iter().map(|target| (target.address.to_string(), target.server)).collect();
        Self { addresses, ..Self::default() }
    }

    /// The server at an address as people write it.
    pub(super) fn server(&self, address: &str) -> Option<ServerId> {
        let written = address.parse::<Address>().ok()?.to_string();
        self.addresses.get(&written).copied()
    }

    /// A server's address.
    pub(super) fn address(&self, server: ServerId) -> Option<&str> {
        self.addresses.iter().find(|(_, id)| **id == server).map(|(address, _)| address.as_str())
    }

    /// A server has said who it is.
    pub(super) fn is_called(&self, server: ServerId, origin: &str) {
        self.origins.lock().insert(origin.to_owned(), server);
    }

    /// A replica has said where its source is and what it is called.
    pub(super) fn learn(&self, channels: &Channels) {
        let Some((address, origin)) = &channels.source else { return };
        if let Some(server) = self.origin(origin)
            && !self.addresses.contains_key(address)
        {
            self.learned.lock().insert(address.clone(), server);
        }
    }

    /// A text with servers under their addresses instead of their numbers.
    pub(super) fn spell(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some(at) = rest.find(WORD) {
            let (before, from) = rest.split_at(at);
            let after = from.get(WORD.len()..).unwrap_or_default();
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (number, behind) = after.split_at(digits);
            out.push_str(before);
            match number.parse().ok().and_then(|number| self.address(ServerId(number))) {
                Some(address) => out.push_str(address),
                None => out.extend([WORD, number]),
            }
            rest = behind;
        }
        out + rest
    }
}

/// What stands before a server's number where no address is known.
const WORD: &str = "server ";

impl Names for Directory {
    fn at(&self, address: &str) -> Option<ServerId> {
        self.addresses.get(address).copied().or_else(|| self.learned.lock().get(address).copied())
    }

    fn origin(&self, origin: &str) -> Option<ServerId> {
        self.origins.lock().get(origin).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        Directory {
            addresses: [("db1:3306".to_owned(), ServerId(0)), ("db2:3306".to_owned(), ServerId(12))].into(),
            ..Directory::default()
        }
    }

    #[test]
    fn servers_are_spelled_out() {
        let check = |text: &str, expected: &str| assert_eq!(directory().spell(text), expected);
        check("server 0 is the primary", "db1:3306 is the primary");
        check("not server 12: server 0", "not db2:3306: db1:3306");
        check("server 3, the server is", "server 3, the server is");
    }

    #[test]
    fn a_source_is_known_by_the_address_that_replicas_use() {
        let directory = directory();
        assert_eq!(directory.at("10.0.0.1:3306"), None);
        directory.is_called(ServerId(0), "u1");
        let source = Some(("10.0.0.1:3306".to_owned(), "u1".to_owned()));
        directory.learn(&Channels { source, several: false });
        assert_eq!(directory.at("10.0.0.1:3306"), Some(ServerId(0)));
        assert_eq!((directory.server("DB1"), directory.server("db2:3306")), (None, Some(ServerId(12))));
    }
}
