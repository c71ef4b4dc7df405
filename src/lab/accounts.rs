//! The accounts every laboratory server has, from its first start on.

use super::flavor::Flavor;

/// The database that [`Accounts::app`] owns.
pub const DATABASE: &str = "app";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    pub user: &'static str,
    pub password: &'static str,
}

/// Fixed names and passwords: the servers listen on loopback and live for minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Accounts {
    /// All privileges, from any host.
    pub root: Account,
    /// What replicas log in to the primary with.
    pub replication: Account,
    /// Headgate's control account, with what [`control_grants`] lists and no more.
    pub control: Account,
    /// A control account that may also fail over: [`failover_grants`] beside [`control_grants`].
    pub failover: Account,
    /// An application: everything on [`DATABASE`], nothing elsewhere.
    pub app: Account,
}

pub(super) const ACCOUNTS: Accounts = Accounts {
    root: Account { user: "root", password: "lab-root" },
    replication: Account { user: "replication", password: "lab-replication" },
    control: Account { user: "headgate", password: "lab-control" },
    failover: Account { user: "headgate_failover", password: "lab-failover" },
    app: Account { user: "app", password: "lab-app" },
};

/// What Headgate's control account needs: the state of replication, the names of all views, the verifiers of
/// native-password users, and what stored functions do. docs/grants.md tells users to grant this; that
/// definitions of views need SELECT on them is left to them.
pub fn control_grants(flavor: Flavor) -> [&'static str; 4] {
    match flavor {
        Flavor::MySql => [
            "REPLICATION CLIENT, SHOW VIEW, TRIGGER ON *.*",
            "SELECT ON mysql.user",
            "SHOW_ROUTINE ON *.*",
            "SELECT ON performance_schema.user_defined_functions",
        ],
        Flavor::MariaDb => [
            "REPLICA MONITOR, BINLOG MONITOR, SHOW VIEW, TRIGGER ON *.*",
            "SELECT ON mysql.user",
            "SELECT ON mysql.proc",
            "SELECT ON mysql.func",
        ],
    }
}

/// What a control account needs beside [`control_grants`] to promote servers. docs/grants.md tells users to grant this.
pub fn failover_grants(flavor: Flavor) -> [&'static str; 2] {
    match flavor {
        Flavor::MySql => [
            "RELOAD, PROCESS, EVENT, REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, \
             XA_RECOVER_ADMIN, SET_ANY_DEFINER, BACKUP_ADMIN, CLONE_ADMIN ON *.*",
            "SELECT ON performance_schema.*",
        ],
        Flavor::MariaDb => [
            "RELOAD, PROCESS, EVENT, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, READ_ONLY ADMIN, \
             CONNECTION ADMIN, BINLOG ADMIN, SET USER ON *.*",
            "SELECT ON mysql.global_priv",
        ],
    }
}

/// The statements that make the accounts on an initialised server, one a line.
pub(super) fn statements(flavor: Flavor) -> Vec<String> {
    let Accounts { root, replication, control, failover, app } = ACCOUNTS;
    let method = match flavor {
        Flavor::MySql => "caching_sha2_password",
        Flavor::MariaDb => "mysql_native_password",
    };
    let identified = |account: Account| match flavor {
        Flavor::MySql => format!("IDENTIFIED WITH {method} BY '{}'", account.password),
        Flavor::MariaDb => format!("IDENTIFIED VIA {method} USING PASSWORD('{}')", account.password),
    };
    let create = |account: Account| format!("CREATE USER {}@'%' {};", account.user, identified(account));
    let mut statements = vec![
        format!("ALTER USER root@localhost {};", identified(root)),
        create(root),
        "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;".to_owned(),
        create(replication),
        format!("GRANT REPLICATION SLAVE ON *.* TO {}@'%';", replication.user),
        create(control),
    ];
    statements.extend(
        control_grants(flavor)
            .iter()
            .map(|privileges| format!("GRANT {privileges} TO {}@'%';", control.user)),
    );
    statements.push(create(failover));
    statements.extend(
        control_grants(flavor)
            .iter()
            .chain(&failover_grants(flavor))
            .map(|privileges| format!("GRANT {privileges} TO {}@'%';", failover.user)),
    );
    statements.extend([
        create(app),
        format!("CREATE DATABASE {DATABASE};"),
        format!("GRANT ALL ON {DATABASE}.* TO {}@'%';", app.user),
    ]);
    if flavor == Flavor::MariaDb {
        // Bootstrap runs with the grant tables off until they are loaded.
        statements.insert(0, "FLUSH PRIVILEGES;".to_owned());
    }
    statements
}
