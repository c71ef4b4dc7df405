//! What one server says of the cluster it is in.

use super::{Family, Instance, Member, MemberState};

/// What one server says of the cluster it is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kin {
    /// How the cluster keeps its copies.
    pub family: Family,
    /// The members of its replication group. Nothing where the account may not ask, or there is no group.
    pub members: Option<Vec<Member>>,
    /// Its own name among Aurora's instances; empty elsewhere.
    pub instance: String,
    /// The instances of its Aurora cluster.
    pub instances: Vec<Instance>,
}

impl Kin {
    /// Its own state in its replication group, as far as it says.
    #[must_use]
    pub fn in_group(&self, uuid: &str) -> Option<MemberState> {
        let Family::Group { .. } = self.family else { return None };
        let members = self.members.as_ref()?;
        Some(members.iter().find(|member| member.uuid == uuid).map_or(MemberState::Offline, |own| own.state))
    }
}
