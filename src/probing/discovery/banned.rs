//! What an operator decides about the servers: which are added, and which are not to be found again.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::found::Found;
use super::roster::{Entry, Origin, Roster, Standing, entry};
use super::who::Who;
use crate::topology::{Address, ServerId};

/// The most servers that are remembered as taken out.
const MOST_BANNED: usize = 256;

/// A server that an operator has taken out.
#[derive(Debug, Clone)]
pub(super) struct Banned {
    address: Address,
    who: Option<Who>,
}

/// Why a server is not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdded {
    /// It is there.
    #[error("{address} is among the servers already")]
    Known {
        /// Its address.
        address: Address,
    },
    /// There are as many as there may be.
    #[error("there are {most} servers, and no more can be watched")]
    TooMany {
        /// How many.
        most: usize,
    },
}

impl Roster {
    /// An operator names a server. One that was found stays for good from now on.
    ///
    /// # Errors
    /// It is named already, or there are too many.
    pub fn add(&mut self, address: &Address) -> Result<ServerId, NotAdded> {
        self.banned.retain(|banned| banned.address != *address);
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.address == *address) {
            if known.origin != Origin::Found {
                return Err(NotAdded::Known { address: address.clone() });
            }
            (known.origin, known.claim) = (Origin::Added, None);
            known.evidence.clear();
            known.standing = Standing::Unheard;
            return Ok(known.id);
        }
        let too_many = NotAdded::TooMany { most: self.policy.most };
        let id = self.next.filter(|_| self.entries.len() < self.policy.most).ok_or(too_many)?;
        self.next = id.checked_add(1);
        self.entries.push(entry(ServerId(id), address.clone(), Origin::Added, None));
        Ok(ServerId(id))
    }

    /// An operator takes a server out. It is not found again until it is added.
    pub fn remove(&mut self, id: ServerId) {
        let Some(at) = self.entries.iter().position(|entry| entry.id == id) else { return };
        let gone = self.entries.remove(at);
        if self.banned.len() < MOST_BANNED {
            self.banned.push(Banned { address: gone.address, who: gone.word.map(|word| word.who) });
        }
    }

    /// Says which server leads the cluster by the word of servers that were named, if one does.
    pub fn set_head(&mut self, head: Option<ServerId>) {
        for entry in &mut self.entries {
            entry.heads = Some(entry.id) == head;
        }
    }

    /// The addresses of servers that were named, as far as they are known.
    #[must_use]
    pub fn named_at(&self) -> BTreeSet<IpAddr> {
        let named = self.entries.iter().filter(|entry| entry.origin != Origin::Found);
        let of = |address: &Address| match address {
            Address::Tcp { host, .. } => self.places.of(host)?.ok(),
            Address::Unix(_) => Some(BTreeSet::from([IpAddr::V4(Ipv4Addr::LOCALHOST)])),
        };
        named.filter_map(|entry| of(&entry.address)).flatten().collect()
    }

    /// Names of hosts that have never been looked up.
    #[must_use]
    pub fn unknown_names(&self) -> Vec<String> {
        let host = |entry: &Entry| match &entry.address {
            Address::Tcp { host, .. } => Some(host.clone()),
            Address::Unix(_) => None,
        };
        self.entries.iter().filter_map(host).filter(|host| self.places.of(host).is_none()).collect()
    }

    pub(super) fn is_banned(&self, found: &Found) -> bool {
        self.banned.iter().any(|banned| {
            found.address.as_ref() == Some(&banned.address)
                || banned.who.as_ref().is_some_and(|who| found.claim.is(who))
        })
    }
}
