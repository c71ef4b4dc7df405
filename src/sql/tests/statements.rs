//! What each statement is.

use super::*;

#[test]
fn parameters_are_values_where_a_text_is_prepared() {
    let reads = [
        "SELECT c FROM sbtest1 WHERE id = ?",
        "SELECT ?, a + ?, f.b FROM t AS f WHERE a IN (?, ?) AND s LIKE ? ORDER BY ? LIMIT ?, ?",
        "WITH x AS (SELECT ? AS a) SELECT * FROM x WHERE a BETWEEN ? AND ?",
    ];
    check_in(PREPARED, &Class::PlainRead, &reads);
    check_in(PREPARED, &Class::Data, &["INSERT INTO t VALUES (?, ?)", "UPDATE t SET a = ? WHERE id = ?"]);
    check_in(
        PREPARED,
        &Class::PrimaryRead(NotPlain::UserVariable),
        &["SELECT @a + ?", "SELECT ? + @a", "SELECT @?"],
    );
    let locks = ["SELECT a FROM t WHERE id = ? FOR UPDATE", "SELECT a FROM t LIMIT ? FOR SHARE"];
    check_in(PREPARED, &Class::PrimaryRead(NotPlain::Keyword), &locks);
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

pub(super) const PLAIN_READS: &[&str] = &[
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
    "SELECT NOW(), NOW(6), CURRENT_TIMESTAMP, CURRENT_TIMESTAMP (), CURDATE(), CURRENT_DATE, CURTIME(), CURRENT_TIME(3)",
    "SELECT LOCALTIME, LOCALTIMESTAMP(), SYSDATE(), UTC_DATE, UTC_TIME(), UTC_TIMESTAMP, UNIX_TIMESTAMP() FROM t",
    "SELECT a FROM t WHERE b < CURRENT_TIMESTAMP - INTERVAL 1 DAY AND d < UTC_DATE ORDER BY RAND() LIMIT 1",
    "SELECT UUID(), COMPRESS(a), UNCOMPRESS(b), CHARSET(a), COLLATION(a), COERCIBILITY(a), DATABASE(), SCHEMA() FROM t",
    "SELECT EXTRACTVALUE(a, '/b'), UPDATEXML(a, '/b', 'c'), IS_IPV4(a), INET_ATON(b), GET_FORMAT(DATE, 'USA') FROM t",
    "SELECT ST_AsText(g), ST_X(p), MBRContains(a, b) FROM t WHERE ST_Within(g, h)",
    "SELECT j.a FROM t, JSON_TABLE(t.doc, '$[*]' COLUMNS (i FOR ORDINALITY, a INT PATH '$.a' DEFAULT '0' ON EMPTY, NESTED PATH '$.b' COLUMNS (c INT PATH '$'))) AS j",
    "WITH c (a, b) AS (SELECT 1, 2) SELECT a, b FROM c",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 9), d (x) AS (SELECT n FROM c) SELECT * FROM d",
    "(WITH `c` (`a`) AS (SELECT 1) SELECT a FROM c)",
    "SELECT * FROM (WITH c (a) AS (WITH d (e) AS (SELECT 1), f (g) AS (SELECT 2) SELECT e FROM d), h (i) AS (SELECT 2) SELECT * FROM c, h) AS x",
    "SELECT a, SUM(b) OVER (PARTITION BY c ORDER BY d RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW), NTH_VALUE(a, 2) FROM FIRST OVER w FROM t WINDOW w AS (ORDER BY a)",
    "SELECT a, COUNT(*) FROM t GROUP BY a WITH ROLLUP",
    "SELECT a FROM t USE INDEX FOR JOIN (i) IGNORE INDEX FOR ORDER BY (k) FORCE INDEX FOR GROUP BY (l)",
    "SELECT SUBSTRING(a FROM 1 FOR 2) FROM t",
    "SELECT a FROM t WHERE MATCH (a) AGAINST ('x' WITH QUERY EXPANSION)",
    "SELECT /*+ MAX_EXECUTION_TIME(5) */ * FROM t",
    "SELECT /*+ NO_INDEX_MERGE(t i, j) QB_NAME(qb1)  JOIN_ORDER(@qb1 t, u) */ * FROM t, u",
    "SELECT /*+ */ 1",
    "VALUES ROW(1,2), ROW(3,4) ORDER BY 1",
    "VALUES (1,2), (3,4)",
    "TABLE t",
    "TABLE db.t ORDER BY a LIMIT 3 OFFSET 1",
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
            Into,
            &[
                "SELECT 1 INTO @a",
                "SELECT * FROM t INTO OUTFILE '/tmp/x'",
                "SELECT a INTO DUMPFILE 'x' FROM t",
                "TABLE t INTO OUTFILE 'x'",
                "WITH c (a) AS (SELECT 1) SELECT a FROM c INTO @x",
            ],
        ),
        (Assignment, &["SELECT @a := 1", "SELECT @a:=1 FROM t"]),
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
                "SELECT a FROM t WHERE b = CURRENT_USER",
                "SELECT NEXT VALUE FOR s",
                "SELECT NEXT VALUE FOR ordinality",
                "SELECT PREVIOUS VALUE FOR ordinality",
                "SELECT NEXT VALUE FOR `join`",
                "TABLE t FOR UPDATE",
                "WITH c (a) AS (SELECT 1 FOR SHARE), d (b) AS (SELECT 2) SELECT * FROM c",
                "SELECT * FROM t UNION TABLE u",
                "SELECT DEFAULT FROM t",
                "SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP('2020-01-01')",
                "SELECT s.nextval, nextval FROM t",
                "SELECT . FOR UPDATE . x",
            ],
        ),
        (
            Function,
            &[
                "SELECT LAST_INSERT_ID()",
                "SELECT last_insert_id( ) AS id",
                "SELECT CONNECTION_ID()",
                "SELECT GET_LOCK('a', 1)",
                "SELECT SLEEP(1)",
                "SELECT VERSION()",
                "SELECT MD5('x')",
                "SELECT USER(), SESSION_USER()",
                "SELECT CURRENT_USER()",
                "SELECT UUID_SHORT()",
                "SELECT LOAD_FILE('/x')",
                "SELECT BENCHMARK(1, 1)",
                "SELECT CONVERT_TZ(a, 'UTC', 'CET') FROM t",
                "SELECT AES_ENCRYPT(a, b) FROM t",
                "SELECT ROW_COUNT()",
                "DO SLEEP(1)",
                "DO RELEASE_LOCK('a'), RELEASE_ALL_LOCKS()",
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
        (
            Hint,
            &[
                "SELECT /*+ SET_VAR(sql_mode='') */ 1",
                "SELECT /*+ MRR(t) SET_VAR(sort_buffer_size=1) */ 1",
                "SELECT /*+ RESOURCE_GROUP(g) */ 1",
                "SELECT /*+ QB_NAME(`a)b`) */ 1",
                "SELECT /*+ NEW_HINT(1) */ 1",
                "SELECT /*+ MRR */ 1",
                "SELECT /*+ MRR(t */ 1",
            ],
        ),
        (Verb, &["DO 1", "DO 1 + (SELECT MAX(a) FROM t)", "DO NOW()"]),
        (ForeignWord, &["SELECT größe FROM t", "SELECT a,\u{a0}CURRENT_USER FROM t"]),
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
                "SELECT HIGH_PRIORITY f(1)",
                "SELECT f(1) FOR UPDATE",
                "SELECT f(1) INTO @a",
                "SELECT f(1) INTO OUTFILE 'x'",
                "CREATE TABLE t AS SELECT f(1)",
                "SELECT f(@@sql_mode)",
                "SELECT f(1), SLEEP(1)",
                "SELECT * FROM t PROCEDURE ANALYSE()",
                "INSERT INTO t SELECT HIGH_PRIORITY f(1)",
                "INSERT INTO t VALUES (f(1))",
                "UPDATE t SET a = db.f(a)",
                "SHOW TABLES WHERE f(1)",
                "EXPLAIN ANALYZE SELECT f(1)",
                "DO f(1)",
                "DO 1, db.abs(1)",
                "WITH c (a) AS (SELECT 1) UPDATE t SET a = f(1)",
            ],
        ),
        (
            VersionComment,
            &[
                "SELECT 1 /*!99999 FOR /* x */ UPDATE */",
                "SELECT /*!50000 1 /* x */ */",
                "SELECT /*!50000 1 -- */",
                "SELECT /*!50000 1 # */",
                "SELECT /*!50000 1 /*! + 1 */ */",
                "SELECT 1 /*!5010 */",
                "SELECT 1 /*!1234567 */",
                "DROP /*!40005 TEMPORARY /**/ */ TABLE t",
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
                "SELECT /*!50000 1",
                "SELECT 1 /*!50000 '*/'",
            ],
        ),
        (
            TemporaryTable,
            &[
                "CREATE TEMPORARY TABLE t AS SELECT f(1)",
                "CREATE TEMPORARY SEQUENCE s",
                "DROP TEMPORARY TABLE a.b.c",
            ],
        ),
        (DropsSchema, &["DROP DATABASE d", "DROP SCHEMA IF EXISTS d"]),
        (
            Effects,
            &[
                "CALL p()",
                "EXECUTE IMMEDIATE 'SELECT 1'",
                "LOCK INSTANCE FOR BACKUP",
                "FLUSH TABLES",
                "BEGIN NOT ATOMIC SELECT 1",
                "COMMIT AND CHAIN RELEASE",
                "COMMIT AND NO",
                "COMMIT NO",
                "COMMIT x",
                "ROLLBACK AND RELEASE",
                "ROLLBACK TO",
                "START TRANSACTION READ",
                "START TRANSACTION READ ONLY,",
                "START TRANSACTION READ ONLY, READ WRITE",
                "START TRANSACTION READ ONLY WITH CONSISTENT SNAPSHOT",
                "START SLAVE",
                "BEGIN x",
                "LOAD INDEX INTO CACHE t",
                "ANALYZE SELECT 1",
                "GET DIAGNOSTICS @n = NUMBER",
                "ALTER INSTANCE ROTATE INNODB MASTER KEY",
            ],
        ),
        (Verb, &["SELCT 1", "(INSERT INTO t VALUES (1))", "IF 1 THEN SELECT 1", "größe", "`SELECT` 1"]),
    ];
    for (why, texts) in cases {
        check(&Class::Other(*why), texts);
    }
}

/// Names that one family reserves or has built in, and the other lets a stored function have.
#[test]
fn functions_of_one_family_are_anybodys_in_the_other() {
    let mysql = [
        "SELECT a FROM t WHERE a MEMBER OF (b)",
        "SELECT ANY_VALUE(a), GROUPING(b) FROM t",
        "SELECT POINT(1, 2)",
        "SELECT * FROM t, LATERAL (SELECT t.a) AS u",
        "SELECT REGEXP_LIKE(a, b), BIN_TO_UUID(c), UUID_TO_BIN(d), IS_UUID(e), JSON_PRETTY(f) FROM t",
        "SELECT GTID_SUBSET(a, b), RANDOM_BYTES(5) FROM t",
    ];
    let mariadb = [
        "SELECT NVL(a, b), NVL2(a, b, c) FROM t",
        "SELECT JSON_VALUE(a, '$'), JSON_QUERY(a, '$'), JSON_EXISTS(a, '$') FROM t",
        "SELECT MEDIAN(a) OVER (PARTITION BY b) FROM t",
    ];
    for (own, texts) in [(MODE, &mysql[..]), (MARIADB, &mariadb[..])] {
        let foreign = if own == MODE { MARIADB } else { MODE };
        check_in(own, &Class::PlainRead, texts);
        check_in(foreign, &Class::Calls, texts);
    }
    check_in(
        MARIADB,
        &Class::Calls,
        &[
            "SELECT columns(a) FROM t",
            "SELECT of(1)",
            "SELECT 'a', columns(1)",
            "SELECT JSON_TABLE(a, 'b', 'c')",
            "SELECT JSON_TABLE((SELECT 'a' COLUMNS))",
        ],
    );
    check(&Class::PrimaryRead(NotPlain::Function), &["SELECT columns(a) FROM t"]);
    check_in(MARIADB, &Class::PlainRead, &["SELECT MD5(a), SHA1(b), SHA(c) FROM t"]);
}

#[test]
fn calls_of_functions_that_are_not_built_in() {
    check(&Class::Calls, CALLS.iter().map(|(text, _)| *text).collect::<Vec<_>>().as_slice());
    for (text, expected) in CALLS {
        let mut called = Vec::new();
        let all = calls(text.as_bytes(), MODE, |schema, name| {
            let schema = schema.map(|schema| format!("{}.", String::from_utf8_lossy(schema)));
            called.push(format!("{}{}", schema.unwrap_or_default(), String::from_utf8_lossy(name)));
            true
        });
        assert_eq!((all, called.join(" ").as_str()), (true, *expected), "{text}");
        assert!(!calls(text.as_bytes(), MODE, |_, _| false), "{text}");
    }
    // One that is not pure is enough.
    let only_f = |schema: Option<&[u8]>, name: &[u8]| schema.is_none() && name == b"f";
    assert!(calls(b"SELECT f(1), f(2)", MODE, only_f));
    for text in ["SELECT f(1), g(2)", "SELECT g(1), f(2)", "SELECT d.f(1)", "SELECT f(1), d.f(1)"] {
        assert!(!calls(text.as_bytes(), MODE, only_f), "{text}");
    }
    // Names that cannot be told from their bytes, and what is no call of functions alone.
    for text in [
        "SELECT `f``g`(1)",
        "SELECT a.b.f(1)",
        "SELECT `a``b`.f(1)",
        "SELECT f(1) FOR UPDATE",
        "SELECT f(1) INTO @a",
        "SELECT f(1); SELECT f(1)",
        "INSERT INTO t VALUES (f(1))",
        "SELECT 1",
        "DO f(1)",
        "",
    ] {
        assert!(!calls(text.as_bytes(), MODE, |_, _| true), "{text}");
    }
    assert!(!calls(b"SELECT f('\\\\')", GBK, |_, _| true));
}

const CALLS: &[(&str, &str)] = &[
    ("SELECT f(1)", "f"),
    ("SELECT db.f(1)", "db.f"),
    ("SELECT `f`(1)", "f"),
    ("SELECT `abs`(1)", "abs"),
    ("SELECT db . abs(1)", "db.abs"),
    ("SELECT `my db`.`f g`(1) FROM t", "my db.f g"),
    ("SELECT COUNT (1)", "COUNT"),
    ("SELECT NVL(a, b) FROM t", "NVL"),
    ("SELECT against(1)", "against"),
    ("SELECT columns1(1)", "columns1"),
    ("SELECT f(g(1), ABS(h(2))) FROM t WHERE d.i(3) ;", "f g h d.i"),
    ("(SELECT f(1)) UNION (SELECT 2)", "f"),
    ("WITH c (a) AS (SELECT f(1)), d (b) AS (SELECT 2) SELECT g(3), e (4) FROM c", "f g e"),
    ("WITH c (a) AS (SELECT 1) SELECT 1, d (4) FROM c", "d"),
    ("SELECT * FROM (WITH c (a) AS (SELECT 1) SELECT 1) AS t, f(1)", "f"),
    ("SELECT 1 FROM t WHERE MATCH (a) AGAINST ('x' WITH QUERY EXPANSION), f (1)", "f"),
    ("SELECT a FROM t GROUP BY a WITH ROLLUP, f(1)", "f"),
    ("VALUES ROW(f(1))", "f"),
    ("TABLE t ORDER BY f(1)", "f"),
    ("SELECT /*!50101 f(1) */", "f"),
];

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
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                "START TRANSACTION READ ONLY , WITH CONSISTENT SNAPSHOT",
            ],
        ),
        (BeginReadOnly, &["START /* x */ TRANSACTION READ ONLY"]),
        (
            Commit(Then::Nothing),
            &[
                "COMMIT",
                "COMMIT WORK ; ",
                "COMMIT AND NO CHAIN",
                "COMMIT NO RELEASE",
                "COMMIT WORK AND NO CHAIN NO RELEASE",
            ],
        ),
        (Commit(Then::Chain), &["COMMIT AND CHAIN", "COMMIT WORK AND CHAIN NO RELEASE"]),
        (Commit(Then::Release), &["COMMIT RELEASE", "COMMIT AND NO CHAIN RELEASE"]),
        (Rollback(Then::Nothing), &["ROLLBACK", "ROLLBACK WORK"]),
        (Rollback(Then::Chain), &["ROLLBACK AND CHAIN"]),
        (Rollback(Then::Release), &["rollback work release"]),
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
            "SHOW STATUS LIKE 'x'",
            "SHOW GLOBAL VARIABLES",
            "SHOW FULL PROCESSLIST",
            "SHOW ENGINE INNODB STATUS",
            "SHOW OPEN TABLES",
            "SHOW PROCEDURE CODE p",
            "SHOW GRANTS FOR 'a'@'%'",
            "SHOW REPLICA STATUS",
            "SHOW",
            "EXPLAIN SELECT * FROM t",
            "EXPLAIN FORMAT=JSON SELECT 1",
            "DESC (SELECT 1)",
            "DESC SELECT 1",
            "EXPLAIN FOR CONNECTION 5",
            "EXPLAIN TABLE t",
            "EXPLAIN WITH c AS (SELECT 1) SELECT 1",
            "EXPLAIN INSERT INTO t (a) VALUES (1)",
            "EXPLAIN ANALYZE SELECT COUNT(*) FROM t",
            "CHECKSUM TABLE t",
        ],
    );
    check(
        &Class::Describe,
        &[
            "SHOW DATABASES",
            "SHOW SCHEMAS LIKE 'a%'",
            "SHOW TABLES",
            "SHOW FULL TABLES FROM d WHERE Table_type = 'VIEW'",
            "SHOW TABLE STATUS",
            "SHOW COLUMNS FROM t",
            "SHOW FULL FIELDS FROM `t` IN d",
            "SHOW EXTENDED FULL COLUMNS FROM t",
            "SHOW INDEX FROM t",
            "SHOW INDEXES FROM t",
            "SHOW KEYS IN t",
            "SHOW CREATE TABLE t",
            "SHOW CREATE DATABASE d",
            "SHOW TRIGGERS",
            "SHOW EVENTS",
            "SHOW PROCEDURE STATUS",
            "SHOW FUNCTION STATUS LIKE 'f'",
            "DESC t",
            "DESCRIBE d.t",
            "EXPLAIN `d`.`t` a",
            "DESC t 'a%'",
            "DESC format",
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
    let kill = |query, soft| Class::Kill(Kill::Id { id: 7, query, soft });
    check(&kill(false, false), &["KILL 7", "KILL CONNECTION 7;"]);
    check(&kill(true, false), &["KILL QUERY 7"]);
    check_in(MARIADB, &kill(false, false), &["KILL 7", "KILL HARD 7", "kill hard connection 7"]);
    check_in(MARIADB, &kill(true, false), &["KILL HARD QUERY 7"]);
    check_in(MARIADB, &kill(true, true), &["KILL SOFT QUERY 7"]);
    check_in(MARIADB, &kill(false, true), &["KILL SOFT 7"]);
    check(&Class::Kill(Kill::Elsewise), &["KILL HARD 7", "KILL SOFT QUERY 7"]);
    let elsewise =
        ["KILL USER u", "KILL @a", "KILL", "KILL QUERY ID 7", "KILL 7+1", "KILL SOFT USER u", "KILL -7"];
    check(&Class::Kill(Kill::Elsewise), &elsewise);
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
}

#[test]
fn quoting_follows_the_mode() {
    assert_eq!(classify(b"SELECT \"f\"(1)", ANSI).class, Class::Calls);
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
        "INSERT INTO found_rows (a) VALUES (1)",
        "INSERT INTO s.found_rows (a) VALUES (1)",
        "REPLACE INTO `s`.found_rows (a) SELECT 1",
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

#[test]
fn finding_other_rows_than_are_shown() {
    let found = |text: &str| classify(text.as_bytes(), MODE).finds_others;
    for text in [
        "SELECT a FROM t LIMIT 1, 3",
        "SELECT a FROM t LIMIT 3 OFFSET 1",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH c AS (SELECT 1) SELECT * FROM c EXCEPT SELECT 2",
        "SELECT f(a) FROM t LIMIT 3 OFFSET 1",
    ] {
        assert!(found(text), "{text}");
    }
    for text in ["SELECT a, b FROM t LIMIT 3", "SELECT a FROM t WHERE b IN (1, 2)"] {
        assert!(!found(text), "{text}");
    }
}
