use std::fmt;

use crate::sql::Dialect;

/// The family a server belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    MySql,
    MariaDb,
}

impl Flavor {
    /// From the version string of a greeting or of `@@version`: MariaDB names itself in it.
    pub fn of(version: &str) -> Self {
        if version.to_ascii_lowercase().contains("mariadb") { Self::MariaDb } else { Self::MySql }
    }

    pub fn dialect(self) -> Dialect {
        match self {
            Self::MySql => Dialect::MySql,
            Self::MariaDb => Dialect::MariaDb,
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// A server's version, as numbers. What follows the numbers (distribution, build) is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

impl Version {
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `8.4.3`, `10.11.19-MariaDB-1` and the `5.5.5-10.11.19-MariaDB` of a greeting, whose first part
    /// is there to please old replicas.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("5.5.5-").unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut parts = text.get(..end)?.split('.').map(str::parse);
        let version = Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            patch: parts.next().and_then(Result::ok).unwrap_or(0),
        };
        Some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_servers_write_them() {
        for (text, flavor, version) in [
            ("8.0.40", Flavor::MySql, Version::new(8, 0, 40)),
            ("9.7.4-Debian", Flavor::MySql, Version::new(9, 7, 4)),
            ("5.5.5-10.11.19-MariaDB-deb12", Flavor::MariaDb, Version::new(10, 11, 19)),
            ("11.4.2-MariaDB-log", Flavor::MariaDb, Version::new(11, 4, 2)),
            ("8.4", Flavor::MySql, Version::new(8, 4, 0)),
        ] {
            assert_eq!(Flavor::of(text), flavor, "{text}");
            assert_eq!(Version::parse(text), Some(version), "{text}");
        }
        assert_eq!(Version::parse("unknown"), None);
        assert!(Version::new(8, 0, 22) < Version::new(8, 4, 0));
    }
}
