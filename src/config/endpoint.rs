//! Where something listens or can be reached: a host and a port, or a Unix socket.

use std::fmt;
use std::path::PathBuf;

use super::setting::{Complaint, Form, Setting, quoted};
use super::value::{Shape, Value};

/// An address as the user wrote it. A host name stays a name, so that it can be looked up again when a
/// connection fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Tcp {
        /// An IPv4 or IPv6 address (without brackets) or a host name.
        host: String,
        port: u16,
    },
    Unix {
        path: PathBuf,
    },
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("it names no port")]
    NoPort,
    #[error("its port is not a number between 0 and 65535")]
    BadPort,
    #[error("it names no host")]
    NoHost,
    #[error("an IPv6 address needs brackets")]
    Brackets,
    #[error("its host holds a character no host has")]
    BadHost,
    #[error("the path after unix: does not begin with /")]
    NotAbsolute,
}

impl Endpoint {
    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            // A relative one would depend on where Headgate was started.
            return match path.starts_with('/') {
                true => Ok(Self::Unix { path: PathBuf::from(path) }),
                false => Err(EndpointError::NotAbsolute),
            };
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(EndpointError::Brackets)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| EndpointError::BadHost)?;
                (host, rest.strip_prefix(':').ok_or(EndpointError::NoPort)?)
            }
            None => text.rsplit_once(':').ok_or(EndpointError::NoPort)?,
        };
        if host.is_empty() {
            return Err(EndpointError::NoHost);
        }
        if host.contains(':') && !text.starts_with('[') {
            return Err(EndpointError::Brackets);
        }
        if !host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%')) {
            return Err(EndpointError::BadHost);
        }
        // u16::from_str would take "+3306".
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EndpointError::BadPort);
        }
        let port = port.parse().map_err(|_| EndpointError::BadPort)?;
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Setting for Endpoint {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "address".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let Shape::Text(text) = &value.shape else {
            let remedy = "write \"HOST:PORT\" or \"unix:/path\" in quotes";
            return Err(vec![Complaint::expected("an address", value, remedy)]);
        };
        Self::parse(text).map_err(|why| {
            let remedy = match (why, text.trim()) {
                (EndpointError::NoPort, "") | (EndpointError::NoHost, _) => {
                    "write HOST:PORT, or unix:/path for a socket".to_owned()
                }
                (EndpointError::NoPort, text) if text.starts_with('/') => format!("write unix:{text}"),
                (EndpointError::NoPort, text) => format!("write {text}:PORT"),
                (EndpointError::Brackets, _) => "write it as [::1]:3306".to_owned(),
                (EndpointError::NotAbsolute, _) => "write unix:/run/mysqld/mysqld.sock".to_owned(),
                (EndpointError::BadPort | EndpointError::BadHost, _) => {
                    "write HOST:PORT, [IPV6]:PORT or unix:/path".to_owned()
                }
            };
            vec![Complaint::new(format!("{text:?} is not an address: {why}"), remedy)]
        })
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
    fn parses_each_form() {
        let check = |written: &str, host: &str, port: u16| {
            assert_eq!(
                Endpoint::parse(written),
                Ok(Endpoint::Tcp { host: host.to_owned(), port }),
                "{written}"
            );
        };
        check("0.0.0.0:4306", "0.0.0.0", 4306);
        check("[::1]:3306", "::1", 3306);
        check("[::]:0", "::", 0);
        check("db-1.example_net:3306", "db-1.example_net", 3306);
        check(" localhost:3306 ", "localhost", 3306);
        let socket = Endpoint::Unix { path: PathBuf::from("/run/mysqld/mysqld.sock") };
        assert_eq!(Endpoint::parse("unix:/run/mysqld/mysqld.sock"), Ok(socket));
    }

    #[test]
    fn names_what_is_wrong() {
        let check =
            |written: &str, why: EndpointError| assert_eq!(Endpoint::parse(written), Err(why), "{written}");
        check("", EndpointError::NoPort);
        check("db1", EndpointError::NoPort);
        check("/run/mysqld.sock", EndpointError::NoPort);
        check(":3306", EndpointError::NoHost);
        check("::1:3306", EndpointError::Brackets);
        check("[::1", EndpointError::Brackets);
        check("[::1]3306", EndpointError::NoPort);
        check("[db1]:3306", EndpointError::BadHost);
        check("mysql://db1:3306", EndpointError::Brackets);
        check("db 1:3306", EndpointError::BadHost);
        check("user@db1:3306", EndpointError::BadHost);
        check("db1:", EndpointError::BadPort);
        check("db1:+3306", EndpointError::BadPort);
        check("db1:65536", EndpointError::BadPort);
        check("unix:", EndpointError::NotAbsolute);
        check("unix:run/mysqld.sock", EndpointError::NotAbsolute);
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back_to_itself(text in "\\PC{0,40}") {
            if let Ok(endpoint) = Endpoint::parse(&text) {
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}
