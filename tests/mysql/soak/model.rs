//! What a client must see: its rows, and what its session is.

use std::collections::BTreeMap;

use headgate::lab::Flavor;

/// The schemas. Tables of the same name stand in both, and hold other rows.
pub(super) const SCHEMAS: [&str; 2] = ["soak_a", "soak_b"];

/// A row of a client's table; its key is the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Unique in its table.
    pub(super) k: u32,
    pub(super) a: i64,
    pub(super) b: String,
}

/// Everything in the servers that belongs to one client.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    /// Its table in each schema, by id.
    pub(super) tables: [BTreeMap<u64, Row>; 2],
    /// Its row of `soak_a.counters`.
    pub(super) counter: u64,
    /// Its rows in `soak_a.log`, which a procedure commits.
    pub(super) logged: u32,
}

/// An open transaction.
#[derive(Debug)]
struct Open {
    before: Data,
    savepoints: Vec<(usize, Data)>,
}

/// Session variables by name; `None` is NULL.
pub(super) type Variables = BTreeMap<&'static str, Option<String>>;

/// What a client and its session are.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) data: Data,
    /// The highest id that each table has given; it goes on from there after a rollback.
    pub(super) highest: [u64; 2],
    open: Option<Open>,
    pub(super) variables: Variables,
    /// The current schema.
    pub(super) schema: usize,
    /// What LAST_INSERT_ID() says; nothing where only the server knows.
    pub(super) insert_id: Option<u64>,
}

impl Model {
    pub(super) fn new(variables: Variables, schema: usize) -> Self {
        let (data, highest) = (Data::default(), [0; 2]);
        Self { data, highest, open: None, variables, schema, insert_id: Some(0) }
    }

    /// The session has ended, and another begins with these variables.
    pub(super) fn begin_anew(&mut self, variables: Variables) {
        self.roll_back();
        self.open = None;
        self.variables = variables;
        self.insert_id = Some(0);
    }

    pub(super) fn table(&self) -> &BTreeMap<u64, Row> {
        &self.data.tables[self.schema]
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn autocommits(&self) -> bool {
        self.text("autocommit") == "1"
    }

    /// START TRANSACTION, which commits what was open.
    pub(super) fn begin(&mut self) {
        self.open = Some(Open { before: self.data.clone(), savepoints: Vec::new() });
    }

    /// Without autocommit, the next transaction is open at once.
    fn end(&mut self) {
        self.open = None;
        if !self.autocommits() {
            self.begin();
        }
    }

    pub(super) fn commit(&mut self) {
        self.end();
    }

    pub(super) fn roll_back(&mut self) {
        if let Some(open) = self.open.take() {
            self.data = open.before;
        }
        self.end();
    }

    pub(super) fn set_autocommit(&mut self, on: bool) {
        let was = self.autocommits();
        self.variables.insert("autocommit", Some(u8::from(on).to_string()));
        match (was, on) {
            (false, true) => self.open = None,
            // What is open stays so.
            (true, false) if self.open.is_none() => self.begin(),
            _ => {}
        }
    }

    /// A savepoint takes the place of one with its name.
    pub(super) fn save(&mut self, name: usize) {
        let data = self.data.clone();
        if let Some(open) = &mut self.open {
            open.savepoints.retain(|(other, _)| *other != name);
            open.savepoints.push((name, data));
        }
    }

    /// Goes back to a savepoint. False where there is none.
    pub(super) fn back_to(&mut self, name: usize) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(at) = open.savepoints.iter().position(|(other, _)| *other == name) else { return false };
        open.savepoints.truncate(at + 1);
        self.data = open.savepoints[at].1.clone();
        true
    }

    /// Forgets a savepoint and those behind it. False where there is none.
    pub(super) fn release(&mut self, name: usize) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(at) = open.savepoints.iter().position(|(other, _)| *other == name) else { return false };
        open.savepoints.truncate(at);
        true
    }

    /// A variable's value; NULL is empty.
    pub(super) fn text(&self, name: &str) -> &str {
        self.variables.get(name).and_then(Option::as_deref).unwrap_or_default()
    }

    pub(super) fn has_mode(&self, mode: &str) -> bool {
        self.text("sql_mode").split(',').any(|part| part == mode)
    }

    /// Most rows that a SELECT shows.
    pub(super) fn row_limit(&self) -> usize {
        self.text("sql_select_limit").parse().unwrap_or(usize::MAX)
    }

    /// Text as the client has to send it.
    pub(super) fn sent(&self, text: &str) -> Vec<u8> {
        encoded(text, self.text("character_set_client"))
    }

    /// Text as the client is shown it.
    pub(super) fn received(&self, text: &str) -> Vec<u8> {
        encoded(text, self.text("character_set_results"))
    }
}

fn encoded(text: &str, charset: &str) -> Vec<u8> {
    if charset == "latin1" {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
    } else {
        text.as_bytes().to_vec()
    }
}

/// The session variables that are looked at.
pub(super) const VARIABLES: [&str; 14] = [
    "sql_mode",
    "time_zone",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "group_concat_max_len",
    "lc_time_names",
    "div_precision_increment",
    "sql_select_limit",
    "foreign_key_checks",
    "unique_checks",
    "default_week_format",
    "autocommit",
];

/// The name of the variable for the isolation level.
pub(super) fn isolation(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "transaction_isolation",
        Flavor::MariaDb => "tx_isolation",
    }
}

/// What a variable becomes.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    Value(&'static str),
    Null,
    /// What it was after the login.
    Default,
}
use To::{Default as Usual, Null, Value};

/// Statements that set variables, and what they are then.
pub(super) const SETTINGS: &[(&str, &[(&str, To)])] = &[
    ("SET time_zone = '+03:00'", &[("time_zone", Value("+03:00"))]),
    ("SET SESSION time_zone = '-07:30'", &[("time_zone", Value("-07:30"))]),
    ("SET time_zone = DEFAULT", &[("time_zone", Usual)]),
    ("SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", &[("sql_mode", Value("PIPES_AS_CONCAT,ANSI_QUOTES"))]),
    ("SET sql_mode = 'NO_BACKSLASH_ESCAPES'", &[("sql_mode", Value("NO_BACKSLASH_ESCAPES"))]),
    ("SET SESSION sql_mode = 'PIPES_AS_CONCAT'", &[("sql_mode", Value("PIPES_AS_CONCAT"))]),
    ("SET sql_mode = ''", &[("sql_mode", Value(""))]),
    ("SET sql_mode = DEFAULT", &[("sql_mode", Usual)]),
    (
        "SET NAMES latin1",
        &[
            ("character_set_client", Value("latin1")),
            ("character_set_connection", Value("latin1")),
            ("character_set_results", Value("latin1")),
            ("collation_connection", Value("latin1_swedish_ci")),
        ],
    ),
    (
        "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
        &[
            ("character_set_client", Value("utf8mb4")),
            ("character_set_connection", Value("utf8mb4")),
            ("character_set_results", Value("utf8mb4")),
            ("collation_connection", Value("utf8mb4_unicode_ci")),
        ],
    ),
    ("SET character_set_results = NULL", &[("character_set_results", Null)]),
    ("SET character_set_results = latin1", &[("character_set_results", Value("latin1"))]),
    ("SET group_concat_max_len = 7", &[("group_concat_max_len", Value("7"))]),
    ("SET group_concat_max_len = 2048", &[("group_concat_max_len", Value("2048"))]),
    ("SET group_concat_max_len = DEFAULT", &[("group_concat_max_len", Usual)]),
    ("SET lc_time_names = 'de_DE'", &[("lc_time_names", Value("de_DE"))]),
    ("SET lc_time_names = 'fr_FR'", &[("lc_time_names", Value("fr_FR"))]),
    ("SET lc_time_names = DEFAULT", &[("lc_time_names", Usual)]),
    ("SET div_precision_increment = 9", &[("div_precision_increment", Value("9"))]),
    ("SET div_precision_increment = DEFAULT", &[("div_precision_increment", Usual)]),
    ("SET sql_select_limit = 3", &[("sql_select_limit", Value("3"))]),
    ("SET sql_select_limit = DEFAULT", &[("sql_select_limit", Usual)]),
    ("SET foreign_key_checks = 0", &[("foreign_key_checks", Value("0"))]),
    ("SET foreign_key_checks = 1", &[("foreign_key_checks", Value("1"))]),
    ("SET unique_checks = 0", &[("unique_checks", Value("0"))]),
    ("SET unique_checks = 1", &[("unique_checks", Value("1"))]),
    ("SET default_week_format = 3", &[("default_week_format", Value("3"))]),
    ("SET default_week_format = DEFAULT", &[("default_week_format", Usual)]),
    (
        "SET time_zone = '+01:00', lc_time_names = 'de_DE', group_concat_max_len = 50",
        &[
            ("time_zone", Value("+01:00")),
            ("lc_time_names", Value("de_DE")),
            ("group_concat_max_len", Value("50")),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::new([("autocommit", Some("1".to_owned()))].into(), 0)
    }

    #[test]
    fn savepoints_nest() {
        let mut model = model();
        let mut steps = String::new();
        model.begin();
        for counter in 1..=3 {
            model.data.counter = counter;
            model.save(usize::try_from(counter).unwrap());
        }
        model.data.counter = 9;
        for name in [2, 3, 1] {
            steps += &format!("{}:{} ", model.back_to(name), model.data.counter);
        }
        model.roll_back();
        steps += &model.data.counter.to_string();
        assert_eq!(steps, "true:2 false:2 true:1 0");
    }

    #[test]
    fn without_autocommit_a_transaction_is_always_open() {
        let mut model = model();
        model.set_autocommit(false);
        model.data.counter = 1;
        model.commit();
        model.data.counter = 2;
        model.roll_back();
        assert_eq!((model.data.counter, model.in_transaction()), (1, true));
        model.data.counter = 3;
        model.set_autocommit(true);
        assert_eq!((model.data.counter, model.in_transaction()), (3, false));
    }
}
