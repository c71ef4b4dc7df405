//! What one server says of itself and of others.

use std::collections::BTreeMap;

use super::who::Who;
use crate::probing::Replication;
use crate::probing::family::{Family, Instance, Member};
use crate::probing::survey::Follower;
use crate::topology::Flavor;

/// Everything a server said that helps to find others. What it would not say is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Who it is.
    pub who: Who,
    /// How it keeps copies.
    pub family: Family,
    /// From whom it replicates, one entry a channel.
    pub sources: Vec<Replication>,
    /// Replicas that have registered with it. A replica that has left stays listed until its dump thread next fails
    /// to send: over 30 s on an idle server, measured on both.
    pub followers: Vec<Follower>,
    /// The members of its replication group.
    pub members: Vec<Member>,
    /// The instances of its Aurora cluster.
    pub instances: Vec<Instance>,
}

impl Word {
    /// What the variables of [`super::queries::variables`] say, names in lower case; the rest is for the caller
    /// to fill in.
    #[must_use]
    pub fn read(flavor: Flavor, variables: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self {
            who: Who::read(variables)?,
            family: Family::read(flavor, variables),
            sources: Vec::new(),
            followers: Vec::new(),
            members: Vec::new(),
            instances: Vec::new(),
        })
    }
}
