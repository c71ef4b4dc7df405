//! Version comments, as the servers read them (sql_lex.cc of both families).

use super::{Dialect, LexMode};

/// What a server makes of a version comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionComment {
    /// Its content is part of the statement, after `skip` bytes. `everywhere`: to every supported server of
    /// the dialect.
    Code { skip: usize, everywhere: bool },
    /// A comment up to the next `*/`.
    Skipped,
    /// Not certain.
    Unclear,
}

/// What stands behind `/*`, if that begins a version comment.
///
/// Five or six digits directly after the sign are a version: to that server and newer ones the rest is code.
/// Without them it is code to all. MariaDB takes the numbers from 50700 to 99999 for MySQL's and skips them;
/// it knows `/*M!` besides, where it does not, and which is a plain comment to MySQL.
pub(super) fn version_comment(body: &[u8], mode: LexMode) -> Option<VersionComment> {
    let sign = match body {
        [b'!', ..] => 1,
        [b'M', b'!', ..] if mode.dialect == Dialect::MariaDb => 2,
        _ => return None,
    };
    let after = body.get(sign..).unwrap_or(&[]);
    let digits = after.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
    let number = after.iter().take(digits.min(6)).fold(0u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    match digits {
        0 => return Some(VersionComment::Code { skip: sign, everywhere: true }),
        5 | 6 if mode.version != 0 => {}
        _ => return Some(VersionComment::Unclear),
    }
    let (code, everywhere) = match mode.dialect {
        // Older ones of MySQL 8.0 read five digits only, so six are not the same everywhere.
        Dialect::MySql => (number <= mode.version, digits == 5 && number <= OLDEST_MYSQL),
        Dialect::MariaDb if sign == 1 && (50700..=99999).contains(&number) => (false, false),
        Dialect::MariaDb => (number <= mode.version, number <= OLDEST_MARIADB),
    };
    if code {
        return Some(VersionComment::Code { skip: sign + digits, everywhere });
    }
    // A comment inside is skipped with it, one level deep, and how deep is a matter of the version.
    let end = memchr::memmem::find(after, b"*/")?;
    let nested = after.get(..=end).is_some_and(|inside| memchr::memmem::find(inside, b"/*").is_some());
    Some(if nested { VersionComment::Unclear } else { VersionComment::Skipped })
}

/// MySQL 8.0.0.
const OLDEST_MYSQL: u32 = 80000;
/// MariaDB 10.6.0.
const OLDEST_MARIADB: u32 = 100600;
