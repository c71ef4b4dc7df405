//! One server's word on another.

use std::fmt;

use super::found::Listed;
use super::who::Who;
use crate::probing::family::{self, Member};
use crate::topology::Address;

/// Why a server is believed to belong to the cluster. They are ordered from the best to the least.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It is in the replication group of a server.
    Member {
        /// The address of that server.
        of: Address,
    },
    /// It is in the Aurora cluster of a server.
    Instance {
        /// The address of that server.
        of: Address,
    },
    /// A server lists it as its replica.
    Follows {
        /// The address of that server.
        of: Address,
    },
    /// A server replicates from it.
    Followed {
        /// The address of that server.
        by: Address,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member { of } => write!(f, "it is in the replication group of {of}"),
            Self::Instance { of } => write!(f, "it is in the Aurora cluster of {of}"),
            Self::Follows { of } => write!(f, "it follows {of}"),
            Self::Followed { by } => write!(f, "{by} follows it"),
        }
    }
}

/// Who a server must turn out to be when it is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Claim {
    /// `server_uuid`. Of a replica it is what its source's dump thread was told; empty on MariaDB.
    pub uuid: String,
    /// `server_id`, 0 where it is not known.
    pub server_id: u64,
    /// `aurora_server_id`; empty elsewhere.
    pub instance: String,
}

impl Claim {
    /// Whether nothing is known that could be compared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.uuid.is_empty() && self.server_id == 0 && self.instance.is_empty()
    }

    /// Whether a server is the one that was told of. Server ids count where there is nothing better: within a cluster
    /// they differ, or replication would not run.
    #[must_use]
    pub fn is(&self, who: &Who) -> bool {
        if !self.instance.is_empty() {
            self.instance == who.instance
        } else if !self.uuid.is_empty() {
            self.uuid == who.uuid
        } else {
            self.server_id != 0 && self.server_id == who.server_id
        }
    }

    /// What two tellers must agree in to mean one server.
    pub(super) fn key(&self) -> Self {
        if !self.instance.is_empty() {
            Self { instance: self.instance.clone(), ..Self::default() }
        } else if !self.uuid.is_empty() {
            Self { uuid: self.uuid.clone(), ..Self::default() }
        } else {
            self.clone()
        }
    }
}

/// What one server says of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) address: Option<Address>,
    pub(super) claim: Claim,
    pub(super) evidence: Evidence,
    /// `server_id` of who tells.
    pub(super) told_by: u64,
}

/// Every server that a known one tells of.
pub(super) fn leads(teller: &Listed<'_>) -> Vec<Lead> {
    let Some(word) = teller.word.filter(|_| teller.tells) else { return Vec::new() };
    let of = || teller.address.clone();
    let lead = |address, claim, evidence| Lead { address, claim, evidence, told_by: word.who.server_id };
    let sources = word.sources.iter().filter(|_| !teller.heads).map(|channel| {
        let claim = Claim {
            uuid: channel.source_uuid.clone(),
            server_id: channel.source_server_id,
            ..Claim::default()
        };
        lead(channel.source.parse().ok(), claim, Evidence::Followed { by: of() })
    });
    let followers = word.followers.iter().map(|follower| {
        let claim = Claim { uuid: follower.uuid.clone(), server_id: follower.server_id, ..Claim::default() };
        lead(follower.address.clone(), claim, Evidence::Follows { of: of() })
    });
    let members = word.members.iter().filter(|member| member.is_there()).map(|member: &Member| {
        let claim = Claim { uuid: member.uuid.clone(), ..Claim::default() };
        lead(member.address.clone(), claim, Evidence::Member { of: of() })
    });
    let instances = word.instances.iter().filter(|instance| instance.is_there()).map(|instance| {
        let claim = Claim { instance: instance.id.clone(), ..Claim::default() };
        let address = family::endpoint(teller.address, &instance.id);
        lead(address, claim, Evidence::Instance { of: of() })
    });
    sources.chain(followers).chain(members).chain(instances).collect()
}
