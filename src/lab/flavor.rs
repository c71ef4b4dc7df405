use std::fmt;
use std::str::FromStr;

/// The two families of servers Headgate stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    MySql,
    MariaDb,
}

impl Flavor {
    pub const ALL: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavor::MySql => "mysql",
            Flavor::MariaDb => "mariadb",
        })
    }
}

impl FromStr for Flavor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mysql" => Ok(Flavor::MySql),
            "mariadb" => Ok(Flavor::MariaDb),
            _ => Err(format!("{text} is neither mysql nor mariadb")),
        }
    }
}
