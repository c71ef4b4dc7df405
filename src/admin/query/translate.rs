//! From a statement as MySQL's clients write it to one that SQLite reads in the same way.

use crate::admin::answer::ConsoleError;
use crate::admin::commands::variable;
use crate::admin::request::{MODE, Request};
use crate::sql::{Kind, Lexer};

/// A literal in place of a system variable, and the name its column would have.
pub(super) type Renamed = Vec<(String, String)>;

/// Writes a statement anew for SQLite: strings with their backslashes undone, system variables as their
/// values, comments left out. What is one token to MySQL's clients is then the same token to SQLite.
pub(super) fn translate(sql: &str) -> Result<(String, Renamed), ConsoleError> {
    let tokens: Vec<_> = Lexer::new(sql.as_bytes(), MODE).collect();
    let (mut out, mut renamed, mut at) = (String::with_capacity(sql.len()), Renamed::new(), 0);
    let is = |at: usize, symbol: u8| tokens.get(at).is_some_and(|token| token.is_symbol(symbol));
    while let Some(token) = tokens.get(at) {
        // SQLite takes `--` for a comment whatever follows.
        if (token.spaced || (is(at, b'-') && out.ends_with('-'))) && !out.is_empty() {
            out.push(' ');
        }
        let text = std::str::from_utf8(token.text).unwrap_or_default();
        match token.kind {
            Kind::Text => {
                let unreadable = || ConsoleError::Sql { problem: format!("{text} is no string") };
                out.push_str(&literal(&Request::unquote(text).ok_or_else(unreadable)?));
            }
            Kind::Symbol(b'@') if is(at + 1, b'@') => {
                // @@name, or @@scope.name
                let last = if is(at + 3, b'.') { at + 4 } else { at + 2 };
                let named = tokens.get(at..=last).unwrap_or_default();
                let named: Vec<u8> = named.iter().flat_map(|token| token.text).copied().collect();
                let named = String::from_utf8_lossy(&named).into_owned();
                let name = named.rsplit(['.', '@']).next().unwrap_or_default().to_lowercase();
                let unknown = || ConsoleError::Sql { problem: format!("Unknown system variable '{name}'") };
                let literal = literal(&variable(&name).ok_or_else(unknown)?);
                out.push_str(&literal);
                renamed.push((literal, named));
                at = last;
            }
            Kind::Hint => {}
            Kind::VersionComment | Kind::Broken => {
                let problem = format!(
                    "what begins with `{}` cannot be read",
                    text.chars().take(20).collect::<String>()
                );
                return Err(ConsoleError::Sql { problem });
            }
            Kind::Word | Kind::ForeignWord | Kind::QuotedName | Kind::Number | Kind::Symbol(_) => {
                out.push_str(text);
            }
        }
        at += 1;
    }
    Ok((out, renamed))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
