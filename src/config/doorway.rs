//! An address on which clients are served, and what holds for those who come in there.

use std::fmt;
use std::time::Duration;

use super::choice::{Consistency, PoolMode};
use super::duration;
use super::endpoint::Endpoint;
use super::setting::{Complaint, Form, Setting, quoted};
use super::value::{Shape, Value};

/// An address as the user wrote it: `0.0.0.0:4306`, or `0.0.0.0:4307 pool session consistency global max_lag 5s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorway {
    pub endpoint: Endpoint,
    /// For how long those who come in there have their connections to the primary.
    pub pool: Option<PoolMode>,
    /// What their reads may miss.
    pub consistency: Option<Consistency>,
    /// The oldest data that their reads may show.
    pub max_lag: Option<Duration>,
}

impl Doorway {
    /// A doorway for which no more is said.
    pub const fn plain(endpoint: Endpoint) -> Self {
        Self { endpoint, pool: None, consistency: None, max_lag: None }
    }

    /// Takes in one thing that is said of it; what to write instead, where that is wrong.
    fn say(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "pool" => self.pool = Some(PoolMode::of_word(value).ok_or("pool session or pool transaction")?),
            "consistency" => {
                let remedy = "consistency session, process, global or eventual";
                self.consistency = Some(Consistency::of_word(value).ok_or(remedy)?);
            }
            _ => self.max_lag = Some(duration::parse(value).ok_or("max_lag and a duration such as 500ms")?),
        }
        Ok(())
    }
}

impl fmt::Display for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)?;
        if let Some(mode) = self.pool {
            write!(f, " pool {}", mode.word())?;
        }
        if let Some(consistency) = self.consistency {
            write!(f, " consistency {}", consistency.word())?;
        }
        self.max_lag.map_or(Ok(()), |lag| write!(f, " max_lag {}", duration::text(lag)))
    }
}

/// What may be said of an address. It stands behind it, whatever spaces a path may hold.
const SAID: [&str; 3] = ["pool", "consistency", "max_lag"];

/// The last thing that is said, and what stands before it.
fn last_said(text: &str) -> Option<(&str, &str, &str)> {
    let (rest, value) = text.trim_end().rsplit_once(' ')?;
    let (address, name) = rest.trim_end().rsplit_once(' ')?;
    SAID.contains(&name).then_some((address, name, value))
}

impl Setting for Doorway {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        Endpoint::kind()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let Shape::Text(text) = &value.shape else { return Endpoint::read(value).map(Self::plain) };
        let (mut address, mut said) = (text.trim(), Vec::<(&str, &str)>::new());
        while let Some((before, name, value)) = last_said(address) {
            // What is said twice belongs to the path.
            if said.iter().any(|(known, _)| *known == name) {
                break;
            }
            address = before;
            said.push((name, value));
        }
        let endpoint =
            Endpoint::read(&Value { shape: Shape::Text(address.trim().into()), span: value.span.clone() });
        let (mut complaints, read) = match endpoint {
            Ok(endpoint) => (Vec::new(), Some(endpoint)),
            Err(complaints) => (complaints, None),
        };
        let mut doorway = Self::plain(read.unwrap_or(Endpoint::Unix { path: "/".into() }));
        for (name, word) in said {
            if let Err(remedy) = doorway.say(name, word) {
                let what = format!("{text:?} says {name} {word}, which does not exist");
                complaints.push(Complaint::new(what, format!("write {remedy} behind the address")));
            }
        }
        if complaints.is_empty() { Ok(doorway) } else { Err(complaints) }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Doorway, Vec<Complaint>> {
        Doorway::read(&Value { shape: Shape::Text(text.into()), span: 0..0 })
    }

    #[test]
    fn an_address_may_name_a_mode() {
        let check = |written: &str, pool, shown: &str| {
            let doorway = read(written).unwrap();
            assert_eq!((doorway.pool, doorway.to_string().as_str()), (pool, shown), "{written}");
        };
        check("0.0.0.0:4306", None, "0.0.0.0:4306");
        check("0.0.0.0:4306 pool session", Some(PoolMode::Session), "0.0.0.0:4306 pool session");
        check(" [::]:1  pool  transaction ", Some(PoolMode::Transaction), "[::]:1 pool transaction");
        check("[::1]:1 max_lag 5s consistency global", None, "[::1]:1 consistency global max_lag 5s");
        check("unix:/a pool b pool session", Some(PoolMode::Session), "unix:/a pool b pool session");
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let check = |written: &str, count| {
            assert_eq!(read(written).map_err(|wrong| wrong.len()), Err(count), "{written}");
        };
        check("4306", 1);
        check("0.0.0.0:4306 pool statement", 1);
        check("4306 pool statement", 2);
        check("0.0.0.0:4306 mode session", 1);
        check("0.0.0.0:4306 consistency strong max_lag 5", 2);
        check("unix:/run/a pool b.sock", 1);
    }

    proptest! {
        #[test]
        fn whatever_is_read_reads_back_as_itself(text in "\\PC{0,40}") {
            if let Ok(doorway) = read(&text) {
                prop_assert_eq!(read(&doorway.to_string()).ok(), Some(doorway));
            }
        }
    }
}
