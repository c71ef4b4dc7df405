//! MariaDB's `gtid_binlog_state`: how far each server has written, domain by domain.
//!
//! Source: MariaDB Knowledge Base, "gtid_binlog_state".

use std::collections::BTreeMap;
use std::str::FromStr;

use super::BadGtid;

/// Of each domain and server the last sequence number in the binary log, also of what has been purged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BinlogState(BTreeMap<(u32, u32), u64>);

impl BinlogState {
    /// The last number that a server has written in a domain; 0 where it has written none.
    #[must_use]
    pub fn last(&self, domain: u32, server: u32) -> u64 {
        self.0.get(&(domain, server)).copied().unwrap_or(0)
    }

    /// Domain, server and last number, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, u64)> {
        self.0.iter().map(|((domain, server), last)| (*domain, *server, *last))
    }
}

impl FromStr for BinlogState {
    type Err = BadGtid;

    fn from_str(text: &str) -> Result<Self, BadGtid> {
        let bad = || BadGtid::new(text, "state of a binary log");
        let mut state = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut fields = part.split('-');
            let (Some(domain), Some(server), Some(last), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(bad());
            };
            let key = (domain.parse().map_err(|_| bad())?, server.parse().map_err(|_| bad())?);
            let last: u64 = last.parse().map_err(|_| bad())?;
            let held = state.0.entry(key).or_insert(last);
            *held = last.max(*held);
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_last_number() {
        let state: BinlogState = "0-2-13, 0-1-14,7-2-1".parse().unwrap();
        let last = [(0, 2), (0, 1), (7, 2), (7, 1)].map(|(domain, server)| state.last(domain, server));
        assert_eq!(last, [13, 14, 1, 0]);
        assert_eq!(state.iter().count(), 3);
        assert_eq!("".parse(), Ok(BinlogState::default()));
        for text in ["0-1", "0-1-2-3", "a-1-2", "0-1-x", "4294967296-1-1"] {
            assert!(text.parse::<BinlogState>().is_err(), "{text}");
        }
    }
}
