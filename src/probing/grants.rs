//! What the control account must be granted, for what, and what of it is missing.
//!
//! One table: `headgate init` prints its statements or runs them, `headgate check --connect` names what is
//! missing, and docs/grants.md is written from it, so that the three cannot tell different things.

use crate::topology::Flavor;
use crate::wire::answer::Answer;

/// What a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Who is the primary, and how far each server has come.
    Monitor,
    /// Whether the binary log leaves anything out.
    BinaryLog,
    /// Telling views from tables.
    Views,
    /// How accounts log in.
    Accounts,
    /// More of accounts than MariaDB shows in `mysql.user`.
    AccountDetails,
    /// What stored functions do.
    Functions,
    /// What triggers and procedures leave on a connection.
    StoredCode,
}

impl Feature {
    /// All, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Monitor,
        Self::BinaryLog,
        Self::Views,
        Self::Accounts,
        Self::AccountDetails,
        Self::Functions,
        Self::StoredCode,
    ];

    /// What it gives, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Monitor => "says who is the primary and where each server stands",
            Self::BinaryLog => "says whether the binary log leaves out what replicas then lack",
            Self::Views => "tells views, which may hide a write, from tables",
            Self::Accounts => {
                "lets clients that know mysql_native_password alone log in, and check look at accounts"
            }
            Self::AccountDetails => "shows check which accounts are locked or have further methods",
            Self::Functions => "lets reads that call stored functions run on replicas",
            Self::StoredCode => {
                "with the grants for functions, lets sessions that write share connections to the primary"
            }
        }
    }

    /// What happens without it.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::Monitor => "no primary is found, so nobody can log in",
            Self::BinaryLog | Self::Views => "no read goes to a replica",
            Self::Accounts => "clients have to know caching_sha2_password, and check cannot look at accounts",
            Self::AccountDetails => "check does not see which accounts are locked or have further methods",
            Self::Functions => "reads that call stored functions run on the primary",
            Self::StoredCode => {
                "sessions that write keep their connections to the primary where these are shared, and reads \
                 after a CALL run on the primary"
            }
        }
    }
}

/// Whether Headgate can do its work without a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It cannot.
    Needed,
    /// Something is missing, and the rest goes on.
    Optional,
}

/// One privilege on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What for.
    pub feature: Feature,
    /// How badly.
    pub weight: Weight,
    flavor: Flavor,
    /// The oldest version that has it.
    since: u32,
    /// The one to grant, then others that serve as well.
    privileges: &'static [&'static str],
    /// `*.*` or `schema.table`.
    pub on: &'static str,
}

const fn need(
    flavor: Flavor,
    feature: Feature,
    weight: Weight,
    privileges: &'static [&'static str],
    on: &'static str,
) -> Need {
    Need { feature, weight, flavor, since: 0, privileges, on }
}

/// Sources: MySQL's manual on SHOW REPLICA STATUS, SHOW BINARY LOG STATUS, the INFORMATION_SCHEMA tables VIEWS
/// and ROUTINES; MariaDB's on GRANT. MariaDB shows REPLICA MONITOR as SLAVE MONITOR and takes REPLICATION CLIENT
/// for BINLOG MONITOR.
const NEEDS: [Need; 14] = [
    need(Flavor::MySql, Feature::Monitor, Weight::Needed, &["REPLICATION CLIENT", "SUPER"], "*.*"),
    need(Flavor::MySql, Feature::Views, Weight::Needed, &["SHOW VIEW", "SELECT"], "*.*"),
    need(Flavor::MySql, Feature::Accounts, Weight::Optional, &["SELECT"], "mysql.user"),
    Need {
        since: 80_020,
        ..need(Flavor::MySql, Feature::Functions, Weight::Optional, &["SHOW_ROUTINE"], "*.*")
    },
    need(
        Flavor::MySql,
        Feature::Functions,
        Weight::Optional,
        &["SELECT"],
        "performance_schema.user_defined_functions",
    ),
    // It lets the account define triggers as well, but their bodies are shown to nobody else, and shared connections
    // are the default. It is of use with SHOW_ROUTINE alone, so older servers are not asked for it.
    Need { since: 80_020, ..need(Flavor::MySql, Feature::StoredCode, Weight::Optional, &["TRIGGER"], "*.*") },
    need(Flavor::MariaDb, Feature::Monitor, Weight::Needed, &["REPLICA MONITOR", "SLAVE MONITOR"], "*.*"),
    need(
        Flavor::MariaDb,
        Feature::BinaryLog,
        Weight::Needed,
        &["BINLOG MONITOR", "REPLICATION CLIENT"],
        "*.*",
    ),
    need(Flavor::MariaDb, Feature::Views, Weight::Needed, &["SHOW VIEW", "SELECT"], "*.*"),
    need(Flavor::MariaDb, Feature::Accounts, Weight::Optional, &["SELECT"], "mysql.user"),
    need(Flavor::MariaDb, Feature::AccountDetails, Weight::Optional, &["SELECT"], "mysql.global_priv"),
    // MariaDB shows bodies to who may read the table that holds them.
    need(Flavor::MariaDb, Feature::Functions, Weight::Optional, &["SELECT"], "mysql.proc"),
    // Loadable functions go before stored ones of the same name.
    need(Flavor::MariaDb, Feature::Functions, Weight::Optional, &["SELECT"], "mysql.func"),
    need(Flavor::MariaDb, Feature::StoredCode, Weight::Optional, &["TRIGGER"], "*.*"),
];

/// What a server of this flavor and version is asked to grant, the needed first.
pub fn needs(flavor: Flavor, version: u32) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(move |need| {
        // A version that cannot be read is taken for a new one.
        need.flavor == flavor && (version == 0 || version >= need.since)
    })
}

/// What `headgate init` needs to look at everything: privileges, and on what. SHOW REPLICAS asks for
/// REPLICATION SLAVE on MySQL and for REPLICATION MASTER ADMIN on MariaDB.
#[must_use]
pub const fn to_survey(flavor: Flavor) -> &'static [(&'static str, &'static str)] {
    match flavor {
        Flavor::MySql => {
            &[("PROCESS, REPLICATION CLIENT, REPLICATION SLAVE", "*.*"), ("SELECT", "mysql.user")]
        }
        Flavor::MariaDb => &[
            ("PROCESS, REPLICA MONITOR, BINLOG MONITOR, REPLICATION MASTER ADMIN", "*.*"),
            ("SELECT", "mysql.user"),
            ("SELECT", "mysql.global_priv"),
        ],
    }
}

/// What finding further servers needs, beside what every server is asked for: privileges, on what, and what they
/// show. They are no [`Need`]: the first of each flavor lets the account do more than watch, so it is for the operator
/// to grant and not for `headgate init`.
///
/// Measured on MySQL 9.7 and MariaDB 10.11, with one privilege at a time: SHOW REPLICAS is refused with 1227 to PROCESS
/// and REPLICATION CLIENT, SHOW REPLICA HOSTS to REPLICATION SLAVE, REPLICA MONITOR, BINLOG MONITOR and PROCESS. The
/// lists of threads are refused to nobody and show an account without PROCESS its own connections alone.
#[must_use]
pub const fn to_discover(flavor: Flavor) -> &'static [(&'static str, &'static str, &'static str)] {
    const THREADS: (&str, &str, &str) =
        ("PROCESS", "*.*", "where a replica that does not report its host connects from");
    match flavor {
        Flavor::MySql => &[
            ("REPLICATION SLAVE", "*.*", "which replicas a server has"),
            THREADS,
            ("SELECT", "performance_schema.replication_group_members", "who is in a replication group"),
        ],
        Flavor::MariaDb => &[("REPLICATION MASTER ADMIN", "*.*", "which replicas a server has"), THREADS],
    }
}

/// A privilege that failover needs, beside what every server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverNeed {
    flavor: Flavor,
    /// The versions that know it: from, and before.
    versions: (u32, u32),
    /// The one to grant, then others that serve as well.
    pub privileges: &'static [&'static str],
    /// `*.*` or `schema.*`.
    pub on: &'static str,
    /// What it is for.
    pub what_for: &'static str,
}

const fn failover_need(
    flavor: Flavor,
    privileges: &'static [&'static str],
    what_for: &'static str,
) -> FailoverNeed {
    FailoverNeed { flavor, versions: (0, u32::MAX), privileges, on: "*.*", what_for }
}

/// Like [`to_discover`], these let the account do more than watch, so they are for the operator to grant. Sources: the
/// manuals' pages of each statement and variable.
const FAILOVER_NEEDS: [FailoverNeed; 21] = [
    failover_need(
        Flavor::MySql,
        &["REPLICATION_SLAVE_ADMIN", "SUPER"],
        "stops receivers, has replicas follow another source",
    ),
    failover_need(
        Flavor::MySql,
        &["SYSTEM_VARIABLES_ADMIN", "SUPER"],
        "sets `super_read_only` and semi-sync",
    ),
    failover_need(Flavor::MySql, &["CONNECTION_ADMIN", "SUPER"], "ends sessions on a server that is fenced"),
    failover_need(Flavor::MySql, &["PROCESS"], "sees them"),
    failover_need(Flavor::MySql, &["RELOAD"], "RESET REPLICA"),
    failover_need(Flavor::MySql, &["XA_RECOVER_ADMIN"], "finds prepared XA branches"),
    failover_need(Flavor::MySql, &["EVENT"], "enables the events of a new primary"),
    FailoverNeed {
        versions: (0, 80_200),
        ..failover_need(Flavor::MySql, &["SET_USER_ID"], "leaves events their definers")
    },
    FailoverNeed {
        versions: (80_200, u32::MAX),
        ..failover_need(Flavor::MySql, &["SET_ANY_DEFINER"], "leaves events their definers")
    },
    FailoverNeed {
        on: "performance_schema.*",
        ..failover_need(Flavor::MySql, &["SELECT"], "counts the heartbeats that replicas get")
    },
    failover_need(
        Flavor::MariaDb,
        &["REPLICATION SLAVE ADMIN", "REPLICATION REPLICA ADMIN", "SUPER"],
        "stops receivers, has replicas follow another source",
    ),
    failover_need(Flavor::MariaDb, &["READ_ONLY ADMIN"], "sets `read_only`"),
    failover_need(
        Flavor::MariaDb,
        &["CONNECTION ADMIN", "SUPER"],
        "ends sessions on a server that is fenced",
    ),
    failover_need(Flavor::MariaDb, &["PROCESS"], "sees them"),
    failover_need(Flavor::MariaDb, &["RELOAD"], "RESET REPLICA"),
    failover_need(Flavor::MariaDb, &["REPLICATION MASTER ADMIN"], "sets semi-sync of a new primary"),
    failover_need(Flavor::MariaDb, &["BINLOG ADMIN"], "REJOIN forgets transactions that were given up"),
    failover_need(Flavor::MariaDb, &["EVENT"], "enables the events of a new primary"),
    failover_need(Flavor::MariaDb, &["SET USER"], "leaves events their definers"),
    failover_need(
        Flavor::MariaDb,
        &["REPLICA MONITOR", "SLAVE MONITOR"],
        "counts the heartbeats that replicas get",
    ),
    failover_need(
        Flavor::MariaDb,
        &["BINLOG MONITOR", "REPLICATION CLIENT"],
        "sees what its logs can still send",
    ),
];

/// What failover needs of a server of this flavor and version.
pub fn to_fail_over(flavor: Flavor, version: u32) -> impl Iterator<Item = &'static FailoverNeed> {
    FAILOVER_NEEDS.iter().filter(move |need| {
        // A version that cannot be read is taken for a new one.
        let version = if version == 0 { u32::MAX - 1 } else { version };
        need.flavor == flavor && version >= need.versions.0 && version < need.versions.1
    })
}

impl Need {
    /// The privilege to grant.
    #[must_use]
    pub fn privilege(&self) -> &'static str {
        self.privileges.first().copied().unwrap_or_default()
    }
}

/// The control account, as a statement names it.
#[derive(Debug, Clone, Copy)]
pub struct Grantee<'a> {
    /// Its name.
    pub user: &'a str,
    /// Its host part.
    pub host: &'a str,
}

impl std::fmt::Display for Grantee<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
        write!(f, "'{}'@'{}'", quoted(self.user), quoted(self.host))
    }
}

/// One GRANT, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Without the semicolon.
    pub sql: String,
    /// What for; several where they are granted together.
    pub features: Vec<Feature>,
    /// Whether Headgate can do without.
    pub weight: Weight,
}

/// The statements that grant `needs`: one for each object, weight by weight. What is optional is granted feature by
/// feature, so that one can be left out.
pub fn statements<'n>(needs: impl IntoIterator<Item = &'n Need>, to: Grantee<'_>) -> Vec<Statement> {
    let mut grouped: Vec<(&'static str, Weight, Vec<&'n Need>)> = Vec::new();
    for need in needs {
        let together = |(on, weight, list): &&mut (&str, Weight, Vec<&Need>)| {
            let one_feature = list.iter().all(|other| other.feature == need.feature);
            *on == need.on && *weight == need.weight && (*weight == Weight::Needed || one_feature)
        };
        match grouped.iter_mut().find(together) {
            Some((_, _, list)) => list.push(need),
            None => grouped.push((need.on, need.weight, vec![need])),
        }
    }
    grouped.sort_by_key(|(_, weight, _)| *weight == Weight::Optional);
    let statement = |(on, weight, needs): (&str, Weight, Vec<&Need>)| {
        let privileges: Vec<&str> = needs.iter().map(|need| need.privilege()).collect();
        let mut features: Vec<Feature> = needs.iter().map(|need| need.feature).collect();
        features.dedup();
        Statement { sql: format!("GRANT {} ON {on} TO {to}", privileges.join(", ")), features, weight }
    };
    grouped.into_iter().map(statement).collect()
}

/// The statement that makes the account, up to its password.
#[must_use]
pub fn create_user(flavor: Flavor, to: Grantee<'_>) -> String {
    match flavor {
        // Named, since a server may have another default.
        Flavor::MySql => format!("CREATE USER {to} IDENTIFIED WITH caching_sha2_password BY"),
        Flavor::MariaDb => format!("CREATE USER {to} IDENTIFIED BY"),
    }
}

/// What an account holds, as `SHOW GRANTS` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<(Vec<String>, String)>);

impl Grants {
    /// Reads the answer. Grants of columns, roles and proxies hold nothing that is asked for here.
    #[must_use]
    pub fn read(answer: &Answer) -> Self {
        let read = |row: &Vec<Option<String>>| {
            let text = row.first()?.as_deref()?.to_ascii_uppercase();
            let (list, rest) = text.strip_prefix("GRANT ")?.split_once(" ON ")?;
            let on = rest.split(" TO ").next()?.replace('`', "");
            Some((list.split(',').map(|privilege| privilege.trim().to_owned()).collect(), on))
        };
        Self(answer.rows.iter().filter_map(read).collect())
    }

    /// Whether one of these privileges is held on an object, by its name or for all of its schema or server.
    #[must_use]
    pub fn hold(&self, privileges: &[&str], on: &str) -> bool {
        let on = on.to_ascii_uppercase();
        let schema = on.split_once('.').map(|(schema, _)| format!("{schema}.*"));
        self.0.iter().any(|(held, held_on)| {
            let covers = *held_on == on || held_on == "*.*" || schema.as_ref() == Some(held_on);
            covers && held.iter().any(|one| one == "ALL PRIVILEGES" || privileges.contains(&one.as_str()))
        })
    }

    /// What is missing of what a server of this flavor and version should grant.
    pub fn missing(&self, flavor: Flavor, version: u32) -> impl Iterator<Item = &'static Need> {
        needs(flavor, version).filter(|need| !self.hold(need.privileges, need.on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(rows: &[&str]) -> Grants {
        let rows = rows.iter().map(|row| vec![Some((*row).to_owned())]).collect();
        Grants::read(&Answer { columns: vec!["Grants".to_owned()], rows, ..Answer::default() })
    }

    /// As MySQL 9.7 and MariaDB 10.11 print them.
    const MYSQL: [&str; 4] = [
        "GRANT REPLICATION CLIENT, SHOW VIEW, TRIGGER ON *.* TO `headgate`@`%`",
        "GRANT SHOW_ROUTINE ON *.* TO `headgate`@`%`",
        "GRANT SELECT ON `mysql`.`user` TO `headgate`@`%`",
        "GRANT SELECT ON `performance_schema`.`user_defined_functions` TO `headgate`@`%`",
    ];
    const MARIADB: [&str; 5] = [
        "GRANT BINLOG MONITOR, SHOW VIEW, SLAVE MONITOR, TRIGGER ON *.* TO `headgate`@`%` IDENTIFIED BY PASSWORD '*84'",
        "GRANT SELECT ON `mysql`.`proc` TO `headgate`@`%`",
        "GRANT SELECT ON `mysql`.`user` TO `headgate`@`%`",
        "GRANT SELECT ON `mysql`.`func` TO `headgate`@`%`",
        "GRANT SELECT ON `mysql`.`global_priv` TO `headgate`@`%`",
    ];

    #[test]
    fn what_is_missing_is_named() {
        let check = |flavor, version, rows: &[&str], expected: &[(&str, &str)]| {
            let missing: Vec<_> =
                grants(rows).missing(flavor, version).map(|need| (need.privilege(), need.on)).collect();
            assert_eq!(missing, expected, "{rows:?}");
        };
        check(Flavor::MySql, 90_704, &MYSQL, &[]);
        let global = [("REPLICATION CLIENT", "*.*"), ("SHOW VIEW", "*.*"), ("TRIGGER", "*.*")];
        check(Flavor::MySql, 90_704, &MYSQL[1..], &global);
        check(Flavor::MySql, 90_704, &MYSQL[..3], &[("SELECT", "performance_schema.user_defined_functions")]);
        let old = [MYSQL[0], MYSQL[2], MYSQL[3]];
        check(Flavor::MySql, 80_019, &old, &[]);
        check(Flavor::MySql, 80_020, &old, &[("SHOW_ROUTINE", "*.*")]);
        check(Flavor::MariaDb, 101_119, &MARIADB, &[]);
        check(Flavor::MariaDb, 101_119, &MARIADB[..4], &[("SELECT", "mysql.global_priv")]);
        let shop = "GRANT TRIGGER ON `shop`.* TO `headgate`@`%`";
        let watching = "GRANT BINLOG MONITOR, SHOW VIEW, SLAVE MONITOR ON *.* TO `headgate`@`%`";
        let of_one_schema = [&[watching, shop], &MARIADB[1..]].concat();
        check(Flavor::MariaDb, 101_119, &of_one_schema, &[("TRIGGER", "*.*")]);
        let all = "GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION";
        check(Flavor::MariaDb, 101_119, &[all], &[]);
        let of_schema = "GRANT SELECT, INSERT ON `mysql`.* TO `headgate`@`%`";
        check(Flavor::MariaDb, 101_119, &[MARIADB[0], of_schema], &[]);
        let nothing = [
            "GRANT SELECT (User) ON `mysql`.`user` TO `h`@`%`",
            "GRANT USAGE ON *.* TO `h`@`%`",
            "GRANT `watcher`@`%` TO `h`@`%`",
            "GRANT PROXY ON ``@`` TO `h`@`%`",
            "GRANT SHOW VIEW, REPLICATION CLIENT ON `shop`.* TO `h`@`%`",
        ];
        assert_eq!(grants(&nothing).missing(Flavor::MySql, 90_704).count(), 6);
    }

    #[test]
    fn statements_grant_what_is_needed_first_and_no_more() {
        let check = |flavor, version, expected: &[&str]| {
            let to = Grantee { user: "headgate", host: "%" };
            let told: Vec<_> = statements(needs(flavor, version), to).into_iter().map(|s| s.sql).collect();
            assert_eq!(told, expected);
        };
        check(
            Flavor::MySql,
            90_704,
            &[
                "GRANT REPLICATION CLIENT, SHOW VIEW ON *.* TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.user TO 'headgate'@'%'",
                "GRANT SHOW_ROUTINE ON *.* TO 'headgate'@'%'",
                "GRANT SELECT ON performance_schema.user_defined_functions TO 'headgate'@'%'",
                "GRANT TRIGGER ON *.* TO 'headgate'@'%'",
            ],
        );
        check(
            Flavor::MariaDb,
            101_119,
            &[
                "GRANT REPLICA MONITOR, BINLOG MONITOR, SHOW VIEW ON *.* TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.user TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.global_priv TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.proc TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.func TO 'headgate'@'%'",
                "GRANT TRIGGER ON *.* TO 'headgate'@'%'",
            ],
        );
        // What has no use there is not asked for.
        check(
            Flavor::MySql,
            80_019,
            &[
                "GRANT REPLICATION CLIENT, SHOW VIEW ON *.* TO 'headgate'@'%'",
                "GRANT SELECT ON mysql.user TO 'headgate'@'%'",
                "GRANT SELECT ON performance_schema.user_defined_functions TO 'headgate'@'%'",
            ],
        );
        assert_eq!(Grantee { user: "o'h\\", host: "10.%" }.to_string(), "'o''h\\\\'@'10.%'");
    }
}
