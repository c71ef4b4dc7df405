//! Findings about the servers' settings.

use super::audit::Plan;
use super::finding::{Finding, Topic};
use super::told::{Survey, Surveyed, Told};
use crate::probing::Judgement;
use crate::topology::{Flavor, Hindrance, fitting};

/// Settings that ought to be alike everywhere, and what comes of it where they are not.
const ALIKE: [(&str, &str); 2] = [
    (
        "local_infile",
        "LOAD DATA LOCAL works on some of them only, which shows when another becomes the primary",
    ),
    ("skip_name_resolve", "accounts whose host part is a name match on some of them only"),
];

/// What would bite.
pub(super) fn findings(survey: &Survey, judgement: &Judgement, plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some((server, told)) = survey.primary(judgement) {
        let replicas = survey.0.len() > 1;
        found.extend(reads(server, told).into_iter().filter(|_| replicas && plan.split));
        if told.variable("log_bin").eq_ignore_ascii_case("OFF") {
            let what =
                format!("{}, the primary, has no binary log, so no replica can follow it", server.address);
            found.push(Finding::warning(Topic::Settings, what, "start it with log_bin"));
        }
    }
    for (server, told) in survey.others(judgement) {
        found.extend(replica(server, told, judgement));
    }
    for (server, told) in survey.answering() {
        found.extend(connections(server, told, plan));
        if !told.encrypted && !plan.tls_disabled && is_remote(server) {
            let what = format!("{} offers no TLS, so passwords and data travel in the clear", server.address);
            found.push(Finding::warning(
                Topic::Settings,
                what,
                "give the server a certificate, or trust the network between",
            ));
        }
    }
    found.extend(ALIKE.iter().filter_map(|(name, outcome)| unlike(survey, name, outcome)));
    found
}

/// What keeps all reads, or some, on the primary.
fn reads(server: &Surveyed, told: &Told) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut all = |what: &str, remedy: &str| {
        let what = format!("{what} on {}, so every read stays on the primary", server.address);
        found.push(Finding::warning(Topic::Settings, what, remedy));
    };
    match Hindrance::among(told.flavor, &told.variables) {
        Some(Hindrance::NoGtids) => all(
            &format!("gtid_mode is {}", shown(told.variable("gtid_mode"))),
            "switch gtid_mode to ON on all servers, step by step as MySQL's manual says",
        ),
        Some(Hindrance::AutoIsNull) => all("sql_auto_is_null is on", "SET GLOBAL sql_auto_is_null = OFF"),
        Some(Hindrance::Grammar) => {
            all(
                &format!("sql_mode is {}", told.variable("sql_mode")),
                "leave ORACLE, MSSQL and the like out of sql_mode",
            );
        }
        Some(Hindrance::LogFiltered | Hindrance::HandshakeIgnored) | None => {}
    }
    if told.log_filtered == Some(true) {
        all("the binary log leaves schemas out", "take binlog_do_db and binlog_ignore_db away");
    }
    if told.handshake_ignored {
        all("the character set of logins is ignored", "take skip_character_set_client_handshake away");
    }
    if !told.variable("init_connect").is_empty() {
        all("init_connect is set", "set the variables globally instead, and init_connect = ''");
    }
    if told.flavor == Flavor::MySql && told.variable("performance_schema").eq_ignore_ascii_case("OFF") {
        let what = format!(
            "performance_schema is off on {}, so reads that call stored functions stay on the primary",
            server.address
        );
        found.push(Finding::warning(
            Topic::Settings,
            what,
            "start it with performance_schema=ON, if that matters",
        ));
    }
    found
}

/// Whether a replica is one that nobody writes to, and could lead one day.
fn replica(server: &Surveyed, told: &Told, judgement: &Judgement) -> Vec<Finding> {
    let mut found = Vec::new();
    let address = &server.address;
    if judgement.primary.is_ok() {
        let super_off = told.variable("super_read_only").eq_ignore_ascii_case("OFF");
        if !told.identity.read_only {
            let what = format!("{address} takes writes from whoever connects to it directly");
            let remedy = match told.flavor {
                Flavor::MySql => "SET PERSIST super_read_only = ON",
                Flavor::MariaDb => "SET GLOBAL read_only = ON, and in the option file",
            };
            found.push(Finding::warning(Topic::Settings, what, remedy));
        } else if super_off {
            let what = format!("{address} is read only, but not for accounts with CONNECTION_ADMIN or SUPER");
            found.push(Finding::warning(Topic::Settings, what, "SET PERSIST super_read_only = ON"));
        }
    }
    if told.variable("log_bin").eq_ignore_ascii_case("OFF") {
        let what = format!("{address} has no binary log, so it could not become the primary");
        found.push(Finding::warning(Topic::Settings, what, "start it with log_bin and log_slave_updates"));
    }
    found
}

/// Whether connections will be had, and kept.
fn connections(server: &Surveyed, told: &Told, plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    let address = &server.address;
    let limit = told.variable("max_connections").parse::<u64>().ok();
    let own = plan.max_connections;
    if let Some((limit, own)) = limit.zip(own).filter(|(limit, own)| *limit < u64::from(*own)) {
        let what = format!(
            "max_connections is {limit} on {address}, but Headgate may open {own} (pool.max_connections_per_server): \
             it may take all there are, and nobody else finds one"
        );
        let remedy = format!(
            "set pool.max_connections_per_server = {}, or raise max_connections there",
            fitting(limit)
        );
        found.push(Finding::warning(Topic::Settings, what, remedy));
    }
    if let Some(patience) = told.shortest_wait().filter(|patience| *patience <= plan.idle_timeout) {
        let seconds = patience.as_secs();
        let what = format!(
            "{address} closes connections that idle for {seconds} s (wait_timeout, interactive_timeout), before \
             Headgate does (pool.idle_timeout)"
        );
        let remedy =
            format!("set pool.idle_timeout = \"{}s\" or less, or raise both there", (seconds / 2).max(1));
        found.push(Finding::warning(Topic::Settings, what, remedy));
    }
    found
}

fn unlike(survey: &Survey, name: &str, outcome: &str) -> Option<Finding> {
    let told: Vec<(String, &str)> = survey
        .answering()
        .map(|(server, told)| (server.address.to_string(), told.variable(name)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let (_, first) = told.first()?;
    if told.iter().all(|(_, value)| value.eq_ignore_ascii_case(first)) {
        return None;
    }
    let values: Vec<String> = told.iter().map(|(address, value)| format!("{value} on {address}")).collect();
    let what = format!("{name} is {}: {outcome}", values.join(", "));
    Some(Finding::warning(Topic::Settings, what, format!("set {name} alike on all of them")))
}

/// Whether others may be on the way to it.
fn is_remote(server: &Surveyed) -> bool {
    match &server.address {
        crate::topology::Address::Unix(_) => false,
        crate::topology::Address::Tcp { host, .. } => {
            host != "localhost"
                && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "not set" } else { value }
}
