//! The classifier against a parser that knows nothing of it: what sqlparser takes for more than a plain read
//! must not be one.

use std::ops::ControlFlow;

use headgate::sql::{Class, Dialect, LexMode, calls, classify, digest, mentions, normalize, relations};
use sqlparser::ast::{Expr, Ident, Query, Select, SetExpr, Statement, Value, ValueWithSpan, Visit, Visitor};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::source::Source;

/// One byte of mode; then a text, or decisions that make one.
pub fn check(bytes: &[u8]) {
    let Some((&mode, rest)) = bytes.split_first() else { return };
    let dialect = if mode & 1 == 0 { Dialect::MySql } else { Dialect::MariaDb };
    let version = if mode & 1 == 0 { 90704 } else { 101119 };
    let mode_of_text = LexMode::usual(dialect, version);
    if mode & 2 == 0 {
        check_text(rest, mode_of_text);
    } else {
        let mut source = Source::new(rest);
        let mut text = String::new();
        query(&mut source, &mut text, 4);
        check_text(text.as_bytes(), mode_of_text);
    }
}

fn check_text(text: &[u8], mode: LexMode) {
    let statement = classify(text, mode);
    let called = calls(text, mode, |_, _| true);
    assert!(!called || statement.class == Class::Calls, "{}", String::from_utf8_lossy(text));
    assert!(!calls(text, mode, |_, _| false));
    let found = relations(text, mode);
    assert_eq!(digest(text, mode), digest(text, mode));
    assert!(normalize(text, mode).len() < 3 * 4096);
    let known = matches!(statement.class, Class::PlainRead | Class::Calls);
    let Ok(text) = std::str::from_utf8(text) else { return };
    // The parser takes version comments for code whatever the version.
    if !known || text.contains("/*!") || text.contains("/*M!") {
        return;
    }
    for (_, table) in found.iter().flat_map(|found| &found.tables) {
        let named = |name: &[u8]| name == table.as_bytes();
        assert!(mentions(text.as_bytes(), mode, named), "{table} in {text}");
    }
    let parser = Parser::new(&MySqlDialect {}).with_recursion_limit(24);
    // Only what is shallow: dropping a deep tree overflows the stack.
    if text.len() > 1024 {
        return;
    }
    let Ok(statements) = parser.try_with_sql(text).and_then(|mut parser| parser.parse_statements()) else {
        return;
    };
    assert!(statements.len() <= 1, "{} statements: {text}", statements.len());
    let mut oracle = Oracle { mode, unknown: false };
    for statement in &statements {
        if let ControlFlow::Break(why) = statement.visit(&mut oracle) {
            panic!("{why}: {text}");
        }
    }
    assert!(!oracle.unknown || statement.class != Class::PlainRead, "an unknown function: {text}");
}

struct Oracle {
    mode: LexMode,
    unknown: bool,
}

fn stop(holds: bool, why: &'static str) -> ControlFlow<&'static str> {
    if holds { ControlFlow::Break(why) } else { ControlFlow::Continue(()) }
}

impl Visitor for Oracle {
    type Break = &'static str;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<&'static str> {
        stop(!matches!(statement, Statement::Query(_)), "no query")
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        let writes = matches!(
            *query.body,
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)
        );
        stop(writes, "a write")?;
        stop(!query.locks.is_empty() || query.for_clause.is_some(), "a locking clause")
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        stop(select.into.is_some(), "INTO")
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> ControlFlow<&'static str> {
        stop(ident.quote_style.is_none() && ident.value.starts_with('@'), "a variable")
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<&'static str> {
        stop(matches!(value.value, Value::Placeholder(_)), "a parameter")
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<&'static str> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let known = match function.name.0.as_slice() {
            [part] => part.as_ident().is_some_and(|name| {
                let call = format!("SELECT {}(1)", name.value);
                name.quote_style.is_none() && classify(call.as_bytes(), self.mode).class == Class::PlainRead
            }),
            _ => false,
        };
        self.unknown |= !known;
        ControlFlow::Continue(())
    }
}

/// A SELECT of the parts that matter, most of it well formed.
fn query(source: &mut Source<'_>, text: &mut String, deeper: u8) {
    if source.below(6) == 1 && deeper > 0 {
        text.push_str(source.choose(&["WITH c AS (", "WITH c (a, b) AS (", "WITH RECURSIVE c (a) AS ("]));
        query(source, text, deeper - 1);
        text.push_str(source.choose(&[") ", "), d (x) AS (SELECT 1) ", "), f (1) "]));
    }
    text.push_str("SELECT ");
    text.push_str(source.choose(&[
        "",
        "",
        "DISTINCT ",
        "SQL_CALC_FOUND_ROWS ",
        "/*+ MRR(t) */ ",
        "/* x */",
        "ALL ",
    ]));
    expression(source, text, deeper);
    text.push_str(source.choose(&["", "", "", " INTO @x", " INTO OUTFILE 'x'", " AS n", " n"]));
    match source.below(5) {
        0 => {}
        1 if deeper > 0 => {
            text.push_str(" FROM (");
            query(source, text, deeper - 1);
            text.push_str(") AS s");
        }
        _ => {
            text.push_str(" FROM ");
            text.push_str(source.choose(&[
                "t",
                "d.t",
                "`t` AS u",
                "t JOIN u USING (id)",
                "c",
                "mysql.user",
                "t FOR UPDATE",
            ]));
        }
    }
    if source.flag() {
        text.push_str(" WHERE ");
        expression(source, text, deeper);
    }
    text.push_str(source.choose(&[
        "",
        "",
        " GROUP BY 1",
        " GROUP BY a WITH ROLLUP",
        " ORDER BY a",
        " LIMIT 1",
        "",
    ]));
    if source.below(8) == 1 && deeper > 0 {
        text.push_str(source.choose(&[" UNION ", " UNION ALL ", " EXCEPT ", "; "]));
        query(source, text, deeper - 1);
    }
    text.push_str(source.choose(&[
        "",
        "",
        "",
        "",
        " FOR UPDATE",
        " FOR SHARE",
        " LOCK IN SHARE MODE",
        " for/**/update",
    ]));
}

fn expression(source: &mut Source<'_>, text: &mut String, deeper: u8) {
    const LEAVES: [&str; 24] = [
        "1",
        "a",
        "t.a",
        "'x'",
        "\"y\"",
        "`z`",
        "NULL",
        "@v",
        "@@sql_mode",
        "?",
        "NOW()",
        "CURRENT_USER",
        "1.5e3",
        "x'41'",
        "COUNT(*)",
        "t.`lock`",
        "f(1)",
        "d.abs(1)",
        "`abs`(1)",
        "COUNT (1)",
        "LAST_INSERT_ID()",
        "@v := 1",
        "'a\\'b'",
        "-- x\n 1",
    ];
    if deeper == 0 {
        return text.push_str(source.choose(&LEAVES));
    }
    match source.below(10) {
        0..=3 => text.push_str(source.choose(&LEAVES)),
        4 => {
            expression(source, text, deeper - 1);
            text.push_str(source.choose(&[" + ", " AND ", " = ", " IN ", "->", " COLLATE ", ", ", "/*'*/"]));
            expression(source, text, deeper - 1);
        }
        5 => {
            text.push_str(source.choose(&["(", "EXISTS (", "a IN (", "ANY ("]));
            query(source, text, deeper - 1);
            text.push(')');
        }
        6 => {
            text.push_str(source.choose(&[
                "SLEEP(",
                "abs(",
                "IF(a, 1, ",
                "g(",
                "CAST(",
                "GET_LOCK('a', ",
                "`f`(",
            ]));
            expression(source, text, deeper - 1);
            text.push_str(source.choose(&[")", ")", " AS CHAR)"]));
        }
        7 => {
            text.push('(');
            expression(source, text, deeper - 1);
            text.push(')');
        }
        8 => {
            text.push_str("CASE WHEN ");
            expression(source, text, deeper - 1);
            text.push_str(" THEN 1 END");
        }
        _ => text.push_str(&String::from_utf8_lossy(source.chunk())),
    }
}
