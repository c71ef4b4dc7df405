//! All findings about a cluster.

use std::time::Duration;

use super::finding::{Finding, Topic};
use super::told::{Survey, Told};
use super::{accounts, cluster, settings};
use crate::probing::Judgement;
use crate::probing::grants::{Grantee, Need, Weight, statements};
use crate::topology::fitting;

/// What Headgate is configured to do, as far as it matters to the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// It is the control account that asked. The grants of anybody else say nothing.
    pub judge_grants: bool,
    /// `routing.split`.
    pub split: bool,
    /// `pool.max_connections_per_server`, where it is set.
    pub max_connections: Option<u32>,
    /// `pool.idle_timeout`.
    pub idle_timeout: Duration,
    /// `servers.tls` is disabled.
    pub tls_disabled: bool,
    /// There is a `servers.cert`.
    pub client_certificate: bool,
    /// `servers.proxy_protocol`: the servers see each client where it is.
    pub announces_clients: bool,
}

/// Everything that would bite, by topic, the worst first.
#[must_use]
pub fn audit(survey: &Survey, judgement: &Judgement, plan: &Plan) -> Vec<Finding> {
    let mut found = cluster::findings(survey, judgement);
    if plan.judge_grants {
        found.extend(grants(survey));
    }
    found.extend(settings::findings(survey, judgement, plan));
    if let Some((_, primary)) = survey.primary(judgement) {
        found.extend(accounts::findings(primary, plan));
    }
    found.sort_by_key(|finding| (finding.topic, finding.severity));
    found
}

/// What the control account lacks, one finding a grant, with the servers that lack it.
fn grants(survey: &Survey) -> Vec<Finding> {
    let Some((_, first)) = survey.answering().next() else { return Vec::new() };
    let (user, host) = &first.account;
    let to = Grantee { user, host };
    let mut missing: Vec<(&Need, Vec<String>)> = Vec::new();
    for (server, told) in survey.answering() {
        for need in told.grants.missing(told.flavor, told.version_number) {
            match missing.iter_mut().find(|(known, _)| *known == need) {
                Some((_, servers)) => servers.push(server.address.to_string()),
                None => missing.push((need, vec![server.address.to_string()])),
            }
        }
    }
    let answering = survey.answering().count();
    let one = |(need, servers): (&Need, Vec<String>)| {
        let everywhere = servers.len() == answering;
        let place = if everywhere { String::new() } else { format!(" on {}", servers.join(", ")) };
        let what = format!(
            "{} ON {} is missing{place}, without which {}",
            need.privilege(),
            need.on,
            need.feature.without()
        );
        let grant = statements([need], to).into_iter().map(|statement| statement.sql).collect::<String>();
        let remedy = format!("{grant};");
        match need.weight {
            Weight::Needed => Finding::problem(Topic::Grants, what, remedy),
            Weight::Optional => Finding::warning(Topic::Grants, what, remedy),
        }
    };
    missing.into_iter().map(one).collect()
}

impl Told {
    /// What Headgate should take of this server's connections.
    #[must_use]
    pub fn fitting_connections(&self) -> Option<u32> {
        let limit: u64 = self.variable("max_connections").parse().ok()?;
        u32::try_from(fitting(limit)).ok()
    }

    /// After how long this server closes a connection that idles.
    #[must_use]
    pub fn shortest_wait(&self) -> Option<Duration> {
        let seconds = |name| self.variable(name).parse().ok();
        let limits = seconds("wait_timeout").into_iter().chain(seconds("interactive_timeout"));
        limits.min().map(Duration::from_secs)
    }
}
