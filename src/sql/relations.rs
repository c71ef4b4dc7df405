//! The tables that a SELECT reads and the functions it calls, by sqlparser. Not for the way of a statement.
//!
//! Flat chains of operators make trees that are as deep as they are long, and dropping one overflows the
//! stack. So what is parsed is bounded before, such that 2 MiB of stack are enough.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::lexer::{Kind, Lexer, Token};
use super::{LexMode, Name};

/// What a SELECT names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Tables and views that it reads, with the schema where one is written. Tables of WITH are none.
    pub tables: Vec<(Option<Name>, Name)>,
    /// Functions that it calls, built in or not, but for those with a grammar of their own.
    pub functions: Vec<(Option<Name>, Name)>,
}

/// The longest text that is parsed, in bytes.
const LONGEST: usize = 16 * 1024;
const MOST_TOKENS: usize = 4000;
/// Operators and words that may make a tree deeper.
const MOST_OPERATORS: usize = 250;
const DEEPEST: usize = 24;
/// How deep the parser may call itself. Unoptimised, it takes up to 70 KB each time.
const MOST_CALLS: usize = 14;
/// The parser calls itself for each join that has no condition yet, outside its own bounds.
const MOST_JOINS: usize = 10;

/// The tables and functions of one SELECT; `None` where that is not known for certain.
pub fn relations(text: &[u8], mode: LexMode) -> Option<Relations> {
    if !is_small(text, mode) || !reads_alike(text, mode) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut parser =
        Parser::new(&MySqlDialect {}).with_recursion_limit(MOST_CALLS).try_with_sql(text).ok()?;
    let statements = parser.parse_statements().ok()?;
    let [statement @ Statement::Query(_)] = statements.as_slice() else { return None };
    let mut walk = Walk::default();
    match statement.visit(&mut walk) {
        ControlFlow::Continue(()) => Some(walk.found),
        ControlFlow::Break(()) => None,
    }
}

/// Whether the parser reads literals and comments as the server does.
fn reads_alike(text: &[u8], mode: LexMode) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(text, part).is_some();
    let versions = has(b"/*!") || has(b"/*M!");
    let quotes = mode.ansi_quotes && has(b"\"");
    let escapes = mode.no_backslash_escapes && has(b"\\");
    !versions && !quotes && !escapes
}

/// Whether the text is short, and what it parses to is shallow.
fn is_small(text: &[u8], mode: LexMode) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let mut size = Size::default();
    Lexer::new(text, mode).all(|token| size.add(&token) && size.is_small())
}

#[derive(Default)]
struct Size {
    tokens: usize,
    operators: usize,
    /// Open parentheses.
    depth: usize,
    /// Joins that still wait for their condition, by depth, and together.
    joins: [usize; DEEPEST + 1],
    waiting: usize,
}

impl Size {
    /// False for what is not to be parsed at all.
    fn add(&mut self, token: &Token<'_>) -> bool {
        self.tokens += 1;
        let joins = self.joins.get_mut(self.depth);
        match token.kind {
            Kind::Symbol(b'(') => self.depth += 1,
            Kind::Symbol(b')') => {
                self.waiting -= joins.map_or(0, std::mem::take);
                self.depth = self.depth.saturating_sub(1);
            }
            Kind::Symbol(b',' | b'.' | b';' | b'@') => {}
            Kind::Symbol(_) => self.operators += 1,
            // TABLE t is no relation to the visitor.
            Kind::Word if token.is_word(b"TABLE") => return false,
            Kind::Broken | Kind::VersionComment => return false,
            Kind::Word if token.is_word(b"JOIN") || token.is_word(b"STRAIGHT_JOIN") => {
                if let Some(joins) = joins {
                    *joins += 1;
                    self.waiting += 1;
                }
            }
            Kind::Word if token.is_word(b"ON") || token.is_word(b"USING") => {
                if let Some(joins) = joins.filter(|joins| **joins > 0) {
                    *joins -= 1;
                    self.waiting -= 1;
                }
            }
            Kind::Word if CHAINS.split(' ').any(|word| token.is_word(word.as_bytes())) => self.operators += 1,
            _ => {}
        }
        true
    }

    fn is_small(&self) -> bool {
        self.tokens <= MOST_TOKENS
            && self.operators <= MOST_OPERATORS
            && self.depth <= DEEPEST
            && self.waiting <= MOST_JOINS
    }
}

/// Words that may make a tree deeper without a parenthesis.
const CHAINS: &str = "AND OR XOR NOT DIV MOD IS ISNULL NOTNULL IN LIKE ILIKE RLIKE REGEXP SIMILAR SOUNDS MATCH \
    BETWEEN OVERLAPS MEMBER ESCAPE COLLATE AT BINARY INTERVAL CASE WHEN EXISTS PRIOR ALL ANY SOME UNION EXCEPT \
    INTERSECT MINUS SELECT WITH VALUES APPLY PIVOT UNPIVOT MATCH_RECOGNIZE OPERATOR";

/// Names of the tables of one WITH, and how many of them can be seen.
struct Scope {
    names: Vec<String>,
    visible: usize,
}

#[derive(Default)]
struct Walk {
    found: Relations,
    statements: usize,
    /// One for each query that the walk is in.
    scopes: Vec<Scope>,
    /// Where the bodies of WITH stand: the scope they belong to, how much each sees, and what is seen after.
    bodies: HashMap<*const Query, (usize, usize, usize)>,
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.statements += 1;
        // Another inside is a write.
        if self.statements > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(&(scope, sees, _)) = self.bodies.get(&std::ptr::from_ref(query))
            && let Some(scope) = self.scopes.get_mut(scope)
        {
            scope.visible = sees;
        }
        let mut names = Vec::new();
        if let Some(with) = &query.with {
            for (at, table) in with.cte_tables.iter().enumerate() {
                let sees = at + usize::from(with.recursive);
                let body: *const Query = &raw const *table.query;
                self.bodies.insert(body, (self.scopes.len(), sees, at + 1));
                names.push(table.alias.name.value.clone());
            }
        }
        self.scopes.push(Scope { names, visible: 0 });
        match *query.body {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_) => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        if let Some(&(scope, _, after)) = self.bodies.get(&std::ptr::from_ref(query))
            && let Some(scope) = self.scopes.get_mut(scope)
        {
            scope.visible = after;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let Some((schema, name)) = split(relation) else { return ControlFlow::Break(()) };
        let own = schema.is_none()
            && self.scopes.iter().any(|scope| {
                scope.names.iter().take(scope.visible).any(|own| own.as_bytes() == name.as_bytes())
            });
        if !own {
            self.found.tables.push((schema, name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::JsonTable { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            let Some(name) = split(&function.name) else { return ControlFlow::Break(()) };
            self.found.functions.push(name);
        }
        ControlFlow::Continue(())
    }
}

/// `schema.name` or `name`.
fn split(name: &ObjectName) -> Option<(Option<Name>, Name)> {
    let part = |at: usize| {
        let ident = name.0.get(at)?.as_ident()?;
        // The parser takes a string for a table.
        let is_name = matches!(ident.quote_style, None | Some('`'));
        Name::new(ident.value.as_bytes()).filter(|_| is_name)
    };
    match name.0.len() {
        1 => Some((None, part(0)?)),
        2 => Some((Some(part(0)?), part(1)?)),
        _ => None,
    }
}
