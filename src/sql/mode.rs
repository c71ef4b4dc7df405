/// Which server family's grammar a text is written for.
///
/// The families agree on quoting; they differ in which functions are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    MySql,
    MariaDb,
}

/// What decides where a literal ends, and which names are built in.
///
/// It must be the mode of the session that sends the text: under `NO_BACKSLASH_ESCAPES` the literal
/// `'\'` is complete, without it the rest of the statement is still inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LexMode {
    /// `"a"` is a name, not a string.
    pub ansi_quotes: bool,
    /// A backslash in a string is an ordinary character.
    pub no_backslash_escapes: bool,
    /// No character of the client's character set holds an ASCII byte after its first byte, so that
    /// quotes and backslashes can be found byte by byte. See [`charset_is_safe`].
    pub charset_safe: bool,
    pub dialect: Dialect,
    /// The text is there to be prepared: `?` stands for a value.
    pub parameters: bool,
    /// The server's version as version comments number it: 90704 for MySQL 9.7.4, 101119 for MariaDB
    /// 10.11.19. 0 where it is not known.
    pub version: u32,
}

impl LexMode {
    /// The mode of a session with the servers' own default `sql_mode` and `utf8mb4`.
    pub const fn usual(dialect: Dialect, version: u32) -> Self {
        Self {
            ansi_quotes: false,
            no_backslash_escapes: false,
            charset_safe: true,
            dialect,
            parameters: false,
            version,
        }
    }

    /// The mode of a session from its `sql_mode` and `character_set_client`.
    pub fn new(sql_mode: &str, charset: &str, dialect: Dialect) -> Self {
        let mut mode = Self { charset_safe: charset_is_safe(charset), ..Self::usual(dialect, 0) };
        for flag in sql_mode.split(',').map(str::trim) {
            // The server spells combined modes out, so ANSI arrives with ANSI_QUOTES beside it; but a
            // client's own text need not.
            mode.ansi_quotes |= is_one_of(flag, &["ANSI_QUOTES", "ANSI"]) || is_one_of(flag, OTHER_GRAMMARS);
            mode.no_backslash_escapes |= flag.eq_ignore_ascii_case("NO_BACKSLASH_ESCAPES");
        }
        mode
    }
}

/// Whether a `sql_mode` names a grammar other than the server's own, in which words mean other things.
pub fn is_other_grammar(sql_mode: &str) -> bool {
    sql_mode.split(',').any(|flag| is_one_of(flag.trim(), OTHER_GRAMMARS))
}

const OTHER_GRAMMARS: &[&str] = &["ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB"];

fn is_one_of(flag: &str, names: &[&str]) -> bool {
    names.iter().any(|name| flag.eq_ignore_ascii_case(name))
}

/// Whether texts in this character set can be read byte by byte.
///
/// In gbk, sjis, big5, cp932 and gb18030 the second byte of a character may be a backslash or a letter,
/// and swe7 has letters in place of brackets and the backslash. The list names what is known to be safe;
/// a character set not on it is not.
pub fn charset_is_safe(charset: &str) -> bool {
    SAFE_CHARSETS.iter().any(|name| charset.eq_ignore_ascii_case(name))
}

const SAFE_CHARSETS: &[&str] = &[
    "utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "binary", "latin2", "latin5", "latin7", "cp1250",
    "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "greek", "hebrew", "koi8r", "koi8u", "macce",
    "macroman", "dec8", "ujis", "eucjpms", "euckr", "gb2312",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_modes_that_change_quoting() {
        let mode = LexMode::new("STRICT_TRANS_TABLES, ansi_quotes", "utf8mb4", Dialect::MySql);
        assert!(mode.ansi_quotes && !mode.no_backslash_escapes && mode.charset_safe);
        let mode = LexMode::new("NO_BACKSLASH_ESCAPES", "GBK", Dialect::MariaDb);
        assert!(!mode.ansi_quotes && mode.no_backslash_escapes && !mode.charset_safe);
        assert!(LexMode::new("ANSI", "latin1", Dialect::MySql).ansi_quotes);
    }

    #[test]
    fn an_unknown_charset_is_not_safe() {
        for charset in ["sjis", "big5", "cp932", "gb18030", "swe7", "klingon", ""] {
            assert!(!charset_is_safe(charset), "{charset}");
        }
    }
}
