//! What the words of SQL mean to a classifier that fails closed: a word is allowed in a plain read when it
//! is on a list, or reserved nowhere. The lists follow the reserved words and built-in functions of the
//! reference manuals of MySQL 8.0 to 9.x and MariaDB 10.6 to 11.x.

use super::Dialect;

/// What is known of a word, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u16);

/// Grammar of a plain SELECT; may stand before a parenthesis without calling anything.
const GRAMMAR: u16 = 1;
/// Reserved and not part of a plain SELECT, or a function written without parentheses.
const RESERVED: u16 = 1 << 1;
/// A built-in function whose value depends on its arguments and compared session variables only.
const PLAIN_CALL: u16 = 1 << 2;
/// A built-in function that leaves nothing behind which a later plain read could see.
const CALL_MYSQL: u16 = 1 << 3;
const CALL_MARIADB: u16 = 1 << 4;
const CALL: u16 = CALL_MYSQL | CALL_MARIADB;
/// A function only where the parenthesis touches it (unless IGNORE_SPACE); apart from it the same name
/// may call a stored function.
const TOUCHING: u16 = 1 << 5;
/// A schema that every server has its own of.
const LOCAL_SCHEMA: u16 = 1 << 6;
/// May stand before a parenthesis without calling anything, though it is no part of a plain SELECT.
const OPENS: u16 = 1 << 7;
/// Tells about the statement before.
const LOOKS_BACK: u16 = 1 << 8;

impl Word {
    /// What is known of this word, in any case. An unknown word is an ordinary name.
    pub(super) fn of(word: &[u8]) -> Self {
        if word.len() > LONGEST {
            return Self(0);
        }
        let mut at = hash(word) % SLOTS;
        loop {
            let Some(slot) = TABLE.get(at) else { return Self(0) };
            if slot.flags == 0 {
                return Self(0);
            }
            if slot.word.as_bytes().eq_ignore_ascii_case(word) {
                return Self(slot.flags);
            }
            at = (at + 1) % SLOTS;
        }
    }

    pub(super) fn may_stand_in_plain_read(self) -> bool {
        self.0 & RESERVED == 0
    }

    pub(super) fn opens_parenthesis(self) -> bool {
        self.0 & (GRAMMAR | OPENS) != 0
    }

    pub(super) fn is_plain_call(self, touching: bool) -> bool {
        self.0 & PLAIN_CALL != 0 && (touching || self.0 & TOUCHING == 0)
    }

    pub(super) fn is_known_call(self, dialect: Dialect, touching: bool) -> bool {
        let wanted = match dialect {
            Dialect::MySql => CALL_MYSQL,
            Dialect::MariaDb => CALL_MARIADB,
        };
        self.0 & wanted != 0 && (touching || self.0 & TOUCHING == 0)
    }

    pub(super) fn is_local_schema(self) -> bool {
        self.0 & LOCAL_SCHEMA != 0
    }

    pub(super) fn looks_back(self) -> bool {
        self.0 & LOOKS_BACK != 0
    }
}

#[derive(Clone, Copy)]
struct Slot {
    word: &'static str,
    flags: u16,
}

const SLOTS: usize = 2048;
const LONGEST: usize = 40;

/// Open addressing, filled by the compiler: one comparison for most words.
static TABLE: [Slot; SLOTS] = build();

const fn build() -> [Slot; SLOTS] {
    let mut table = [Slot { word: "", flags: 0 }; SLOTS];
    let mut list = 0;
    while list < LISTS.len() {
        let (words, flags) = LISTS[list];
        let mut word = 0;
        while word < words.len() {
            put(&mut table, words[word], flags);
            word += 1;
        }
        list += 1;
    }
    table
}

const fn put(table: &mut [Slot; SLOTS], word: &'static str, flags: u16) {
    assert!(word.len() <= LONGEST);
    let mut at = hash(word.as_bytes()) % SLOTS;
    while table[at].flags != 0 && !table[at].word.as_bytes().eq_ignore_ascii_case(word.as_bytes()) {
        at = (at + 1) % SLOTS;
    }
    table[at] = Slot { word, flags: table[at].flags | flags };
}

/// FNV-1a over the upper-case letters.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler too, and bounded by the loop")]
const fn hash(word: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < word.len() {
        hash = (hash ^ word[at].to_ascii_uppercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 15)) as usize
}

const LISTS: [(&[&str], u16); 11] = [
    (PLAIN_GRAMMAR, GRAMMAR),
    (RESERVED_WORDS, RESERVED),
    (PLAIN_FUNCTIONS, PLAIN_CALL | CALL),
    (FUNCTIONS, CALL),
    (MYSQL_FUNCTIONS, CALL_MYSQL),
    (MARIADB_FUNCTIONS, CALL_MARIADB),
    (TOUCHING_FUNCTIONS, TOUCHING),
    (&["INFORMATION_SCHEMA", "PERFORMANCE_SCHEMA", "MYSQL", "SYS", "NDBINFO"], LOCAL_SCHEMA),
    (&["VALUES", "VALUE", "ROW", "AGAINST", "RETURNING", "SET", "UPDATE"], OPENS),
    (&["FOUND_ROWS", "ROW_COUNT", "WARNING_COUNT", "ERROR_COUNT"], LOOKS_BACK),
    (&["CHAR", "DECIMAL", "FLOAT", "DOUBLE", "VARCHAR", "NCHAR"], OPENS),
];

/// Reserved words of a plain SELECT. Words that no dialect reserves need not be here: they pass as names.
const PLAIN_GRAMMAR: &[&str] = &[
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BINARY", "BOTH", "BY", "CASE", "COLLATE", "CROSS", "DAY_HOUR",
    "DAY_MICROSECOND", "DAY_MINUTE", "DAY_SECOND", "DESC", "DISTINCT", "DISTINCTROW", "DIV", "DUAL", "ELSE",
    "EXCEPT", "EXISTS", "FALSE", "FORCE", "FROM", "GROUP", "HAVING", "HOUR_MICROSECOND", "HOUR_MINUTE",
    "HOUR_SECOND", "IGNORE", "IN", "INDEX", "INNER", "INTERSECT", "INTERVAL", "IS", "JOIN", "KEY", "LEADING",
    "LEFT", "LIKE", "LIMIT", "MATCH", "MINUTE_MICROSECOND", "MINUTE_SECOND", "MOD", "NATURAL", "NOT", "NULL",
    "OF", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION", "RANGE", "RECURSIVE", "REGEXP", "RIGHT",
    "RLIKE", "ROWS", "SECOND_MICROSECOND", "SELECT", "SEPARATOR", "SQL_BIG_RESULT", "SQL_SMALL_RESULT",
    "STRAIGHT_JOIN", "THEN", "TRAILING", "TRUE", "UNION", "USE", "USING", "WHEN", "WHERE", "WINDOW", "WITH", "XOR",
    "YEAR_MONTH", "CHAR", "CHARACTER", "DECIMAL", "DOUBLE", "FLOAT", "INT", "INTEGER", "UNSIGNED", "ROW",
];

/// Words that some dialect reserves, or that act as functions without parentheses.
const RESERVED_WORDS: &[&str] = &[
    "ACCESSIBLE", "ADD", "ALTER", "ANALYZE", "ASENSITIVE", "BEFORE", "CALL", "CASCADE", "CHANGE", "CHECK",
    "COLUMN", "CONDITION", "CONSTRAINT", "CONTINUE", "CONVERT", "CREATE", "CURRENT_DATE", "CURRENT_ROLE",
    "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURRVAL", "CURSOR", "DATABASE", "DATABASES", "DECLARE",
    "DEFAULT", "DELAYED", "DELETE", "DELETE_DOMAIN_ID", "DESCRIBE", "DETERMINISTIC", "DO_DOMAIN_IDS", "DROP",
    "EACH", "ELSEIF", "ENCLOSED", "ESCAPED", "EXIT", "EXPLAIN", "FETCH", "FOR", "FOREIGN", "FULLTEXT", "GENERATED",
    "GRANT", "HIGH_PRIORITY", "IF", "IGNORE_DOMAIN_IDS", "INFILE", "INOUT", "INSENSITIVE", "INSERT", "INTO",
    "IO_AFTER_GTIDS", "IO_BEFORE_GTIDS", "ITERATE", "JSON_TABLE", "KEYS", "KILL", "LASTVAL", "LATERAL", "LEAVE",
    "LINEAR", "LINES", "LOAD", "LOCALTIME", "LOCALTIMESTAMP", "LOCK", "LOOP", "LOW_PRIORITY", "MASTER_BIND",
    "MASTER_SSL_VERIFY_SERVER_CERT", "MODIFIES", "NEXTVAL", "NO_WRITE_TO_BINLOG", "OPTIMIZE", "OPTIMIZER_COSTS",
    "OPTION", "OPTIONALLY", "OUT", "OUTFILE", "DUMPFILE", "PAGE_CHECKSUM", "PARSE_VCOL_EXPR", "PREVVAL", "PRIMARY",
    "PROCEDURE", "PURGE", "READ", "READS", "READ_WRITE", "REFERENCES", "REF_SYSTEM_ID", "RELEASE", "RENAME",
    "REPEAT", "REPLACE", "REQUIRE", "RESIGNAL", "RESTRICT", "RETURN", "RETURNING", "REVOKE", "SCHEMA", "SCHEMAS",
    "SENSITIVE", "SET", "SHOW", "SIGNAL", "SPATIAL", "SPECIFIC", "SQL", "SQLEXCEPTION", "SQLSTATE", "SQLWARNING",
    "SQL_BUFFER_RESULT", "SQL_CALC_FOUND_ROWS", "SSL", "STARTING", "STATS_AUTO_RECALC", "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES", "STORED", "SYSDATE", "TABLE", "TERMINATED", "TO", "TRIGGER", "UNDO", "UNIQUE", "UNLOCK",
    "UPDATE", "USAGE", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "VALUES", "VIRTUAL", "WHILE", "WRITE", "ZEROFILL",
];

/// Built into every supported server. The value depends on the arguments and on session variables that are
/// compared between servers (time_zone, lc_time_names, group_concat_max_len, …), and on nothing else.
const PLAIN_FUNCTIONS: &[&str] = &[
    "ABS", "ACOS", "ADDDATE", "ADDTIME", "ASCII", "ASIN", "ATAN", "ATAN2", "AVG", "BIN", "BIT_AND", "BIT_COUNT",
    "BIT_LENGTH", "BIT_OR", "BIT_XOR", "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER_LENGTH", "CHAR_LENGTH",
    "COALESCE", "CONCAT", "CONCAT_WS", "CONV", "CONVERT", "COS", "COT", "COUNT", "CRC32", "CUME_DIST", "DATE",
    "DATEDIFF", "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DAY", "DAYNAME", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR",
    "DEGREES", "DENSE_RANK", "ELT", "EXP", "EXPORT_SET", "EXTRACT", "FIELD", "FIND_IN_SET", "FIRST_VALUE", "FLOOR",
    "FORMAT", "FROM_BASE64", "FROM_DAYS", "FROM_UNIXTIME", "GREATEST", "GROUP_CONCAT", "HEX", "HOUR", "IF",
    "IFNULL", "INET6_ATON", "INET6_NTOA", "INET_ATON", "INET_NTOA", "INSERT", "INSTR", "ISNULL", "JSON_ARRAY",
    "JSON_ARRAYAGG", "JSON_ARRAY_APPEND", "JSON_ARRAY_INSERT", "JSON_CONTAINS", "JSON_CONTAINS_PATH",
    "JSON_DEPTH", "JSON_EXTRACT", "JSON_INSERT", "JSON_KEYS", "JSON_LENGTH", "JSON_MERGE_PATCH",
    "JSON_MERGE_PRESERVE", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_QUOTE", "JSON_REMOVE", "JSON_REPLACE",
    "JSON_SEARCH", "JSON_SET", "JSON_TYPE", "JSON_UNQUOTE", "JSON_VALID", "LAG", "LAST_DAY", "LAST_VALUE", "LCASE",
    "LEAD", "LEAST", "LEFT", "LENGTH", "LN", "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD", "LTRIM",
    "MAKEDATE", "MAKETIME", "MAKE_SET", "MAX", "MD5", "MICROSECOND", "MID", "MIN", "MINUTE", "MOD", "MONTH",
    "MONTHNAME", "NTH_VALUE", "NTILE", "NULLIF", "OCT", "OCTET_LENGTH", "ORD", "PERCENT_RANK", "PERIOD_ADD",
    "PERIOD_DIFF", "PI", "POSITION", "POW", "POWER", "QUARTER", "QUOTE", "RADIANS", "RANK", "REGEXP_INSTR",
    "REGEXP_REPLACE", "REGEXP_SUBSTR", "REPEAT", "REPLACE", "REVERSE", "RIGHT", "ROUND", "ROW_NUMBER", "RPAD",
    "RTRIM", "SECOND", "SEC_TO_TIME", "SHA", "SHA1", "SHA2", "SIGN", "SIN", "SOUNDEX", "SPACE", "SQRT", "STD",
    "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "STRCMP", "STR_TO_DATE", "SUBDATE", "SUBSTR", "SUBSTRING",
    "SUBSTRING_INDEX", "SUBTIME", "SUM", "TAN", "TIME", "TIMEDIFF", "TIMESTAMP", "TIMESTAMPADD", "TIMESTAMPDIFF",
    "TIME_FORMAT", "TIME_TO_SEC", "TO_BASE64", "TO_DAYS", "TO_SECONDS", "TRIM", "TRUNCATE", "UCASE", "UNHEX",
    "UPPER", "VARIANCE", "VAR_POP", "VAR_SAMP", "WEEK", "WEEKDAY", "WEEKOFYEAR", "YEAR", "YEARWEEK",
];

/// Built into every supported server and harmless to later reads, though the value may depend on the
/// session, the server, the clock or chance.
const FUNCTIONS: &[&str] = &[
    "AES_DECRYPT", "AES_ENCRYPT", "BENCHMARK", "CHARSET", "COERCIBILITY", "COLLATION", "COMPRESS", "CONNECTION_ID",
    "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURTIME",
    "DATABASE", "DEFAULT", "EXTRACTVALUE", "FOUND_ROWS", "GET_FORMAT", "GET_LOCK", "IS_FREE_LOCK", "IS_IPV4",
    "IS_IPV4_COMPAT", "IS_IPV4_MAPPED", "IS_IPV6", "IS_USED_LOCK", "LAST_INSERT_ID", "LOAD_FILE", "LOCALTIME",
    "LOCALTIMESTAMP", "NAME_CONST", "NOW", "RAND", "RELEASE_ALL_LOCKS", "RELEASE_LOCK", "ROW_COUNT", "SCHEMA",
    "SESSION_USER", "SLEEP", "SYSDATE", "SYSTEM_USER", "UNCOMPRESS", "UNCOMPRESSED_LENGTH", "UNIX_TIMESTAMP",
    "UPDATEXML", "USER", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UUID", "UUID_SHORT", "VALUES", "VALUE",
    "VERSION", "ST_AREA", "ST_ASBINARY", "ST_ASGEOJSON", "ST_ASTEXT", "ST_ASWKB", "ST_ASWKT", "ST_BUFFER",
    "ST_CENTROID", "ST_CONTAINS", "ST_CONVEXHULL", "ST_CROSSES", "ST_DIFFERENCE", "ST_DIMENSION", "ST_DISJOINT",
    "ST_DISTANCE", "ST_DISTANCE_SPHERE", "ST_ENDPOINT", "ST_ENVELOPE", "ST_EQUALS", "ST_EXTERIORRING",
    "ST_GEOMCOLLFROMTEXT", "ST_GEOMETRYFROMTEXT", "ST_GEOMETRYN", "ST_GEOMETRYTYPE", "ST_GEOMFROMGEOJSON",
    "ST_GEOMFROMTEXT", "ST_GEOMFROMWKB", "ST_INTERIORRINGN", "ST_INTERSECTION", "ST_INTERSECTS", "ST_ISCLOSED",
    "ST_ISEMPTY", "ST_ISSIMPLE", "ST_LENGTH", "ST_LINEFROMTEXT", "ST_NUMGEOMETRIES", "ST_NUMINTERIORRINGS",
    "ST_NUMPOINTS", "ST_OVERLAPS", "ST_POINTFROMTEXT", "ST_POINTN", "ST_POLYFROMTEXT", "ST_SIMPLIFY", "ST_SRID",
    "ST_STARTPOINT", "ST_SYMDIFFERENCE", "ST_TOUCHES", "ST_UNION", "ST_WITHIN", "ST_X", "ST_Y", "POINT",
    "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION",
    "MBRCONTAINS", "MBRDISJOINT", "MBREQUALS", "MBRINTERSECTS", "MBROVERLAPS", "MBRTOUCHES", "MBRWITHIN",
];

const MYSQL_FUNCTIONS: &[&str] = &[
    "ANY_VALUE", "BIN_TO_UUID", "GROUPING", "GTID_SUBSET", "GTID_SUBTRACT", "ICU_VERSION", "IS_UUID", "JSON_PRETTY",
    "JSON_STORAGE_FREE", "JSON_STORAGE_SIZE", "JSON_TABLE", "RANDOM_BYTES", "REGEXP_LIKE", "STATEMENT_DIGEST",
    "STATEMENT_DIGEST_TEXT", "UUID_TO_BIN", "VALIDATE_PASSWORD_STRENGTH", "WAIT_FOR_EXECUTED_GTID_SET",
];

const MARIADB_FUNCTIONS: &[&str] = &[
    "ADD_MONTHS", "BINLOG_GTID_POS", "COLUMN_ADD", "COLUMN_CHECK", "COLUMN_CREATE", "COLUMN_DELETE",
    "COLUMN_EXISTS", "COLUMN_GET", "COLUMN_JSON", "COLUMN_LIST", "DECODE", "DES_DECRYPT", "DES_ENCRYPT", "ENCODE",
    "ENCRYPT", "JSON_COMPACT", "JSON_DETAILED", "JSON_EXISTS", "JSON_LOOSE", "JSON_QUERY", "JSON_TABLE",
    "JSON_VALUE", "LASTVAL", "LENGTHB", "MASTER_GTID_WAIT", "MASTER_POS_WAIT", "MEDIAN", "NATURAL_SORT_KEY",
    "NEXTVAL", "NVL", "NVL2", "OLD_PASSWORD", "PASSWORD", "PERCENTILE_CONT", "PERCENTILE_DISC", "SETVAL", "SFORMAT",
    "TO_CHAR", "CHR", "JSON_MERGE",
];

/// The manuals' list of names that are functions only where the parenthesis touches them ("Function Name
/// Parsing and Resolution"), of both families.
const TOUCHING_FUNCTIONS: &[&str] = &[
    "ADDDATE", "ADD_MONTHS", "BIT_AND", "BIT_OR", "BIT_XOR", "CAST", "COUNT", "CUME_DIST", "CURDATE", "CURTIME",
    "DATE_ADD", "DATE_FORMAT", "DATE_SUB", "DECODE", "DENSE_RANK", "EXTRACT", "FIRST_VALUE", "GROUP_CONCAT",
    "JSON_ARRAYAGG", "JSON_OBJECTAGG", "JSON_TABLE", "LAG", "LAST_VALUE", "LEAD", "MAX", "MEDIAN", "MID", "MIN",
    "NOW", "NTH_VALUE", "NTILE", "PERCENTILE_CONT", "PERCENTILE_DISC", "PERCENT_RANK", "POSITION", "RANK",
    "ROW_NUMBER", "SESSION_USER", "STD", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "SUBDATE", "SUBSTR", "SUBSTRING",
    "SUM", "SYSDATE", "SYSTEM_USER", "TRIM", "VARIANCE", "VAR_POP", "VAR_SAMP",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_only_whole() {
        assert!(Word::of(b"select").opens_parenthesis());
        assert!(Word::of(b"Count").is_plain_call(true));
        assert!(!Word::of(b"COUNT").is_plain_call(false));
        assert!(Word::of(b"abs").is_plain_call(false));
        assert!(!Word::of(b"counts").is_plain_call(true));
        assert!(!Word::of(b"current_timestamp").may_stand_in_plain_read());
        assert!(Word::of(b"my_column").may_stand_in_plain_read());
        assert!(Word::of(b"Sys").is_local_schema());
        assert!(Word::of(&[b'x'; 500]).may_stand_in_plain_read());
    }

    #[test]
    fn no_reserved_word_is_plain_grammar() {
        for word in RESERVED_WORDS {
            assert!(!PLAIN_GRAMMAR.contains(word), "{word} is on both lists");
        }
    }

    #[test]
    fn functions_of_one_family_may_be_anybodys_in_the_other() {
        assert!(Word::of(b"any_value").is_known_call(Dialect::MySql, true));
        assert!(!Word::of(b"any_value").is_known_call(Dialect::MariaDb, true));
        assert!(!Word::of(b"nvl").is_known_call(Dialect::MySql, true));
    }
}
