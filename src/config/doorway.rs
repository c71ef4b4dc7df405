//! An address on which clients are served, and what holds for those who come in there.

use std::fmt;

use super::choice::PoolMode;
use super::endpoint::Endpoint;
use super::setting::{Complaint, Form, Setting, quoted};
use super::value::{Shape, Value};

/// An address as the user wrote it: `0.0.0.0:4306`, or `0.0.0.0:4307 pool session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorway {
    pub endpoint: Endpoint,
    /// For how long those who come in there have their connections to the primary.
    pub pool: Option<PoolMode>,
}

impl Doorway {
    /// A doorway for which no more is said.
    pub const fn plain(endpoint: Endpoint) -> Self {
        Self { endpoint, pool: None }
    }
}

impl fmt::Display for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)?;
        self.pool.map_or(Ok(()), |mode| write!(f, " pool {}", mode.word()))
    }
}

/// What is said of an address stands behind it, whatever spaces a path may hold.
fn split(text: &str) -> (&str, Option<&str>) {
    text.trim().rsplit_once(" pool ").map_or((text, None), |(address, mode)| (address, Some(mode.trim())))
}

impl Setting for Doorway {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        Endpoint::kind()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let Shape::Text(text) = &value.shape else { return Endpoint::read(value).map(Self::plain) };
        let (address, word) = split(text);
        let endpoint =
            Endpoint::read(&Value { shape: Shape::Text(address.into()), span: value.span.clone() });
        let mode = word.map(|word| {
            PoolMode::of_word(word).ok_or_else(|| {
                let what = format!("{text:?} names a pool mode that does not exist");
                vec![Complaint::new(what, "write pool session or pool transaction behind the address")]
            })
        });
        match (endpoint, mode.transpose()) {
            (Ok(endpoint), Ok(pool)) => Ok(Self { endpoint, pool }),
            (endpoint, pool) => Err([endpoint.err(), pool.err()].into_iter().flatten().flatten().collect()),
        }
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
