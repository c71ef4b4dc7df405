//! What a command answers.

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// Rows, or nothing but "done" where there are no columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
}

/// Why there is no answer. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsoleError {
    #[error("there is no command `{word}`{}; HELP lists the commands", meant(nearest))]
    UnknownCommand { word: String, nearest: Option<String> },
    #[error("there is no table `{name}`{}; SHOW TABLES lists the tables", meant(nearest))]
    UnknownTable { name: String, nearest: Option<String> },
    #[error("there is no schema `{name}`; the console's own is `headgate`")]
    UnknownSchema { name: String },
    #[error("{why}; write {usage}")]
    Usage { why: String, usage: &'static str },
    #[error("several statements in one text; send them one by one")]
    Several,
    #[error("there is no session {id}; SHOW SESSIONS lists them")]
    NoSession { id: u64 },
    #[error("the statement could not be ended: {why}")]
    NotEnded { why: String },
    #[error("{why}")]
    Servers { why: String },
    #[error("the console has no variable `{name}` that can be set; settings are in the configuration file")]
    UnknownVariable { name: String },
    #[error("{why}")]
    Declined { why: String },
    #[error("{problem}")]
    Sql { problem: String },
    #[error("the console only reads; KILL and the other commands of HELP change things")]
    ReadOnly,
    #[error("it took longer than {limit:?}; ask for less")]
    Late { limit: std::time::Duration },
    #[error("the result has more than {most}; add WHERE or LIMIT")]
    TooLarge { most: &'static str },
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count. Counts past what SQL has integers for do not occur, and are cut if they do.
    pub(super) fn count(count: impl TryInto<i64>) -> Self {
        Self::Integer(count.try_into().unwrap_or(i64::MAX))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self::Text(String::from_utf8_lossy(bytes).into_owned())
    }
}

impl From<Option<Self>> for Value {
    fn from(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Null)
    }
}

impl Answer {
    /// Nothing to show.
    pub(super) fn done() -> Self {
        Self::default()
    }

    pub(super) fn new(columns: &[&str], rows: Vec<Vec<Value>>) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows }
    }
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

/// The candidate nearest to `word`, if any is near enough to be a slip of the pen: an edit for every
/// three letters, at least one.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
