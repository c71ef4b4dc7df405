//! Amazon Aurora: its instances, and which of them writes.
//!
//! Sources: Amazon's user guide, "Aurora MySQL-specific information_schema tables": the row whose SESSION_ID is
//! MASTER_SESSION_ID is the writer's; "Amazon Aurora endpoint connections": instance endpoints; and MaxScale's
//! documentation of its Aurora monitor, which reads `replica_host_status` likewise. Not tried on Aurora.

use std::time::Duration;

use crate::topology::Address;
use crate::wire::answer::{Answer, Row};

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `aurora_server_id`.
    pub id: String,
    /// It is the writer.
    pub writer: bool,
    /// How far it says that it is behind the writer, in whole milliseconds.
    pub lag: Option<Duration>,
    /// When its row was last written, in seconds before the answer.
    pub age: Option<u64>,
}

/// Rows that are older are of instances that are gone. A row is rewritten about once a second.
const GONE: u64 = 300;

impl Instance {
    /// Whether it still takes part.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.writer || self.age.is_some_and(|age| age <= GONE)
    }
}

/// Reads the answer to [`crate::probing::discovery::queries::INSTANCES`].
#[must_use]
pub fn instances(answer: &Answer) -> Vec<Instance> {
    let instance = |row: &Row| {
        let text = |column| answer.get(row, column).unwrap_or_default();
        let id = text("SERVER_ID").to_owned();
        // The column is a floating-point number in some versions.
        let lag = text("REPLICA_LAG_IN_MILLISECONDS").split('.').next()?.parse().ok();
        (!id.is_empty()).then_some(Instance {
            id,
            writer: text("SESSION_ID") == "MASTER_SESSION_ID",
            lag: lag.map(Duration::from_millis),
            age: text("AGE").parse().ok(),
        })
    };
    answer.rows.iter().filter_map(instance).collect()
}

/// The writer, where exactly one is. Right after a failover two rows may claim it.
#[must_use]
pub fn writer(instances: &[Instance]) -> Option<&str> {
    let mut writers = instances.iter().filter(|instance| instance.writer);
    match (writers.next(), writers.next()) {
        (Some(one), None) => Some(&one.id),
        _ => None,
    }
}

/// Domains that Amazon's endpoints end in.
const DOMAINS: [&str; 2] = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];

/// The endpoint of an instance, from an endpoint of its cluster or of another instance:
/// `shop.cluster-c7tj4example.us-east-1.rds.amazonaws.com` has `reader-1.c7tj4example.us-east-1.rds.amazonaws.com`.
#[must_use]
pub fn endpoint(known: &Address, instance: &str) -> Option<Address> {
    let Address::Tcp { host, port } = known else { return None };
    if !DOMAINS.iter().any(|domain| host.ends_with(domain)) {
        return None;
    }
    let (_, domain) = host.split_once('.')?;
    let of_cluster = ["cluster-ro-", "cluster-custom-", "cluster-"];
    let domain = of_cluster.iter().find_map(|prefix| domain.strip_prefix(prefix)).unwrap_or(domain);
    // A name that is no label would lead somewhere else.
    let label =
        !instance.is_empty() && instance.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    label.then(|| Address::Tcp { host: format!("{instance}.{domain}"), port: *port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read() {
        let row = |texts: [&str; 4]| texts.map(|text| (!text.is_empty()).then(|| text.to_owned())).to_vec();
        let answer = |rows: &[[&str; 4]]| Answer {
            columns: ["SERVER_ID", "SESSION_ID", "REPLICA_LAG_IN_MILLISECONDS", "AGE"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.iter().map(|texts| row(*texts)).collect(),
            ..Answer::default()
        };
        let reader = ["reader-1", "8ba1c8b1-0f5a-4b3c-9d0e-3c2b1a000000", "18.42", "0"];
        let read = instances(&answer(&[["writer-1", "MASTER_SESSION_ID", "0", "0"], reader]));
        assert_eq!(writer(&read), Some("writer-1"));
        assert_eq!((read[1].lag, read[1].is_there()), (Some(Duration::from_millis(18)), true));
        let gone = instances(&answer(&[["reader-2", "x", "", "4000"], ["reader-3", "y", "5", ""]]));
        assert!(gone.iter().all(|instance| !instance.is_there()));
        let two =
            instances(&answer(&[["a", "MASTER_SESSION_ID", "", "0"], ["b", "MASTER_SESSION_ID", "", "0"]]));
        assert_eq!((writer(&two), writer(&gone)), (None, None));
    }

    #[test]
    fn instances_have_endpoints_beside_those_that_are_known() {
        let check = |known: &str, instance: &str, expected: Option<&str>| {
            let told = endpoint(&known.parse().unwrap(), instance).map(|address| address.to_string());
            assert_eq!(told.as_deref(), expected, "{known} {instance}");
        };
        let expected = Some("reader-1.c7tj4example.us-east-1.rds.amazonaws.com:3306");
        for known in ["shop.cluster-c7tj4example", "shop.cluster-ro-c7tj4example", "writer-1.c7tj4example"] {
            check(&format!("{known}.us-east-1.rds.amazonaws.com:3306"), "reader-1", expected);
        }
        check("db.example.net:3306", "reader-1", None);
        check("w.c7.rds.amazonaws.com:3306", "evil.example.net/", None);
        check("10.0.0.1:3306", "reader-1", None);
    }
}
