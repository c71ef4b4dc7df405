//! Whole answers to questions of Headgate's own, as text.

/// One row.
pub type Row = Vec<Option<String>>;

/// A result set, or nothing but an OK.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Names of the columns; none where the answer was a plain OK.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// System variables that it reported, with their new values.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Answer {
    /// The place of a column. Names are compared without regard to case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The value of a named column in a row of this answer.
    #[must_use]
    pub fn get<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        row.get(self.column(column)?)?.as_deref()
    }

    /// The value of a named column in the first row.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<&str> {
        self.get(self.rows.first()?, column)
    }
}
