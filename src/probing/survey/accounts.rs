//! Findings about accounts: those that cannot log in through Headgate, and those that mean something else there
//! (HAZARDS 18).

use std::collections::BTreeMap;

use super::account::{Account, MOST_ACCOUNTS};
use super::audit::Plan;
use super::finding::{Finding, Severity, Topic};
use super::host;
use super::told::Told;

/// The most accounts that one finding names.
const NAMED: usize = 10;

/// What would bite, by what the primary says of its accounts.
pub(super) fn findings(primary: &Told, plan: &Plan) -> Vec<Finding> {
    let accounts = match &primary.accounts {
        Ok(accounts) => accounts,
        Err(why) => {
            let what = format!("accounts could not be looked at: {why}");
            let remedy = "GRANT SELECT ON mysql.user to the account that asks";
            return vec![Finding::warning(Topic::Accounts, what, remedy)];
        }
    };
    let mut found = Vec::new();
    if accounts.len() > MOST_ACCOUNTS {
        let what = format!("there are more than {MOST_ACCOUNTS} accounts, and only so many were looked at");
        found.push(Finding::warning(Topic::Accounts, what, "ask mysql.user about the others"));
    }
    let open: Vec<&Account> = accounts.iter().filter(|account| !account.is_closed()).collect();
    found.extend(barred(&open));
    found.extend(conditions(&open, primary, plan));
    found.extend(hosts(&open, primary, plan));
    let closed: Vec<&Account> = accounts.iter().filter(|account| account.locked).collect();
    found.extend(about(
        &closed,
        "locked, so that nobody logs in",
        "ALTER USER … ACCOUNT UNLOCK, or DROP USER, if that is not meant",
    ));
    found
}

/// Methods that a proxy cannot pass on, one finding a method.
fn barred(accounts: &[&Account]) -> Vec<Finding> {
    let mut by_method: BTreeMap<&str, Vec<&Account>> = BTreeMap::new();
    for account in accounts {
        if let Some(method) = account.barrier() {
            by_method.entry(method).or_default().push(account);
        }
    }
    let remedy =
        "give them caching_sha2_password or mysql_native_password, or let them connect to the primary itself";
    let one = |(method, accounts): (&str, Vec<&Account>)| {
        let what = format!("cannot log in through Headgate, since {method} cannot be passed through");
        about(&accounts, &what, remedy)
    };
    by_method.into_iter().filter_map(one).collect()
}

/// What accounts demand beside a password.
fn conditions(accounts: &[&Account], primary: &Told, plan: &Plan) -> Vec<Finding> {
    let those = |wanted: &dyn Fn(&Account) -> bool| -> Vec<&Account> {
        accounts.iter().copied().filter(|account| wanted(account)).collect()
    };
    let x509 = those(&|account| matches!(account.ssl_type.as_str(), "X509" | "SPECIFIED"));
    let (certificate, certificate_remedy) = if plan.client_certificate {
        (
            "REQUIRE X509, ISSUER or SUBJECT is judged by Headgate's own certificate (servers.cert), whoever the \
             client is",
            "let them connect to the primary itself, if their certificate is meant to prove them",
        )
    } else {
        (
            "cannot log in through Headgate, since it shows no certificate for REQUIRE X509, ISSUER or SUBJECT",
            "let them connect to the primary itself, or give Headgate a certificate (servers.cert, servers.key) that \
             the server believes for all of them",
        )
    };
    let tls = those(&|account| !primary.encrypted && account.ssl_type == "ANY");
    let several = those(&|account| account.several_factors);
    let expired = those(&|account| account.expired);
    [
        about(&x509, certificate, certificate_remedy),
        about(
            &tls,
            "cannot log in through Headgate, since they REQUIRE SSL and its connection to the server has none",
            "give the server a certificate, and set servers.tls = \"required\" or better",
        ),
        about(
            &several,
            "cannot log in through Headgate, since more than one factor is asked of them",
            "let them connect to the primary itself, or ask for a password alone",
        ),
        about(
            &expired,
            "can do nothing before an expired password is changed",
            "ALTER USER … IDENTIFIED BY, or have them change it themselves",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Accounts that are tied to hosts. Behind a proxy all clients come from one, unless the servers are told where
/// they are.
fn hosts(accounts: &[&Account], primary: &Told, plan: &Plan) -> Vec<Finding> {
    let here = |account: &Account| primary.seen_as.iter().any(|seen| host::matches(&account.host, seen));
    let tied: Vec<&Account> =
        accounts.iter().copied().filter(|account| !host::is_everywhere(&account.host)).collect();
    let tied = if plan.announces_clients { Vec::new() } else { tied };
    let (nameless, named): (Vec<&Account>, Vec<&Account>) =
        tied.into_iter().partition(|account| account.user.is_empty());
    let (matching, refused): (Vec<&Account>, Vec<&Account>) =
        named.into_iter().partition(|account| here(account));
    let (bare, widened): (Vec<&Account>, Vec<&Account>) =
        matching.into_iter().partition(|account| account.bare && account.barrier().is_none());
    // The server looks for the narrowest host part first, and only then at the name.
    let in_front: Vec<&Account> = nameless.into_iter().filter(|account| here(account)).collect();
    let nameless: Vec<&Account> = accounts
        .iter()
        .copied()
        .filter(|account| account.user.is_empty() && host::is_everywhere(&account.host))
        .collect();
    let from = format!("the server takes connections from here to come from {}", primary.seen_as.join(", "));
    let problem = |finding: Finding| Finding { severity: Severity::Problem, ..finding };
    [
        about(
            &bare,
            &format!("anybody who reaches Headgate can log in, since there is no password and {from}"),
            "give them a password (ALTER USER … IDENTIFIED BY), or DROP USER",
        )
        .map(problem),
        about(
            &in_front,
            &format!("taken for every user whose host part is wider, who then cannot log in, since {from}"),
            "DROP USER",
        )
        .map(problem),
        about(&nameless, "taken for every user name that has no account of its own", "DROP USER"),
        about(
            &widened,
            &format!("open to every client of Headgate that knows the password, since {from}"),
            "limit who reaches Headgate, or give the account a host part that its address does not match",
        ),
        about(
            &refused,
            &format!("cannot log in through Headgate, since {from}"),
            "for those who shall, CREATE USER with Headgate's address or % as the host part; servers that take it \
             can be told where clients are (servers.proxy_protocol)",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A warning about some accounts, if there are any.
fn about(accounts: &[&Account], what: &str, remedy: &str) -> Option<Finding> {
    let mut names: Vec<String> = accounts.iter().take(NAMED).map(ToString::to_string).collect();
    match accounts.len().saturating_sub(NAMED) {
        0 => {}
        more => names.push(format!("{more} more")),
    }
    let what = || format!("{}: {what}", names.join(", "));
    (!names.is_empty()).then(|| Finding::warning(Topic::Accounts, what(), remedy))
}
