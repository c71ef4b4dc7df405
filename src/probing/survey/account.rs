//! Accounts as they log in.

use std::fmt;

use crate::auth::Method;
use crate::wire::answer::Answer;

/// The most accounts that are looked at.
pub const MOST_ACCOUNTS: usize = 10_000;

/// One account, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Its name; an empty one matches every user.
    pub user: String,
    /// From where it may log in.
    pub host: String,
    /// The login method on the server's side. MariaDB's may be empty: native passwords.
    pub plugin: String,
    /// All its methods in the order in which the server tries them, where it has several (MariaDB's
    /// `VIA a OR b`).
    pub methods: Vec<String>,
    /// `REQUIRE`: empty, `ANY`, `X509` or `SPECIFIED`.
    pub ssl_type: String,
    /// Its password has expired.
    pub expired: bool,
    /// It may not log in.
    pub locked: bool,
    /// It has no password.
    pub bare: bool,
    /// It has to show more than one thing.
    pub several_factors: bool,
}

impl Account {
    /// Reads the answer to one of [`super::queries::accounts`], without roles and the servers' own accounts.
    #[must_use]
    pub fn read(answer: &Answer) -> Vec<Self> {
        let account = |row| {
            let text = |column| answer.get(row, column).unwrap_or_default();
            let is = |column| matches!(text(column), "Y" | "1");
            if is("role") || SYSTEM.contains(&text("User")) {
                return None;
            }
            Some(Self {
                user: text("User").to_owned(),
                host: text("Host").to_owned(),
                plugin: text("plugin").to_owned(),
                methods: text("methods")
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                ssl_type: text("ssl_type").to_owned(),
                expired: is("expired"),
                locked: is("locked"),
                bare: is("bare"),
                several_factors: is("factors"),
            })
        };
        answer.rows.iter().filter_map(account).collect()
    }

    /// The method that keeps its users out, if one does: what the server asks for first and Headgate cannot
    /// pass on. MariaDB's unix_socket asks for nothing, so that the next method has its turn.
    #[must_use]
    pub fn barrier(&self) -> Option<&str> {
        let asked = self.methods.iter().map(String::as_str).find(|plugin| *plugin != "unix_socket");
        let plugin = asked.unwrap_or(&self.plugin);
        let passes = !matches!(Method::from_name(plugin.as_bytes()), Method::Unsupported(_));
        (!passes && plugin != NO_LOGIN).then_some(plugin)
    }

    /// Whether nobody can log in as it, by any way.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.locked || self.plugin == NO_LOGIN
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'@'{}'", self.user, self.host)
    }
}

/// Accounts that the servers make for themselves and keep locked.
const SYSTEM: [&str; 4] = ["mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"];

/// The method of accounts that exist to be definers only.
const NO_LOGIN: &str = "mysql_no_login";

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 10] =
        ["User", "Host", "plugin", "ssl_type", "expired", "bare", "role", "factors", "locked", "methods"];

    fn answer(rows: &[[&str; 10]]) -> Answer {
        let row = |row: &[&str; 10]| row.iter().map(|text| Some((*text).to_owned())).collect();
        Answer {
            columns: COLUMNS.iter().map(ToString::to_string).collect(),
            rows: rows.iter().map(row).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn roles_and_the_servers_own_accounts_are_left_out() {
        let read = Account::read(&answer(&[
            ["mariadb.sys", "localhost", "mysql_native_password", "", "Y", "1", "N", "0", "Y", ""],
            ["reader", "", "", "", "N", "1", "Y", "0", "N", ""],
            ["app", "10.%", "mysql_native_password", "X509", "Y", "0", "N", "1", "N", "unix_socket,ed25519"],
        ]));
        let app = Account {
            user: "app".into(),
            host: "10.%".into(),
            plugin: "mysql_native_password".into(),
            methods: vec!["unix_socket".into(), "ed25519".into()],
            ssl_type: "X509".into(),
            expired: true,
            locked: false,
            bare: false,
            several_factors: true,
        };
        assert_eq!(read, [app]);
    }

    #[test]
    fn a_method_is_a_barrier_when_it_is_asked_for_and_cannot_be_passed_on() {
        let check = |plugin: &str, methods: &[&str], expected: Option<&str>| {
            let methods = methods.iter().map(ToString::to_string).collect();
            let account = Account { plugin: plugin.into(), methods, ..Account::default() };
            assert_eq!(account.barrier(), expected, "{account:?}");
        };
        check("caching_sha2_password", &[], None);
        check("sha256_password", &[], None);
        check("mysql_native_password", &[], None);
        check("", &[], None);
        check("mysql_no_login", &[], None);
        check("ed25519", &[], Some("ed25519"));
        check("authentication_ldap_sasl", &[], Some("authentication_ldap_sasl"));
        check("auth_socket", &[], Some("auth_socket"));
        check("unix_socket", &[], Some("unix_socket"));
        check("mysql_native_password", &["unix_socket", "mysql_native_password"], None);
        check("mysql_native_password", &["ed25519", "mysql_native_password"], Some("ed25519"));
        check("mysql_native_password", &["mysql_native_password", "ed25519"], None);
        check("pam", &["unix_socket", "pam"], Some("pam"));
        check("unix_socket", &["unix_socket"], Some("unix_socket"));
    }
}
