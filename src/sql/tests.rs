//! Statements and what they are, the tricky ones among them.

#![allow(clippy::indexing_slicing, reason = "a test that is out of bounds has failed")]
#![allow(clippy::too_many_lines, reason = "tables of cases")]

use proptest::prelude::*;

use super::*;

const MODE: LexMode = LexMode {
    ansi_quotes: false,
    no_backslash_escapes: false,
    charset_safe: true,
    dialect: Dialect::MySql,
    version: 90704,
};
const MARIADB: LexMode = LexMode { dialect: Dialect::MariaDb, version: 101119, ..MODE };
const ANSI: LexMode = LexMode { ansi_quotes: true, ..MODE };
const NO_ESCAPES: LexMode = LexMode { no_backslash_escapes: true, ..MODE };
const GBK: LexMode = LexMode { charset_safe: false, ..MODE };

fn class(text: &str) -> Class {
    classify(text.as_bytes(), MODE).class
}

#[track_caller]
fn check(expected: &Class, texts: &[&str]) {
    for text in texts {
        assert_eq!(&class(text), expected, "{text}");
    }
}

#[test]
fn plain_reads() {
    check(&Class::PlainRead, PLAIN_READS);
    for text in PLAIN_READS {
        assert_eq!(classify(text.as_bytes(), MARIADB).class, Class::PlainRead, "{text}");
        let ended = format!("{text} ;; ");
        assert_eq!(class(&ended), Class::PlainRead, "{ended}");
    }
}

const PLAIN_READS: &[&str] = &[
    "SELECT 1",
    "select * from t",
    "SELECT c FROM sbtest1 WHERE id=501",
    "SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 5 AND 104",
    "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 1 AND 100 ORDER BY c",
    "  \t\n/* hello */ SELECT -- all\n 1 # end",
    "(SELECT a FROM t) UNION ALL (SELECT b FROM u) ORDER BY 1 LIMIT 3, 4",
    "((SELECT 1))",
    "SELECT t.a, `t`.`b`, db.t.c FROM db.t AS t LEFT JOIN u USING (id) WHERE t.a IN (1,2,3)",
    "SELECT COUNT(*), MAX(x), GROUP_CONCAT(DISTINCT y ORDER BY z SEPARATOR ',') FROM t GROUP BY w HAVING COUNT(*) > 1",
    "SELECT CASE WHEN a IS NULL THEN 'x' ELSE LOWER(b) END FROM t",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id) AND b LIKE '%x\\'%' ESCAPE '|'",
    "SELECT a FROM t WHERE b = ANY (SELECT c FROM u) OR b > SOME(SELECT d FROM v)",
    "SELECT CAST(a AS CHAR(10)), CONVERT(b USING utf8mb4), CONVERT(c, DECIMAL(10,2)), CAST(d AS DATETIME(6)) FROM t",
    "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
    "WITH x AS (SELECT 1 AS n) SELECT n FROM x",
    "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 5) SELECT * FROM x",
    "SELECT * FROM t USE INDEX (i) WHERE MATCH (a, b) AGAINST ('x' IN BOOLEAN MODE)",
    "SELECT dt.a FROM (SELECT 1) AS dt (a)",
    "SELECT x'41', 0x41, b'01', 0b01, N'x', _utf8mb4'x' COLLATE utf8mb4_bin, 1.5e-3, .5, 1., 1e5 FROM dual",
    "SELECT 'FOR UPDATE', \"INTO OUTFILE\", 'it''s', 'a\\\\' FROM t",
    "SELECT DATE_ADD(d, INTERVAL 1 DAY), DATE '2020-01-01' FROM t WHERE d > '2020-01-01' - INTERVAL 1 MONTH",
    "SELECT a->'$.x', a->>'$.y', JSON_EXTRACT(a, '$') FROM t",
    "SELECT now, user, uuid, `current_user`, `for`, t.lock FROM t",
    "SELECT ABS (1), IFNULL (a, 0) FROM t",
    "SELECT 1--1, 2 - -2",
    "SELECT STRAIGHT_JOIN * FROM a NATURAL JOIN b WHERE a.x <=> b.y AND NOT (a.z XOR b.z) AND a.q REGEXP '^x'",
    "SELECT * FROM t PARTITION (p0, p1) WHERE a > 1",
    "SELECT 1a, a$b, $c FROM 2t",
    "SELECT t.lock, t . y, t. z FROM t",
];

/// The server looks for a keyword unless a dot touches the word.
#[test]
fn a_reserved_word_is_a_name_only_where_a_dot_touches_it() {
    check(&Class::PlainRead, &["SELECT lock.x FROM `lock`"]);
    check(
        &Class::PrimaryRead(NotPlain::Keyword),
        &["SELECT lock .x FROM `lock`", "SELECT lock/**/.x FROM `lock`"],
    );
}

#[test]
fn reads_that_belong_on_the_primary() {
    use NotPlain::*;
    let cases: &[(NotPlain, &[&str])] = &[
        (
            Keyword,
            &[
                "SELECT * FROM t FOR UPDATE",
                "SELECT * FROM t for/**/share",
                "SELECT * FROM t LOCK IN SHARE MODE",
                "SELECT * FROM t FOR UPDATE SKIP LOCKED",
                "SELECT * FROM (SELECT * FROM t FOR UPDATE) AS x",
                "(SELECT 1 FOR UPDATE)",
                "WITH x AS (SELECT 1 FOR SHARE) SELECT * FROM x",
                "SELECT SQL_CALC_FOUND_ROWS * FROM t",
                "SELECT CURRENT_TIMESTAMP",
                "SELECT a FROM t WHERE b = CURRENT_USER",
                "SELECT a FROM t WHERE d < UTC_DATE",
                "SELECT NEXT VALUE FOR s",
                "SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP('2020-01-01')",
                "SELECT s.nextval, nextval FROM t",
                "SELECT . FOR UPDATE . x",
            ],
        ),
        (
            Function,
            &[
                "SELECT NOW()",
                "SELECT RAND()",
                "SELECT UUID()",
                "SELECT LAST_INSERT_ID()",
                "SELECT last_insert_id( ) AS id",
                "SELECT CONNECTION_ID()",
                "SELECT GET_LOCK('a', 1)",
                "SELECT SLEEP(1)",
                "SELECT DATABASE()",
                "SELECT VERSION()",
                "SELECT UNIX_TIMESTAMP()",
                "SELECT 1 FROM t ORDER BY RAND()",
                "SELECT ST_AsText(g) FROM t",
            ],
        ),
        (
            SystemVariable,
            &["SELECT @@version_comment LIMIT 1", "SELECT @@session.auto_increment_increment, 1"],
        ),
        (UserVariable, &["SELECT @a", "SELECT @`a b` FROM t", "SELECT @'x'"]),
        (
            LocalSchema,
            &[
                "SELECT * FROM information_schema.tables",
                "SELECT * FROM `Information_Schema`.tables",
                "SELECT user FROM mysql.user",
                "SELECT * FROM performance_schema . threads",
                "SELECT * FROM sys.version",
                "SELECT * FROM `my``sql`.t",
            ],
        ),
        (Hint, &["SELECT /*+ SET_VAR(sql_mode='') */ 1", "SELECT /*+ MAX_EXECUTION_TIME(5) */ * FROM t"]),
        (ForeignWord, &["SELECT größe FROM t", "SELECT a,\u{a0}CURRENT_USER FROM t"]),
        (Verb, &["TABLE t", "VALUES ROW(1,2)"]),
        (Parameter, &["SELECT c FROM sbtest1 WHERE id=?"]),
        (Symbol, &["SELECT {d '2020-01-01'}"]),
    ];
    for (why, texts) in cases {
        check(&Class::PrimaryRead(*why), texts);
    }
}

#[test]
fn a_word_glued_to_an_exponent_hides_nothing() {
    for text in [
        "SELECT * FROM t WHERE a=1e1LOCK IN SHARE MODE",
        "SELECT a FROM t WHERE a=1e1FOR SHARE",
        "SELECT 1e1INTO @x",
    ] {
        assert_eq!(classify(text.as_bytes(), MODE).class, Class::Other(Unclear::Unreadable), "{text}");
    }
    assert_eq!(classify(b"SELECT 1e1 FROM t", MODE).class, Class::PlainRead);
}

#[test]
fn statements_whose_effects_are_unclear() {
    use Unclear::*;
    let cases: &[(Unclear, &[&str])] = &[
        (
            Function,
            &[
                "SELECT f(1)",
                "SELECT db.f(1)",
                "SELECT * FROM t PROCEDURE ANALYSE()",
                "SELECT `f`(1)",
                "SELECT db . abs(1)",
                "SELECT COUNT (1)",
                "SELECT NVL(a, b) FROM t",
                "SELECT against(1)",
                "SELECT HIGH_PRIORITY f(1)",
                "INSERT INTO t SELECT HIGH_PRIORITY f(1)",
                "INSERT INTO t VALUES (f(1))",
                "UPDATE t SET a = db.f(a)",
                "SHOW TABLES WHERE f(1)",
                "EXPLAIN ANALYZE SELECT f(1)",
            ],
        ),
        (
            Into,
            &[
                "SELECT 1 INTO @a",
                "SELECT * FROM t INTO OUTFILE '/tmp/x'",
                "SELECT a INTO DUMPFILE 'x' FROM t",
            ],
        ),
        (
            Assignment,
            &[
                "SELECT @a := 1",
                "SELECT @a:=1 FROM t",
                "UPDATE t SET a = (@b := a)",
                "LOAD DATA INFILE 'x' INTO TABLE t (a, @b)",
            ],
        ),
        (
            Several,
            &["SELECT 1; INSERT INTO t VALUES (1)", "SELECT 1; -- end", "INSERT INTO t VALUES (1); SELECT 1"],
        ),
        (
            VersionComment,
            &[
                "SELECT 1 /*!50000 FOR UPDATE */",
                "SELECT /*!99999 1 */",
                "SELECT 1 /*M! FOR UPDATE */",
                "/*!40101 SET NAMES utf8 */",
                "INSERT INTO t VALUES (1) /*! ON DUPLICATE KEY UPDATE a = 1 */",
                "DROP /*!40005 TEMPORARY */ TABLE t",
            ],
        ),
        (
            Unreadable,
            &[
                "SELECT 'a",
                "SELECT \"a",
                "SELECT `a",
                "SELECT /* a",
                "SELECT 1\0",
                "SELECT \\N",
                "SELECT 1.LOCK IN SHARE MODE",
                "SELECT \"f\"(1)",
                "SELECT * FROM \"sys\".\"t\"",
                "SELECT f/*+ x */(1)",
                "SELECT 1 --\u{a0}1",
            ],
        ),
        (
            TemporaryTable,
            &["CREATE TEMPORARY TABLE t (a INT)", "DROP TEMPORARY TABLE t", "CREATE TABLE t AS SELECT 1"],
        ),
        (DropsSchema, &["DROP DATABASE d", "DROP SCHEMA IF EXISTS d"]),
        (
            Set,
            &[
                "SET @a = 1",
                "SET sql_mode = ''",
                "SET NAMES DEFAULT",
                "SET NAMES utf8mb4, @a = 1",
                "SET CHARACTER SET utf8mb4",
                "SET autocommit = 0, @a = 1",
                "SET autocommit = @a",
                "SET TRANSACTION READ ONLY",
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                "SET ROLE r",
                "SET STATEMENT max_statement_time=1 FOR SELECT 1",
                "SET RESOURCE GROUP g",
                "SET",
            ],
        ),
        (
            Effects,
            &[
                "CALL p()",
                "DO SLEEP(1)",
                "PREPARE s FROM 'SELECT 1'",
                "EXECUTE s",
                "EXECUTE IMMEDIATE 'SELECT 1'",
                "HANDLER t OPEN",
                "LOCK TABLES t READ",
                "UNLOCK TABLES",
                "XA START 'x'",
                "FLUSH TABLES WITH READ LOCK",
                "BEGIN NOT ATOMIC SELECT 1",
                "COMMIT AND CHAIN",
                "LOAD INDEX INTO CACHE t",
                "ANALYZE SELECT 1",
                "GET DIAGNOSTICS @n = NUMBER",
                "DROP PREPARE s",
                "ALTER INSTANCE ROTATE INNODB MASTER KEY",
            ],
        ),
        (Verb, &["SELCT 1", "(INSERT INTO t VALUES (1))", "IF 1 THEN SELECT 1", "größe", "`SELECT` 1"]),
    ];
    for (why, texts) in cases {
        check(&Class::Other(*why), texts);
    }
}

/// Names that one family reserves and the other lets a stored function have.
#[test]
fn functions_of_one_family_are_anybodys_in_the_other() {
    for text in [
        "SELECT of(1)",
        "SELECT columns(a) FROM t",
        "SELECT lateral(1)",
        "SELECT ANY_VALUE(a) FROM t",
        "SELECT POINT(1)",
    ] {
        assert_eq!(classify(text.as_bytes(), MARIADB).class, Class::Other(Unclear::Function), "{text}");
        assert_eq!(class(text), Class::PrimaryRead(NotPlain::Function), "{text}");
    }
    assert_eq!(class("SELECT NVL(a, b) FROM t"), Class::Other(Unclear::Function));
    assert_eq!(classify(b"SELECT NVL(a, b) FROM t", MARIADB).class, Class::PrimaryRead(NotPlain::Function));
}

#[test]
fn data_changes() {
    let texts = &[
        "INSERT INTO t VALUES (1, 'a', NOW(), DEFAULT)",
        "INSERT INTO t (a, b) VALUES (1, 2), (3, 4)",
        "INSERT IGNORE INTO db.t (a) VALUES (1)",
        "INSERT t(a) VALUE (1)",
        "INSERT LOW_PRIORITY t SET a = 1",
        "INSERT INTO `t` (`a`) SELECT b FROM u",
        "INSERT INTO t PARTITION (p0) (a) VALUES (1)",
        "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a) + 1",
        "INSERT INTO t (a) VALUES (1) AS n(a) ON DUPLICATE KEY UPDATE a = n.a",
        "INSERT INTO t (a) VALUES (@a)",
        "INSERT INTO t (a) VALUES (LAST_INSERT_ID())",
        "REPLACE INTO t (a) VALUES (REPLACE('a', 'b', 'c'))",
        "REPLACE t(a) VALUES (1)",
        "UPDATE t SET a = 1, b = UUID() WHERE c IN (SELECT d FROM u)",
        "UPDATE t SET a := 1",
        "UPDATE t SET a = ? WHERE b = ?",
        "DELETE FROM t WHERE a = 1 LIMIT 1",
        "DELETE t FROM t JOIN u USING (id)",
        "WITH x AS (SELECT 1 AS n) DELETE FROM t WHERE a IN (SELECT n FROM x)",
        "WITH x AS (SELECT 1 AS n) UPDATE t, x SET t.a = x.n",
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE t (a, b) SET c = UPPER(a)",
        "INSERT INTO t VALUES ('größe', 'a;b')",
        "UPDATE t SET größe = 1",
    ];
    check(&Class::Data, texts);
}

#[test]
fn transactions() {
    use TransactionKind::*;
    let cases: &[(TransactionKind, &[&str])] = &[
        (
            Begin,
            &[
                "BEGIN",
                "begin work",
                "START TRANSACTION",
                "START TRANSACTION READ WRITE;",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            ],
        ),
        (BeginReadOnly, &["START /* x */ TRANSACTION READ ONLY"]),
        (Commit(Then::Nothing), &["COMMIT", "COMMIT WORK ; "]),
        (Rollback(Then::Nothing), &["ROLLBACK", "ROLLBACK WORK"]),
        (Savepoint, &["SAVEPOINT a", "SAVEPOINT `a b`"]),
        (RollbackToSavepoint, &["ROLLBACK TO a", "ROLLBACK WORK TO SAVEPOINT a", "ROLLBACK TO SAVEPOINT a"]),
        (ReleaseSavepoint, &["RELEASE SAVEPOINT a"]),
    ];
    for (kind, texts) in cases {
        check(&Class::Transaction(*kind), texts);
    }
}

#[test]
fn the_rest_of_the_classes() {
    check(
        &Class::Inspect,
        &[
            "",
            "-- only a comment",
            " ; ",
            "SHOW TABLES",
            "SHOW GRANTS FOR 'a'@'%'",
            "DESC t",
            "EXPLAIN INSERT INTO t (a) VALUES (1)",
            "EXPLAIN ANALYZE SELECT COUNT(*) FROM t",
            "CHECKSUM TABLE t",
        ],
    );
    check(
        &Class::Ddl,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, user INT, KEY k (user))",
            "ALTER TABLE t ADD a INT",
            "DROP TABLE IF EXISTS t",
            "CREATE UNIQUE INDEX i ON t (a)",
            "TRUNCATE t",
            "CREATE DATABASE d",
            "CREATE OR REPLACE DEFINER=`root`@`%` SQL SECURITY INVOKER VIEW v AS SELECT f(1)",
            "RENAME TABLE a TO b",
            "ANALYZE LOCAL TABLE t",
            "CREATE PROCEDURE p() SET @a = 1",
        ],
    );
    check(
        &Class::Account,
        &[
            "GRANT SELECT ON *.* TO u",
            "REVOKE ALL ON d.* FROM u",
            "CREATE USER u IDENTIFIED BY 'x'",
            "ALTER USER 'u'@'h' ACCOUNT LOCK",
            "DROP ROLE r",
            "SET PASSWORD = 'x'",
            "SET DEFAULT ROLE r TO u",
            "FLUSH PRIVILEGES",
            "RENAME USER a TO b",
        ],
    );
    check(
        &Class::SetGlobal,
        &[
            "SET GLOBAL max_connections = 5",
            "SET @@global.sql_mode = ''",
            "SET PERSIST x = 1",
            "SET @a = 1, GLOBAL x = 2",
        ],
    );
    check(
        &Class::SetAutocommit,
        &[
            "SET autocommit=0",
            "set AUTOCOMMIT = 1",
            "SET @@session.autocommit = OFF",
            "SET SESSION autocommit := ON",
            "SET @@autocommit = FALSE;",
        ],
    );
    check(&Class::Kill(Kill::Connection(7)), &["KILL 7", "KILL CONNECTION 7;"]);
    check(&Class::Kill(Kill::Query(7)), &["KILL QUERY 7"]);
    check(&Class::Kill(Kill::Elsewise), &["KILL HARD 7", "KILL USER u", "KILL @a", "KILL"]);
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

#[test]
fn schema_and_character_set() {
    check(&Class::Use(name("Shop")), &["USE Shop", "use `Shop` ;", "/* x */ USE Shop -- y"]);
    check(&Class::Other(Unclear::Effects), &["USE", "USE a b", "USE 'a'", "USE `a``b`"]);
    check(
        &Class::SetNames { charset: name("utf8mb4"), collation: None },
        &["SET NAMES utf8mb4", "set names 'UTF8MB4';"],
    );
    let collation = Some(name("utf8mb4_0900_ai_ci"));
    check(
        &Class::SetNames { charset: name("utf8mb4"), collation },
        &["SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'", "SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci"],
    );
    check(
        &Class::Other(Unclear::Set),
        &["SET NAMES", "SET NAMES 'a b'", "SET NAMES utf8mb4 COLLATE", "SET NAMES a COLLATE b c"],
    );
}

#[test]
fn quoting_follows_the_mode() {
    assert_eq!(classify(b"SELECT \"f\"(1)", ANSI).class, Class::Other(Unclear::Function));
    assert_eq!(classify(b"SELECT * FROM \"sys\".t", ANSI).class, Class::PrimaryRead(NotPlain::LocalSchema));
    assert_eq!(classify(b"SELECT \"a\\\" FROM t", ANSI).class, Class::PlainRead);
    let hidden = b"SELECT '\\' FOR UPDATE -- '";
    assert_eq!(classify(hidden, NO_ESCAPES).class, Class::PrimaryRead(NotPlain::Keyword));
    assert_eq!(classify(hidden, MODE).class, Class::PlainRead);
}

#[test]
fn unsafe_character_sets_are_read_only_where_they_are_ascii() {
    assert_eq!(classify(b"SELECT 1", GBK).class, Class::PlainRead);
    for text in [&b"SELECT '\xbf\x5c' FROM t"[..], b"SELECT 'a\\'", b"INSERT INTO t VALUES ('\x81\x40')"] {
        assert_eq!(classify(text, GBK).class, Class::Other(Unclear::Charset));
    }
    assert_eq!(class("SELECT _gbk'x'"), Class::Other(Unclear::Charset));
}

#[test]
fn looking_back() {
    let found = |text: &str| {
        let statement = classify(text.as_bytes(), MODE);
        (statement.looks_back, statement.only_looks_back)
    };
    for text in [
        "SHOW WARNINGS",
        "SHOW ERRORS LIMIT 5",
        "SHOW COUNT(*) ERRORS",
        "SELECT FOUND_ROWS()",
        "SELECT 1 + row_count() AS n",
        "SELECT @@warning_count",
        "SELECT @@session.error_count, FOUND_ROWS()",
    ] {
        assert_eq!(found(text), (true, true), "{text}");
    }
    for text in [
        "SELECT ROW_COUNT(), LAST_INSERT_ID()",
        "SELECT LAST_INSERT_ID(), ROW_COUNT()",
        "SELECT FOUND_ROWS(), @a",
        "SELECT FOUND_ROWS() FROM t",
        "SELECT @@warning_count, @@sql_mode",
        "SELECT @@identity, ROW_COUNT()",
        "INSERT INTO t VALUES (ROW_COUNT())",
        "SELECT FOUND_ROWS(), CURRENT_USER",
        "SELECT FOUND_ROWS() INTO @a",
    ] {
        assert_eq!(found(text), (true, false), "{text}");
    }
    for text in [
        "SELECT row_count FROM t",
        "SELECT t.warning_count FROM t",
        "SHOW TABLES",
        "SHOW CREATE TABLE errors",
        "DESC warnings",
        "SELECT LAST_INSERT_ID()",
        "",
    ] {
        assert_eq!(found(text), (false, false), "{text}");
    }
}

#[test]
fn mentioned_names() {
    let view = |name: &[u8]| name.eq_ignore_ascii_case(b"v");
    for text in ["SELECT * FROM v", "SELECT * FROM db.`V`", "SELECT v.a FROM t AS v", "SELECT * FROM `a``b`"]
    {
        assert!(mentions(text.as_bytes(), MODE, view), "{text}");
    }
    for text in ["SELECT 'v' FROM t /* v */", "SELECT vv FROM t"] {
        assert!(!mentions(text.as_bytes(), MODE, view), "{text}");
    }
    assert!(mentions(b"SELECT * FROM \"v\"", ANSI, view));
}

/// Pieces that any statement could be cut into, words and quotes above all.
fn garbage() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("`".to_owned()),
        Just("\\".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just("-- ".to_owned()),
        Just("#".to_owned()),
        Just("\n".to_owned()),
        Just("@".to_owned()),
        Just(";".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just(".".to_owned()),
        Just(" AS ".to_owned()),
        Just("SELECT ".to_owned()),
        Just(" FROM t ".to_owned()),
        Just("1".to_owned()),
        Just(" x ".to_owned()),
        "[ -~]{0,6}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn mode() -> impl Strategy<Value = LexMode> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(quotes, escapes, safe, mysql)| {
        LexMode {
            ansi_quotes: quotes,
            no_backslash_escapes: escapes,
            charset_safe: safe,
            dialect: if mysql { Dialect::MySql } else { Dialect::MariaDb },
            version: if mysql { 90704 } else { 101119 },
        }
    })
}

proptest! {
    #[test]
    fn total_over_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..200), mode in mode()) {
        classify(&text, mode);
        mentions(&text, mode, |_| false);
    }

    #[test]
    fn tokens_stand_in_the_text_in_order(text in garbage(), mode in mode()) {
        let mut left = text.as_bytes();
        let mut count = 0;
        for token in Lexer::new(text.as_bytes(), mode) {
            let at = left.windows(token.text.len().max(1)).position(|window| window == token.text);
            prop_assert!(at.is_some() && !token.text.is_empty());
            left = &left[at.unwrap() + token.text.len()..];
            count += 1;
        }
        prop_assert!(count <= text.len());
    }

    /// A locking clause that the lexer sees as words makes the text no plain read, whatever is around it.
    #[test]
    fn a_locking_clause_is_never_plain(before in garbage(), after in garbage(), mode in mode()) {
        let text = format!("SELECT {before} FOR UPDATE {after}");
        let tokens: Vec<_> = Lexer::new(text.as_bytes(), mode).collect();
        let locks = tokens.windows(2).any(|pair| pair[0].is_word(b"FOR") && pair[1].is_word(b"UPDATE"));
        if locks {
            prop_assert_ne!(classify(text.as_bytes(), mode).class, Class::PlainRead);
        }
    }

    /// Comments and white space between tokens change nothing, but before a parenthesis, where they decide
    /// what a name is.
    #[test]
    fn space_between_tokens_keeps_the_class(
        at in 0..PLAIN_READS.len(),
        space in proptest::collection::vec(
            prop_oneof![Just(" "), Just("\n"), Just("/* ' */"), Just("-- \"\n"), Just("# `\n"), Just("\t")], 40),
    ) {
        let text = PLAIN_READS[at];
        let mut spaced = String::new();
        let mut before: Option<Token<'_>> = None;
        for (token, space) in Lexer::new(text.as_bytes(), MODE).zip(space.iter().cycle()) {
            let glued = token.is_symbol(b'(') || token.is_symbol(b'>') || token.is_symbol(b'=')
                || before.is_some_and(|before| before.kind == Kind::Word && token.kind == Kind::Text);
            if token.spaced || !glued {
                spaced.push_str(space);
            }
            spaced.push_str(std::str::from_utf8(token.text).unwrap());
            before = Some(token);
        }
        prop_assert_eq!(class(&spaced), Class::PlainRead, "{}", spaced);
    }
}
