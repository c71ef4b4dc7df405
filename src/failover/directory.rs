//! Which server is meant by what a replica calls its source.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::state::put;
use crate::backend::Target;
use crate::probing::standing::{Channels, Names};
use crate::topology::{Address, ServerId};

/// The servers by their names: the addresses at which Headgate knows them, and what they say of themselves.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// How each is reached that is there.
    targets: Mutex<BTreeMap<ServerId, Target>>,
    /// Those that were there once among them, since people still read of them.
    addresses: Mutex<HashMap<String, ServerId>>,
    origins: Mutex<HashMap<String, ServerId>>,
    /// Addresses under which replicas know a server, and Headgate does not. A replica that was restarted while its
    /// source was away tells nothing else of it.
    learned: Mutex<HashMap<String, ServerId>>,
    /// Something is known that is not written down yet.
    news: AtomicBool,
}

/// The name of the file that keeps both over a restart: a primary that is dead then does not say who it was.
const FILE: &str = "failover-servers.toml";

/// The file. Servers are named by their addresses, since their numbers are for one run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    /// UUIDs of MySQL, server ids of MariaDB.
    origins: BTreeMap<String, String>,
    /// Addresses that replicas use.
    addresses: BTreeMap<String, String>,
}

impl Directory {
    /// These are the servers from now on.
    pub(super) fn follow<'a>(&self, targets: impl IntoIterator<Item = &'a Target>) {
        let (mut known, mut addresses) = (self.targets.lock(), self.addresses.lock());
        known.clear();
        for target in targets {
            addresses.insert(target.address.to_string(), target.server);
            known.insert(target.server, target.clone());
        }
    }

    /// How a server is reached.
    pub(super) fn target(&self, server: ServerId) -> Option<Target> {
        self.targets.lock().get(&server).cloned()
    }

    /// Takes in what an earlier run has written down. What is unreadable is learned anew.
    pub(super) fn recall(&self, folder: &Path) {
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
        let written: Written = toml::from_str(&text).unwrap_or_default();
        let known = |names: BTreeMap<String, String>| {
            names
                .into_iter()
                .filter_map(|(name, address)| Some((name, self.server(&address)?)))
                .collect::<Vec<_>>()
        };
        self.origins.lock().extend(known(written.origins));
        self.learned.lock().extend(known(written.addresses));
    }

    /// Writes down what is known, where anything is new.
    pub(super) fn write_down(&self, folder: &Path) -> std::io::Result<()> {
        if !self.news.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let named = |names: &Mutex<HashMap<String, ServerId>>| {
            let named = |(name, server): (&String, &ServerId)| Some((name.clone(), self.address(*server)?));
            names.lock().iter().filter_map(named).collect()
        };
        let written = Written { origins: named(&self.origins), addresses: named(&self.learned) };
        let text = toml::to_string(&written).map_err(std::io::Error::other)?;
        put(&folder.join(FILE), &text)
    }

    /// The server at an address as people write it.
    pub(super) fn server(&self, address: &str) -> Option<ServerId> {
        let written = address.parse::<Address>().ok()?.to_string();
        self.addresses.lock().get(&written).copied()
    }

    /// A server's address.
    pub(super) fn address(&self, server: ServerId) -> Option<String> {
        self.addresses.lock().iter().find(|(_, id)| **id == server).map(|(address, _)| address.clone())
    }

    /// A server has said who it is.
    pub(super) fn is_called(&self, server: ServerId, origin: &str) {
        let before = self.origins.lock().insert(origin.to_owned(), server);
        if before != Some(server) {
            self.news.store(true, Ordering::Relaxed);
        }
    }

    /// A replica has said where its source is and what it is called.
    pub(super) fn learn(&self, channels: &Channels) {
        let Some((address, origin)) = &channels.source else { return };
        if let Some(server) = self.origin(origin)
            && !self.addresses.lock().contains_key(address)
        {
            let before = self.learned.lock().insert(address.clone(), server);
            if before != Some(server) {
                self.news.store(true, Ordering::Relaxed);
            }
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
                Some(address) => out.push_str(&address),
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
        let known = self.addresses.lock().get(address).copied();
        known.or_else(|| self.learned.lock().get(address).copied())
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
            addresses: Mutex::new(HashMap::from([
                ("db1:3306".to_owned(), ServerId(0)),
                ("db2:3306".to_owned(), ServerId(12)),
            ])),
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

    #[test]
    fn what_was_learned_outlives_a_run() {
        let folder = std::env::temp_dir().join(format!("headgate-directory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let before = directory();
        before.is_called(ServerId(0), "u1");
        before
            .learn(&Channels { source: Some(("10.0.0.1:3306".to_owned(), "u1".to_owned())), several: false });
        before.write_down(&folder).unwrap();
        let after = directory();
        after.recall(&folder);
        assert_eq!((after.origin("u1"), after.at("10.0.0.1:3306")), (Some(ServerId(0)), Some(ServerId(0))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
