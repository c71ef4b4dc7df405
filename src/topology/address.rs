use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// The host as given: a name to be looked up at each connect, or an address.
    HostPort {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("it is empty")]
    Empty,
    #[error("the port {port:?} is not a number from 1 to 65535")]
    Port { port: String },
    #[error("an IPv6 address with a port is written [::1]:3306")]
    Brackets,
    #[error("the host is missing")]
    Host,
}

impl Address {
    /// The port servers listen on unless told otherwise.
    pub const DEFAULT_PORT: u16 = 3306;
}

impl FromStr for Address {
    type Err = BadAddress;

    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` and `/path/to/socket`.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text.is_empty() {
            return Err(BadAddress::Empty);
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(BadAddress::Brackets)?;
                match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if port.is_empty() => (host, None),
                    None => return Err(BadAddress::Brackets),
                }
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(BadAddress::Brackets),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(BadAddress::Host);
        }
        let port = match port {
            None => Self::DEFAULT_PORT,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| BadAddress::Port { port: port.to_owned() })?,
        };
        Ok(Self::HostPort { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostPort { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::HostPort { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, printed) in [
            ("db1", "db1:3306"),
            ("db1:3307", "db1:3307"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:3306", "[::1]:3306"),
            ("[fe80::1]", "[fe80::1]:3306"),
            ("/run/mysqld.sock", "/run/mysqld.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn bad_addresses_say_what_is_wrong() {
        for (text, wrong) in [
            ("", BadAddress::Empty),
            ("db1:", BadAddress::Port { port: String::new() }),
            ("db1:0", BadAddress::Port { port: "0".into() }),
            ("db1:65536", BadAddress::Port { port: "65536".into() }),
            ("::1:3306", BadAddress::Brackets),
            ("[::1", BadAddress::Brackets),
            ("[::1]x", BadAddress::Brackets),
            (":3306", BadAddress::Host),
        ] {
            assert_eq!(text.parse::<Address>(), Err(wrong), "{text}");
        }
    }
}
