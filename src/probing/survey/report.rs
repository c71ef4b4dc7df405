//! Survey and findings, for people.

use super::finding::{Finding, Severity, Topic};
use super::told::{Survey, Surveyed};
use crate::probing::Judgement;
use crate::probing::grants::to_discover;
use crate::topology::{NotServing, ServerId, ServerState};

/// One line for each server: address, role, version, and what else one wants to know at a glance.
#[must_use]
pub fn servers(survey: &Survey, judgement: &Judgement) -> String {
    let width = survey.0.iter().map(|server| server.address.to_string().len()).max().unwrap_or(0);
    let line = |(id, server): (ServerId, &Surveyed)| {
        let address = server.address.to_string();
        let role = role(judgement, id);
        let silent = |_: &String| "could not be asked".to_owned();
        let rest = server.told.as_ref().map_or_else(silent, |told| {
            let read_only = if told.identity.read_only { "read only" } else { "takes writes" };
            let gtid = match told.variable("gtid_mode") {
                "" => String::new(),
                mode => format!(", gtid_mode {mode}"),
            };
            let tls = if told.encrypted { "TLS" } else { "no TLS" };
            format!("{}, {read_only}{gtid}, {tls}", told.name())
        });
        format!("  {address:<width$}  {role:<7}  {rest}\n")
    };
    survey.servers().map(line).collect()
}

fn role(judgement: &Judgement, id: ServerId) -> &'static str {
    match judgement.states.get(&id) {
        Some(ServerState::Primary) => "primary",
        Some(ServerState::Replica) => "replica",
        Some(ServerState::NotServing(NotServing::Unreachable { .. })) => "unknown",
        Some(ServerState::NotServing(_)) => "idle",
        None => "unknown",
    }
}

/// One line on what further servers are found by, and what granting more would show. `granted`: the servers were asked as
/// the control account. Nothing where no server answered.
#[must_use]
pub fn discovery(survey: &Survey, granted: bool) -> Option<String> {
    let (_, told) = survey.answering().next()?;
    let is_missing =
        |(privilege, on, _): &&(&str, &str, &str)| !(granted && told.grants.hold(&[privilege], on));
    let more: Vec<String> = to_discover(told.flavor)
        .iter()
        .filter(is_missing)
        .map(|(privilege, on, shows)| format!("{privilege} ON {on} would show {shows}"))
        .collect();
    let more = if more.is_empty() { String::new() } else { format!("; {}", more.join(", ")) };
    Some(format!("  discovery finds the sources of servers that are named{more} (docs/servers.md)\n"))
}

/// All findings by topic, and their count in the last line.
#[must_use]
pub fn findings(found: &[Finding]) -> String {
    let mut text = String::new();
    for topic in Topic::ALL {
        let about: Vec<&Finding> = found.iter().filter(|finding| finding.topic == topic).collect();
        if !about.is_empty() {
            text.push_str(&format!("\n{topic}\n"));
            about.iter().for_each(|finding| text.push_str(&format!("{finding}\n")));
        }
    }
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let counted = |number, word: &str| match number {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        many => format!("{many} {word}s"),
    };
    let problems = counted(count(Severity::Problem), "problem");
    let warnings = counted(count(Severity::Warning), "warning");
    text.push_str(&format!("\nof the cluster: {problems}, {warnings}"));
    text
}
