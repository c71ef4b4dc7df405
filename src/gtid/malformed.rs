/// A text that is no GTID set or position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct BadGtid {
    /// What was read, cut short.
    pub text: String,
    /// What was wanted.
    pub what: &'static str,
}

impl BadGtid {
    pub(super) fn new(text: &str, what: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), what }
    }
}
