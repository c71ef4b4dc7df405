//! The corpora of statements, read.
//!
//! A line of `tests/corpus/routing/*.sql` is a statement, unless it is empty or begins with `--` and a space:
//!
//! - `-- > TARGET REASON`: where the statements below run, and why. `-- > mysql: TARGET REASON` and
//!   `-- > mariadb: TARGET REASON`: for servers of that family only; a statement has no expectation on the other.
//! - `-- ? KEY[=VALUE] …`: what the session is for the statements below, up to the next such line:
//!   `sql_mode=…`, `charset=…`, `schema=…`, `in_transaction`, `autocommit_off`; `harmful`: not to be run on a
//!   server; nothing: a new session.
//! - anything else: a comment.
//!
//! In a statement, bytes may be written in hexadecimal between `«` and `»`.

use std::fs;
use std::path::Path;

use headgate::lab::Flavor;

/// Which kind of server a statement runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Primary,
    Replica,
}

/// What is known of the session that sends the statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) sql_mode: String,
    pub(crate) charset: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) in_transaction: bool,
    pub(crate) autocommit_off: bool,
    pub(crate) harmful: bool,
}

/// A statement and where it belongs.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `FILE:LINE`
    pub(crate) place: String,
    pub(crate) text: Vec<u8>,
    pub(crate) session: Session,
    pub(crate) target: Target,
    pub(crate) reason: String,
    /// The family it is for; both unless told.
    pub(crate) only: Option<Flavor>,
}

impl Case {
    pub(crate) fn is_for(&self, flavor: Flavor) -> bool {
        self.only.is_none_or(|only| only == flavor)
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}: {}", self.place, self.text.escape_ascii())
    }
}

/// All statements with an expectation.
pub(crate) fn routing() -> Vec<Case> {
    files("routing").iter().flat_map(|(name, text)| cases(name, text)).collect()
}

/// The files of a corpus, by name, in order.
pub(crate) fn files(corpus: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(corpus);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut session = Session::default();
    let mut expected = None;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", at + 1);
        if let Some(directive) = line.strip_prefix("-- > ") {
            expected = Some(expectation(directive).unwrap_or_else(|| panic!("{place}: {line}")));
        } else if let Some(directive) = line.strip_prefix("-- ?") {
            session = settings(directive).unwrap_or_else(|word| panic!("{place}: what is {word}?"));
        } else if !line.is_empty() && !line.starts_with("-- ") {
            let (only, target, reason) =
                expected.clone().unwrap_or_else(|| panic!("{place}: expects nothing"));
            let text = bytes(line).unwrap_or_else(|| panic!("{place}: no bytes"));
            found.push(Case { place, text, session: session.clone(), target, reason, only });
        }
    }
    assert!(!found.is_empty(), "{file} has no statement");
    found
}

/// `[FLAVOR:] TARGET REASON`
fn expectation(directive: &str) -> Option<(Option<Flavor>, Target, String)> {
    let (only, rest) = match directive.split_once(": ") {
        Some(("mysql", rest)) => (Some(Flavor::MySql), rest),
        Some(("mariadb", rest)) => (Some(Flavor::MariaDb), rest),
        Some(_) => return None,
        None => (None, directive),
    };
    let (target, reason) = rest.split_once(' ')?;
    let target = match target {
        "primary" => Target::Primary,
        "replica" => Target::Replica,
        _ => return None,
    };
    Some((only, target, reason.to_owned()))
}

fn settings(directive: &str) -> Result<Session, &str> {
    let mut session = Session::default();
    for word in directive.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("sql_mode", mode) => session.sql_mode = mode.to_owned(),
            ("charset", charset) => session.charset = Some(charset.to_owned()),
            ("schema", schema) => session.schema = Some(schema.to_owned()),
            ("in_transaction", "") => session.in_transaction = true,
            ("autocommit_off", "") => session.autocommit_off = true,
            ("harmful", "") => session.harmful = true,
            _ => return Err(word),
        }
    }
    Ok(session)
}

/// The line's bytes, those between `«` and `»` from their digits.
pub(crate) fn bytes(line: &str) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('«') {
        let (digits, after) = after.split_once('»')?;
        found.extend_from_slice(before.as_bytes());
        for at in (0..digits.len()).step_by(2) {
            found.push(u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?);
        }
        rest = after;
    }
    found.extend_from_slice(rest.as_bytes());
    Some(found)
}

#[test]
fn lines_become_cases() {
    let text = "-- about\n-- > mysql: replica plain_read\nSELECT«0a00»1\n\n-- ? sql_mode=ANSI harmful\n\
                -- > primary ddl\n--x\n";
    let cases = cases("x.sql", text);
    assert_eq!(cases.len(), 2);
    assert_eq!((cases[0].place.as_str(), &*cases[0].text), ("x.sql:3", &b"SELECT\n\x001"[..]));
    assert_eq!((cases[0].target, cases[0].only), (Target::Replica, Some(Flavor::MySql)));
    assert!(cases[0].is_for(Flavor::MySql) && !cases[0].is_for(Flavor::MariaDb));
    assert_eq!((cases[1].session.sql_mode.as_str(), cases[1].session.harmful), ("ANSI", true));
    assert_eq!((cases[1].reason.as_str(), &*cases[1].text), ("ddl", &b"--x"[..]));
    assert_eq!((bytes("«0»"), bytes("«zz»"), bytes("«0a")), (None, None, None));
}
