use std::collections::BTreeMap;
use std::fmt;

use super::Malformed;

/// The last GTID of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gtid {
    pub server: u32,
    pub sequence: u64,
}

/// A MariaDB position: the last GTID of each domain, written `domain-server-sequence,…`.
///
/// `contains` compares sequence numbers domain by domain and pays no heed to the server number, as
/// `MASTER_GTID_WAIT` does: two servers that both took writes at the same sequence number look equal. Who uses
/// it must know by other evidence that one follows the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainPosition {
    domains: BTreeMap<u32, Gtid>,
}

/// Domains are few; a position beyond it is refused.
const MOST_DOMAINS: usize = 10_000;

impl DomainPosition {
    /// Reads `0-1-630,2-5-7`; empty text is the position of a server without transactions.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut domains = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let malformed = || Malformed::Gtid { text: part.to_owned() };
            let mut fields = part.split('-');
            let domain: u32 = fields.next().and_then(number).ok_or_else(malformed)?;
            let server = fields.next().and_then(number).ok_or_else(malformed)?;
            let sequence = fields.next().and_then(number).ok_or_else(malformed)?;
            if fields.next().is_some() {
                return Err(malformed());
            }
            let gtid = Gtid { server, sequence };
            // gtid_binlog_state lists several servers of a domain; the last sequence number counts.
            let last = domains.entry(domain).or_insert(gtid);
            if sequence > last.sequence {
                *last = gtid;
            }
            if domains.len() > MOST_DOMAINS {
                return Err(Malformed::TooLarge { limit: MOST_DOMAINS });
            }
        }
        Ok(Self { domains })
    }

    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    pub fn get(&self, domain: u32) -> Option<Gtid> {
        self.domains.get(&domain).copied()
    }

    /// Whether it is at or past `other` in every domain of `other`. See the type's warning.
    pub fn contains(&self, other: &Self) -> bool {
        other
            .domains
            .iter()
            .all(|(domain, wanted)| self.get(*domain).is_some_and(|gtid| gtid.sequence >= wanted.sequence))
    }

    /// The later of both in each domain.
    pub fn union(&mut self, other: &Self) {
        for (domain, gtid) in &other.domains {
            let last = self.domains.entry(*domain).or_insert(*gtid);
            if gtid.sequence > last.sequence {
                *last = *gtid;
            }
        }
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl fmt::Display for DomainPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (domain, gtid)) in self.domains.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{domain}-{}-{}", gtid.server, gtid.sequence)?;
        }
        Ok(())
    }
}
