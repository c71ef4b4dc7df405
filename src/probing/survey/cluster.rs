//! Findings about who answers, who leads and who follows.

use super::finding::{Finding, Topic};
use super::told::{Survey, Told};
use crate::probing::Judgement;
use crate::topology::{Flavor, NoPrimary, NotServing, ServerState};

/// The oldest versions that Headgate is made for.
const OLDEST: [(Flavor, u32, &str); 2] =
    [(Flavor::MySql, 80_000, "MySQL 8.0"), (Flavor::MariaDb, 100_600, "MariaDB 10.6")];

/// What would bite.
pub(super) fn findings(survey: &Survey, judgement: &Judgement) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Err(why) = &judgement.primary {
        let why = match why {
            // What each of them did is told below.
            NoPrimary::Unreachable { .. } => "no server can be asked".to_owned(),
            why => why.to_string(),
        };
        let remedy = "nobody can log in before this is solved";
        found.push(Finding::problem(Topic::Servers, format!("there is no primary: {why}"), remedy));
    }
    for (id, server) in survey.servers() {
        if let Some(ServerState::NotServing(why)) = judgement.states.get(&id) {
            let of_primary = survey.primary(judgement).map(|(_, told)| told);
            let values = server.told.as_ref().ok().zip(of_primary);
            found.extend(idle(&server.address.to_string(), why, values));
        }
    }
    found.extend(twins(survey));
    found.extend(versions(survey, judgement));
    found.extend(other_topologies(survey));
    if survey.0.len() == 1 {
        found.push(Finding::warning(
            Topic::Servers,
            "there is one server, so it is taken for the primary and runs everything",
            "name its replicas as well (servers.addresses), if it has any",
        ));
    }
    found
}

/// A server that serves nothing: what it says of itself, and the primary of itself, beside it.
fn idle(server: &str, why: &NotServing, told: Option<(&Told, &Told)>) -> Option<Finding> {
    let remedy = match why {
        // Told of the whole cluster already.
        NotServing::Unknown | NotServing::NoPrimary | NotServing::Leaving => return None,
        NotServing::Unreachable { .. } => {
            "see that it runs, that its address is right, and that the account may log in from here"
        }
        NotServing::Writable => "let it follow the primary, or leave it out of servers.addresses",
        NotServing::NoSource => {
            "let it replicate from the primary (CHANGE REPLICATION SOURCE TO, CHANGE MASTER TO)"
        }
        NotServing::WrongSource { .. } => {
            "let it replicate from the primary alone, or name its source in servers.addresses if that is the primary"
        }
        NotServing::Stopped { .. } => "mend what it says and START REPLICA",
        NotServing::ChainSilent { .. } | NotServing::ChainBroken { .. } => {
            "mend the server in the middle, or let it replicate from the primary"
        }
        NotServing::Doubted { .. } | NotServing::Family { .. } | NotServing::Group { .. } => {
            "do what it says, or leave it out of servers.addresses"
        }
        NotServing::Filtered => "take the replication filters away, or leave it out of servers.addresses",
        NotServing::Delayed { .. } => {
            "serves no reads by design; leave it out of servers.addresses if it is a spare"
        }
        NotServing::DefaultsDiffer { .. } => {
            "give both the same values (SET GLOBAL, and in the option file), since a read would mean something else there"
        }
    };
    let mut what = format!("{server} serves nothing: {why}");
    if let (NotServing::DefaultsDiffer { variables }, Some((here, there))) = (why, told) {
        let pair = |name: &String| {
            format!("{name} is {:?} and there {:?}", here.variable(name), there.variable(name))
        };
        let pairs: Vec<String> = variables.iter().map(pair).collect();
        what = format!(
            "{server} serves nothing, since its defaults are not the primary's: {}",
            pairs.join(", ")
        );
    }
    Some(match why {
        NotServing::Delayed { .. } => Finding::warning(Topic::Servers, what, remedy),
        _ => Finding::problem(Topic::Servers, what, remedy),
    })
}

/// One server under two addresses.
fn twins(survey: &Survey) -> Vec<Finding> {
    let same = |a: &Told, b: &Told| {
        let place = |told: &Told| (told.variable("hostname").to_owned(), told.variable("port").to_owned());
        a.identity.uuid == b.identity.uuid
            && a.identity.server_id == b.identity.server_id
            && place(a) == place(b)
    };
    let answering: Vec<_> = survey.answering().collect();
    let mut found = Vec::new();
    for (at, (server, told)) in answering.iter().enumerate() {
        if let Some((first, _)) = answering.iter().take(at).find(|(_, other)| same(told, other)) {
            let what = format!("{} and {} are the same server", first.address, server.address);
            found.push(Finding::problem(Topic::Servers, what, "name it once in servers.addresses"));
        }
    }
    found
}

fn versions(survey: &Survey, judgement: &Judgement) -> Vec<Finding> {
    let mut found = Vec::new();
    for (server, told) in survey.answering() {
        let oldest = OLDEST.iter().find(|(flavor, _, _)| *flavor == told.flavor);
        if let Some((_, oldest, name)) = oldest
            && told.version_number != 0
            && told.version_number < *oldest
        {
            let what = format!("{} runs {}, which is too old", server.address, told.name());
            found.push(Finding::problem(Topic::Servers, what, format!("bring it to {name} or newer")));
        }
    }
    let Some((primary, of_primary)) = survey.primary(judgement) else { return found };
    for (server, told) in survey.others(judgement) {
        let (here, there) = (told.name(), of_primary.name());
        if told.flavor != of_primary.flavor {
            let what = format!("{} runs {here}, {} runs {there}", server.address, primary.address);
            found.push(Finding::problem(Topic::Servers, what, "leave one of them out: they differ too much"));
        } else if told.version_number < of_primary.version_number {
            let what = format!("{} runs {here}, older than the primary's {there}", server.address);
            let remedy = "upgrade it: servers replicate to the same version or a newer one only";
            found.push(Finding::warning(Topic::Servers, what, remedy));
        }
    }
    found
}

/// Clusters that are no primary and its replicas (HAZARDS 26).
fn other_topologies(survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    for (server, told) in survey.answering() {
        if told.is_on("wsrep_on") {
            let what =
                format!("{} is a node of a Galera cluster, which Headgate does not know", server.address);
            found.push(Finding::problem(
                Topic::Servers,
                what,
                "put Headgate in front of a primary and replicas",
            ));
        }
    }
    found
}
