//! Which family a server is of.

use std::collections::BTreeMap;
use std::fmt;

use crate::topology::Flavor;

/// How a server keeps copies of its data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Family {
    /// Replicas read a primary's binary log.
    #[default]
    Replication,
    /// MySQL's Group Replication is configured. Whether it runs, its members say.
    Group {
        /// `group_replication_group_name`, under which the group's transactions have their GTIDs.
        name: String,
    },
    /// Amazon Aurora: instances on one storage.
    Aurora,
    /// Galera, also as Percona XtraDB Cluster: every node takes writes.
    Galera,
}

/// Who may make another server the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// Headgate, where the operator lets it.
    Ours,
    /// The cluster itself; Headgate follows.
    Theirs,
    /// Nobody: such a cluster is not used.
    Refused,
}

impl Family {
    /// Reads the variables of [`crate::probing::discovery::queries::variables`], names in lower case.
    ///
    /// A server without Galera answers `wsrep_on` OFF and `wsrep_provider` none (MariaDB 10.11), or has neither. The
    /// variables of Group Replication are there while its plugin is loaded; without a name it cannot run. Aurora is
    /// known by `aurora_version` (Amazon's "Aurora MySQL configuration parameters").
    #[must_use]
    pub fn read(flavor: Flavor, variables: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
        let provider = text("wsrep_provider");
        let provided = !provider.is_empty() && !provider.eq_ignore_ascii_case("none");
        let name = text("group_replication_group_name");
        if provided && is_on(text("wsrep_on")) {
            Self::Galera
        } else if !text("aurora_version").is_empty() || !text("aurora_server_id").is_empty() {
            Self::Aurora
        } else if flavor == Flavor::MySql && !name.is_empty() {
            Self::Group { name: name.to_ascii_lowercase() }
        } else {
            Self::Replication
        }
    }

    /// Who may promote.
    #[must_use]
    pub const fn promotion(&self) -> Promotion {
        match self {
            Self::Replication => Promotion::Ours,
            Self::Group { .. } | Self::Aurora => Promotion::Theirs,
            Self::Galera => Promotion::Refused,
        }
    }

    /// Why a server of this family is not used, if it is not.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Galera => Some(
                "it is a node of a Galera cluster, of which Headgate cannot tell the one node to write to; connect to \
                 the cluster directly",
            ),
            Self::Replication | Self::Group { .. } | Self::Aurora => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replication => "replication",
            Self::Group { .. } => "Group Replication",
            Self::Aurora => "Aurora",
            Self::Galera => "Galera",
        })
    }
}

fn is_on(value: &str) -> bool {
    value.eq_ignore_ascii_case("on") || value == "1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_by_variables() {
        let check = |flavor, pairs: &[(&str, &str)], expected: Family| {
            let variables =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(Family::read(flavor, &variables), expected, "{pairs:?}");
        };
        let group = || Family::Group { name: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa".into() };
        let (mysql, mariadb) = (Flavor::MySql, Flavor::MariaDb);
        check(mysql, &[("server_id", "1")], Family::Replication);
        check(mariadb, &[("wsrep_on", "OFF"), ("wsrep_provider", "none")], Family::Replication);
        let library = "/usr/lib/galera/libgalera_smm.so";
        check(mariadb, &[("wsrep_on", "ON"), ("wsrep_provider", "none")], Family::Replication);
        check(mariadb, &[("wsrep_on", "OFF"), ("wsrep_provider", library)], Family::Replication);
        check(mariadb, &[("wsrep_on", "ON"), ("wsrep_provider", library)], Family::Galera);
        check(mysql, &[("wsrep_on", "ON"), ("wsrep_provider", library)], Family::Galera);
        check(mysql, &[("group_replication_group_name", "")], Family::Replication);
        let name = "AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA";
        check(mysql, &[("group_replication_group_name", name)], group());
        check(mysql, &[("aurora_version", "3.08.0")], Family::Aurora);
        assert_eq!(group().promotion(), Promotion::Theirs);
        assert!(Family::Galera.refusal().is_some() && group().refusal().is_none());
    }
}
