//! The questions beyond the monitor's.

use super::account::MOST_ACCOUNTS;
use crate::probing::queries::COMPARED;
use crate::topology::Flavor;

/// Variables that are looked at beside the ones that are compared.
const LOOKED_AT: &[&str] = &[
    "hostname",
    "interactive_timeout",
    "local_infile",
    "log_bin",
    "max_connections",
    "performance_schema",
    "port",
    "read_only",
    "skip_name_resolve",
    "super_read_only",
    "wait_timeout",
    "wsrep_on",
];

/// Global variables, one row each. Those that a server does not have give no row.
#[must_use]
pub fn variables() -> String {
    let names: Vec<String> = COMPARED.iter().chain(LOOKED_AT).map(|name| format!("'{name}'")).collect();
    format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","))
}

/// From where the server sees this connection come, for which account, and what came of the collation it asked
/// for.
pub const CONNECTION: &str = "SELECT USER() AS user, CURRENT_USER() AS account, \
                              @@session.collation_connection AS collation";

/// The cipher of this connection; empty without TLS.
pub const CIPHER: &str = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";

/// The servers that have registered as replicas: the name since MySQL 8.0.22, then the older one.
pub const REPLICAS: [&str; 2] = ["SHOW REPLICAS", "SHOW SLAVE HOSTS"];

/// Who is connected, for the dump threads of replicas.
pub const THREADS: &str = "SHOW PROCESSLIST";

/// How accounts log in, without their hashes: questions from the most telling to the least, the first that is
/// allowed counts. Columns are those that [`super::Account::read`] takes.
#[must_use]
pub fn accounts(flavor: Flavor) -> Vec<String> {
    let limit = MOST_ACCOUNTS + 1;
    let lasts = match flavor {
        Flavor::MySql => "COALESCE(password_lifetime, @@global.default_password_lifetime)",
        Flavor::MariaDb => {
            "COALESCE(JSON_VALUE(p.Priv, '$.password_lifetime'), @@global.default_password_lifetime)"
        }
    };
    match flavor {
        // A role is a locked account whose empty password has expired.
        Flavor::MySql => vec![format!(
            "SELECT User, Host, plugin, ssl_type, \
             IF(password_expired = 'Y' OR ({lasts} > 0 \
             AND password_last_changed + INTERVAL {lasts} DAY < NOW()), 'Y', 'N') AS expired, \
             account_locked AS locked, authentication_string = '' AS bare, \
             IF(account_locked = 'Y' AND password_expired = 'Y' AND authentication_string = '', 'Y', 'N') \
             AS role, COALESCE(JSON_CONTAINS_PATH(User_attributes, 'one', '$.multi_factor_authentication'), 0) \
             AS factors FROM mysql.user ORDER BY User, Host LIMIT {limit}"
        )],
        Flavor::MariaDb => {
            let common = "u.User, u.Host, u.plugin, u.ssl_type, \
                          COALESCE(u.authentication_string, '') = '' AS bare, u.is_role AS role, 0 AS factors";
            // Among several, the one that stands beside them is an empty object.
            let method = |at: u8| {
                format!(
                    "IF(JSON_EXISTS(p.Priv, '$.auth_or[{at}]'), \
                     COALESCE(JSON_VALUE(p.Priv, '$.auth_or[{at}].plugin'), u.plugin), NULL)"
                )
            };
            let order = format!("ORDER BY u.User, u.Host LIMIT {limit}");
            vec![
                format!(
                    "SELECT {common}, IF(JSON_VALUE(p.Priv, '$.account_locked') IN ('1', 'true'), 'Y', 'N') \
                     AS locked, IF(u.password_expired = 'Y' OR ({lasts} > 0 \
                     AND JSON_VALUE(p.Priv, '$.password_last_changed') + {lasts} * 86400 < UNIX_TIMESTAMP()), \
                     'Y', 'N') AS expired, CONCAT_WS(',', {}) AS methods \
                     FROM mysql.user u JOIN mysql.global_priv p ON p.User = u.User AND p.Host = u.Host {order}",
                    [0, 1, 2, 3].map(method).join(", ")
                ),
                format!(
                    "SELECT {common}, 'N' AS locked, u.password_expired AS expired, '' AS methods FROM mysql.user u {order}"
                ),
            ]
        }
    }
}
