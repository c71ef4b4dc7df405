//! Networks, and the rules that name them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::choice::{Consistency, PoolMode};
use super::duration;
use super::setting::{Complaint, Form, Setting, quoted};
use super::value::{Shape, Value};

/// Some addresses as the user wrote them: an address, a network in CIDR form, or the word `unix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Clients of Unix sockets.
    Unix,
    /// The addresses that agree with `address` in the first `prefix` bits; the others are zero in it.
    Range { address: IpAddr, prefix: u8 },
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("it is no IP address")]
    NoAddress,
    #[error("the number behind the slash is not between 0 and {longest}")]
    BadPrefix { longest: u8 },
    #[error("the address has bits beyond the first {prefix}")]
    BitsBehind { prefix: u8, network: IpAddr },
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, a single address, or `unix`.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let text = text.trim();
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NoAddress)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => {
                let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse());
                let number = number.and_then(Result::ok).filter(|prefix| *prefix <= longest);
                number.ok_or(NetworkError::BadPrefix { longest })?
            }
        };
        let network = masked(address, prefix);
        // Somebody who wrote 10.0.0.1/8 may have meant either.
        if network == address {
            Ok(Self::Range { address, prefix })
        } else {
            Err(NetworkError::BitsBehind { prefix, network })
        }
    }
}

/// The address without what stands behind its first bits.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Range { address: IpAddr::V4(address), prefix: 32 } => address.fmt(f),
            Self::Range { address: IpAddr::V6(address), prefix: 128 } => address.fmt(f),
            Self::Range { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

impl Setting for Network {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "network".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let Shape::Text(text) = &value.shape else {
            return Err(vec![Complaint::expected("a network", value, "write \"192.0.2.0/24\" in quotes")]);
        };
        Self::parse(text).map_err(|why| vec![complaint(text, why)])
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

fn complaint(text: &str, why: NetworkError) -> Complaint {
    let remedy = match why {
        NetworkError::NoAddress => "write 192.0.2.0/24, 2001:db8::/32, a single address, or unix".to_owned(),
        NetworkError::BadPrefix { longest } => {
            format!("write how many bits count, such as /{}", longest / 4 * 3)
        }
        NetworkError::BitsBehind { prefix, network } => {
            let address = text.split('/').next().unwrap_or(text).trim();
            format!("write {network}/{prefix} for the network, or {address} for the one address")
        }
    };
    Complaint::new(format!("{text:?} is not a network: {why}"), remedy)
}

/// What holds for one user, as the user wrote it: `app from 10.0.0.0/8, unix max 100`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRule {
    /// The user's name.
    pub user: String,
    /// Where it may come from; anywhere, if empty.
    pub from: Vec<Network>,
    /// Most clients at once.
    pub max: Option<u32>,
    /// Most connections to one server.
    pub connections: Option<u32>,
    /// For how long its sessions have their connections to the primary.
    pub pool: Option<PoolMode>,
    /// What their reads may miss.
    pub consistency: Option<Consistency>,
    /// The oldest data that their reads may show.
    pub max_lag: Option<Duration>,
}

impl UserRule {
    fn parse(text: &str) -> Result<Self, Complaint> {
        let form = "write NAME from NETWORK, NETWORK max NUMBER connections NUMBER pool MODE consistency WORD max_lag \
                    DURATION; what is not needed may be left out";
        let wrong = |what: &str| Complaint::new(format!("{text:?} is not a rule: {what}"), form);
        let (user, rest) = name(text.trim()).ok_or_else(|| wrong("it begins with no name"))?;
        let mut rule = Self {
            user,
            from: Vec::new(),
            max: None,
            connections: None,
            pool: None,
            consistency: None,
            max_lag: None,
        };
        // A list with or without spaces behind its commas.
        let mut words = rest.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
        if words.next_if_eq(&"from").is_some() {
            while let Some(word) = words.next_if(|word| !BEHIND_NETWORKS.contains(word)) {
                rule.from.push(Network::parse(word).map_err(|why| complaint(word, why))?);
            }
            if rule.from.is_empty() {
                return Err(wrong("no network stands behind from"));
            }
        }
        for (word, number) in [("max", &mut rule.max), ("connections", &mut rule.connections)] {
            if words.next_if_eq(&word).is_some() {
                let read = words.next().and_then(|word| word.parse().ok()).filter(|number| *number > 0);
                let lacks = || wrong(&format!("no number of 1 or more stands behind {word}"));
                *number = Some(read.ok_or_else(lacks)?);
            }
        }
        if words.next_if_eq(&"pool").is_some() {
            let mode = words.next().and_then(PoolMode::of_word);
            rule.pool =
                Some(mode.ok_or_else(|| wrong("neither session nor transaction stands behind pool"))?);
        }
        if words.next_if_eq(&"consistency").is_some() {
            let named = words.next().and_then(Consistency::of_word);
            let lacks = "none of session, process, global and eventual stands behind consistency";
            rule.consistency = Some(named.ok_or_else(|| wrong(lacks))?);
        }
        if words.next_if_eq(&"max_lag").is_some() {
            let read = words.next().and_then(duration::parse);
            rule.max_lag =
                Some(read.ok_or_else(|| wrong("no duration such as 500ms stands behind max_lag"))?);
        }
        match words.next() {
            Some(word) => Err(wrong(&format!(
                "{word:?} is none of from, max, connections, pool, consistency and max_lag, in that order"
            ))),
            None if rest.trim().is_empty() => Err(wrong("it says nothing of its user")),
            None => Ok(rule),
        }
    }
}

/// The words that end the networks of a rule.
const BEHIND_NETWORKS: [&str; 5] = ["max", "connections", "pool", "consistency", "max_lag"];

/// The name at the front of a rule, in single quotes where it has spaces, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let (name, rest) = match text.strip_prefix('\'') {
        Some(quoted) => {
            quoted.split_once('\'').filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '))?
        }
        None => text.split_once(' ').unwrap_or((text, "")),
    };
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

impl fmt::Display for UserRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user.contains(char::is_whitespace) {
            true => write!(f, "'{}'", self.user)?,
            false => f.write_str(&self.user)?,
        }
        for (at, network) in self.from.iter().enumerate() {
            write!(f, "{} {network}", if at == 0 { " from" } else { "," })?;
        }
        for (word, number) in [("max", self.max), ("connections", self.connections)] {
            if let Some(number) = number {
                write!(f, " {word} {number}")?;
            }
        }
        if let Some(mode) = self.pool {
            write!(f, " pool {}", mode.word())?;
        }
        if let Some(consistency) = self.consistency {
            write!(f, " consistency {}", consistency.word())?;
        }
        self.max_lag.map_or(Ok(()), |lag| write!(f, " max_lag {}", duration::text(lag)))
    }
}

impl Setting for UserRule {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "rule".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let Shape::Text(text) = &value.shape else {
            let remedy = "write \"app from 10.0.0.0/8 max 100\" in quotes";
            return Err(vec![Complaint::expected("a rule", value, remedy)]);
        };
        Self::parse(text).map_err(|complaint| vec![complaint])
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_are_read_and_written() {
        let check = |written: &str, shown: &str| {
            assert_eq!(Network::parse(written).map(|network| network.to_string()), Ok(shown.to_owned()));
        };
        check("10.0.0.0/8", "10.0.0.0/8");
        check("192.0.2.7", "192.0.2.7");
        check("192.0.2.7/32", "192.0.2.7");
        check("0.0.0.0/0", "0.0.0.0/0");
        check(" 2001:db8::/32 ", "2001:db8::/32");
        check("::1/128", "::1");
        check("unix", "unix");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let check =
            |written: &str, why: NetworkError| assert_eq!(Network::parse(written), Err(why), "{written}");
        for text in ["", "db1", "10.0.0/8", "10.0.0.0.0", "fe80::1%eth0", "[::1]", "010.0.0.0/8"] {
            check(text, NetworkError::NoAddress);
        }
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/255.0.0.0"] {
            check(text, NetworkError::BadPrefix { longest: 32 });
        }
        check("::/129", NetworkError::BadPrefix { longest: 128 });
        let network = "10.0.0.0".parse().unwrap();
        check("10.0.0.1/8", NetworkError::BitsBehind { prefix: 8, network });
    }

    #[test]
    fn rules_are_read_and_written() {
        let check = |written: &str, shown: &str| {
            let rule = UserRule::parse(written).map(|rule| rule.to_string());
            assert_eq!(rule, Ok(shown.to_owned()), "{written}");
        };
        check("app from 10.0.0.0/8", "app from 10.0.0.0/8");
        check("app  from 10.0.0.0/8,::1 , unix max  5", "app from 10.0.0.0/8, ::1, unix max 5");
        check("app max 5", "app max 5");
        check("'the app' max 5", "'the app' max 5");
        check("'app' max 5", "app max 5");
        check("from from ::1", "from from ::1");
        check("app pool session", "app pool session");
        check("app from ::1 max 5  pool transaction", "app from ::1 max 5 pool transaction");
        check("app from ::1 connections 5", "app from ::1 connections 5");
        check("app max 50 connections 5 pool session", "app max 50 connections 5 pool session");
        check("app from ::1, pool session", "app from ::1 pool session");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let check = |written: &str, what: &str| {
            let told = UserRule::parse(written).unwrap_err().what;
            assert!(told.contains(what), "{written}: {told}");
        };
        check("", "begins with no name");
        check("'app max 5", "begins with no name");
        check("'app'max 5", "begins with no name");
        check("app", "says nothing of its user");
        check("app from", "no network stands behind from");
        check("app from max 5", "no network stands behind from");
        check("app from db1", "it is no IP address");
        check("app max", "no number");
        check("app max 0", "no number");
        check("app max 5 from ::1", "\"from\" is none of from, max, connections, pool, consistency");
        check("app at ::1", "\"at\" is none of");
        check("app connections 0", "behind connections");
        check("app connections 5 max 5", "\"max\" is none of");
        check("app pool", "stands behind pool");
        check("app pool statement", "stands behind pool");
        check("app pool session max 5", "\"max\" is none of");
        check("app consistency strong", "stands behind consistency");
        check("app max_lag 5", "stands behind max_lag");
        check("app max_lag 5s consistency global", "\"consistency\" is none of");
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back_to_itself(address: IpAddr, prefix in 0u8..=128, text in "\\PC{0,40}") {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.min(longest);
            let network = Network::Range { address: masked(address, prefix), prefix };
            prop_assert_eq!(Network::parse(&network.to_string()), Ok(network));
            if let Ok(rule) = UserRule::parse(&text) {
                prop_assert_eq!(UserRule::parse(&rule.to_string()), Ok(rule));
            }
        }
    }
}
