//! docs/grants.md, written from the table of grants.

use super::grants::{
    Feature, Grantee, Weight, create_user, needs, statements, to_discover, to_fail_over, to_survey,
};
use crate::topology::Flavor;

const HEAD: &str = "\
# Grants

*Written from the table in `src/probing/grants.rs`; a test keeps the two equal.*

Headgate has one account of its own on the servers, the control account. It watches them: who is the primary, how
far each replica has come, what views and stored code do. It cannot write, and cannot read your data, but for what
`TRIGGER`, which is optional, and the grants for failover let it do. Your users log in with their own accounts
and need no grant for Headgate.

`headgate init` prints the statements below for your servers, and with `--create-account` runs them.
`headgate check --connect` names what is missing of them, with the GRANT to run. Run them on the primary: they
replicate. Replace `%` by the address that Headgate connects from, if it has one that stays.

`mysql.user` and `mysql.global_priv` hold the hashes of all passwords: guard the control account's password as you
would an administrator's.
";

const STORED_CODE: &str = "
## What `TRIGGER` lets the account do

Servers show the body of a trigger only to who may define triggers too. Headgate reads these bodies and never defines or
drops a trigger, but the account could. A trigger of its own would have no more rights than the account, so it could
neither read nor change a row; it could make every write to a table fail, and triggers that are dropped do no more work.
With the grants for failover it could also define triggers in the name of another account, with that one's rights. While
the binary log is on, servers let only accounts with `SUPER` define triggers, unless `log_bin_trust_function_creators` is
on; MariaDB lets no other drop one either.

`headgate init --create-account` grants it, since sessions share connections by default (`pool.mode`). It is of use only
together with `SHOW_ROUTINE` on MySQL, or `SELECT ON mysql.proc` on MariaDB. All else goes on without it:

```sql
REVOKE TRIGGER ON *.* FROM 'headgate'@'%';
```
";

const TAIL: &str = "
## Definitions of views

A view runs on a replica once Headgate has read its definition and found that it only reads. Servers show a
definition only to who may read the view, so the account can then read its rows; grant it where that is worth it:

```sql
GRANT SELECT ON shop.order_totals TO 'headgate'@'%';
```

Without it reads of that view run on the primary.

## Finding servers

From a replica its source is found without a further grant. A server shows its replicas only to an account that may do
more than watch: with `REPLICATION SLAVE` on MySQL it could read the binary log, and in it every change of your data;
with `REPLICATION MASTER ADMIN` on MariaDB it could change how the server replicates. So `headgate init` does not grant
them. Replicas that the configuration names need none of this.

| Server | Grant | What it shows |
|---|---|---|
";

const FAILOVER: &str = "
## Failover

To promote another server when the primary fails (docs/failover.md) the account must be allowed to change servers, so
`headgate init` does not grant this. Without all of it `failover.mode` is off, and SHOW FAILOVER says what is missing.
REBUILD also needs `BACKUP_ADMIN` and `CLONE_ADMIN` on MySQL.
";

const INIT: &str = "
## What `headgate init` logs in with

An administrator's account, given for that run and stored nowhere. It reads settings, accounts, the state of
replication and the list of replicas:

";

const END: &str = "
With `--create-account` it also needs CREATE USER and, with the grant option, everything that it passes on.
";

/// The flavors, their headings, and versions of them: a new one, and one that has not everything.
const SERVERS: [(Flavor, &str, u32); 2] =
    [(Flavor::MySql, "MySQL 8.0, 8.4 and 9", 90_000), (Flavor::MariaDb, "MariaDB 10.6 or newer", 110_000)];

const ACCOUNT: Grantee<'_> = Grantee { user: "headgate", host: "%" };

/// The whole of docs/grants.md.
#[must_use]
pub fn grants_page() -> String {
    let mut page = HEAD.to_owned();
    for (flavor, heading, version) in SERVERS {
        page.push_str(&format!("\n## {heading}\n\n```sql\n{} '…';\n", create_user(flavor, ACCOUNT)));
        let statements = statements(needs(flavor, version), ACCOUNT);
        let of = |weight| statements.iter().filter(move |statement| statement.weight == weight);
        of(Weight::Needed).for_each(|statement| page.push_str(&format!("{};\n", statement.sql)));
        page.push_str("-- optional\n");
        of(Weight::Optional).for_each(|statement| page.push_str(&format!("{};\n", statement.sql)));
        page.push_str("```\n\n| Grant | For what | Without it |\n|---|---|---|\n");
        for feature in Feature::ALL {
            let mut needs = needs(flavor, version).filter(|need| need.feature == feature).peekable();
            let Some(first) = needs.peek() else { continue };
            let optional = if first.weight == Weight::Optional { "optional: " } else { "" };
            let grants: Vec<String> =
                needs.map(|need| format!("`{} ON {}`", need.privilege(), need.on)).collect();
            let (grants, meaning, without) = (grants.join(", "), feature.meaning(), feature.without());
            page.push_str(&format!("| {grants} | {optional}{meaning} | {without} |\n"));
        }
        if flavor == Flavor::MySql {
            page.push_str(
                "\n`SHOW_ROUTINE` came with MySQL 8.0.20. MySQL 9 has no mysql_native_password, so `mysql.user` serves\n\
                 check alone there. Loadable functions are known only with `performance_schema` on, as it is by\n\
                 default.\n",
            );
        } else {
            page.push_str("\nMariaDB shows `REPLICA MONITOR` as `SLAVE MONITOR` in SHOW GRANTS.\n");
        }
    }
    page.push_str(STORED_CODE);
    page.push_str(TAIL);
    for (flavor, heading, _) in SERVERS {
        for (privilege, on, shows) in to_discover(flavor) {
            page.push_str(&format!("| {heading} | `{privilege} ON {on}` | {shows} |\n"));
        }
    }
    page.push_str(FAILOVER);
    for (flavor, heading, version) in SERVERS {
        page.push_str(&format!("\n### {heading}: failover\n\n```sql\n"));
        for on in ["*.*", "performance_schema.*"] {
            let needs = to_fail_over(flavor, version).filter(|need| need.on == on);
            let privileges: Vec<&str> = needs.filter_map(|need| need.privileges.first().copied()).collect();
            if !privileges.is_empty() {
                page.push_str(&format!("GRANT {} ON {on} TO {ACCOUNT};\n", privileges.join(", ")));
            }
        }
        page.push_str("```\n\n| Privilege | For what |\n|---|---|\n");
        for need in to_fail_over(flavor, version) {
            let privilege = need.privileges.first().copied().unwrap_or_default();
            page.push_str(&format!("| `{privilege} ON {}` | {} |\n", need.on, need.what_for));
        }
    }
    page.push_str(
        "\n`SET_ANY_DEFINER` came with MySQL 8.2; before it is `SET_USER_ID`. MariaDB 11 and newer show \
         `REPLICATION REPLICA ADMIN` for\n`REPLICATION SLAVE ADMIN`.\n",
    );
    page.push_str(INIT);
    for (flavor, heading, _) in SERVERS {
        let grants: Vec<String> =
            to_survey(flavor).iter().map(|(privileges, on)| format!("`{privileges} ON {on}`")).collect();
        page.push_str(&format!("- {heading}: {}\n", grants.join(", ")));
    }
    page.push_str(END);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test --lib reference` writes the page instead of comparing it.
    #[test]
    fn the_reference_of_grants_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grants.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, grants_page()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page == grants_page(),
            "docs/grants.md is out of date: UPDATE_DOCS=1 cargo test --lib reference"
        );
    }

    /// docker-compose.yml makes the account by a script of its own, with what is needed and some more.
    #[test]
    fn the_compose_file_grants_what_is_needed() {
        let script = include_str!("../../compose/primary/20-accounts.sh");
        for (flavor, _, version) in SERVERS {
            let needed = needs(flavor, version).filter(|need| need.weight == Weight::Needed);
            let privileges: Vec<&str> = needed.map(|need| need.privilege()).collect();
            let watch = format!("watch='{}'", privileges.join(", "));
            assert!(script.contains(&watch), "{watch}");
        }
        for optional in [
            "GRANT SELECT ON mysql.user TO headgate@'%'",
            "GRANT TRIGGER ON *.* TO headgate@'%'",
            "GRANT $routines TO headgate@'%'",
            "routines='SHOW_ROUTINE ON *.*'",
            "routines='SELECT ON mysql.proc'",
        ] {
            assert!(script.contains(optional), "{optional}");
        }
    }
}
