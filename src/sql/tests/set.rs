//! SET, in all its spellings.

use super::*;

const SET: Class = Class::Other(Unclear::Set);

#[test]
fn session_variables() {
    for text in [
        "SET sql_mode = ''",
        "SET SESSION sql_mode = 'STRICT_TRANS_TABLES'",
        "set local SQL_MODE := DEFAULT",
        "SET @@sql_mode = ANSI",
        "SET @@session.sql_mode=@@global.sql_mode",
        "SET @@LOCAL.`sql_mode` = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
        "SET `sql_mode` = @old",
        "SET sql_mode = @OLD_SQL_MODE ; ",
        "SET sql_mode = (SELECT_X)",
        "SET sql_mode = REPLACE(@@SESSION.sql_mode, 'ONLY_FULL_GROUP_BY', '') /* x */",
        "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
        "SET sql_mode = IF(@@version_x > 5 AND 1 IN (1, 2), \"a\", 'b')",
    ] {
        check(&names(&["sql_mode"]), &[text]);
    }
    check(
        &names(&["sort_buffer_size", "autocommit", "timestamp"]),
        &[
            "SET sort_buffer_size = 1024 * 1024, autocommit = 1, timestamp = UNIX_TIMESTAMP('2020-01-01')",
            "SET SESSION sort_buffer_size = -1, @@session.autocommit = ON, @@timestamp := NOW() + 0",
        ],
    );
    check(&names(&["optimizer_switch"]), &["SET optimizer_switch = 'index_merge=off'"]);
    check(&names(&["binlog_row_image"]), &["SET binlog_row_image = FULL"]);
    check(&names(&["transaction_isolation"]), &["SET SESSION transaction_isolation = 'READ-COMMITTED'"]);
    check(&names(&["tx_isolation"]), &["SET tx_isolation = 'READ-COMMITTED'"]);
}

#[test]
fn user_variables() {
    let alone = [
        "SET @a = 1",
        "set @a := 'x', @`b c` = @a + 1, @'d' = NULL",
        "SET @OLD_SQL_MODE = @@SQL_MODE",
        "SET @old = @@global.sql_mode",
        "SET @a.b = NOW()",
    ];
    check(&names(&[]), &alone);
    check(&names(&["sql_mode"]), &["SET @a = 1, sql_mode = ''", "SET sql_mode = '', @a = 1"]);
    check(&Class::SetCharset, &["SET NAMES utf8mb4, @a = 1"]);
    check(&Class::SetAutocommit, &["SET autocommit = 0, @a = 1"]);
    check(&SET, &["SET @a = ?"]);
    check_in(PREPARED, &names(&[]), &["SET @a = ?"]);
}

#[test]
fn what_is_not_understood() {
    check(
        &SET,
        &[
            "SET",
            "SET @a",
            "SET @ = 1",
            "SET @1 = 1",
            "SET @a = (SELECT MAX(a) FROM t)",
            "SET @a = f(1)",
            "SET @a = @b := 1",
            "SET @a = LAST_INSERT_ID(5)",
            "SET sql_mode",
            "SET sql_mode =",
            "SET sql_mode = ,",
            "SET sql_mode = '',",
            "SET sql_mode = (''",
            "SET sql_mode = '')",
            "SET sql_mode = f(1)",
            "SET sql_mode = `concat`('a')",
            "SET sql_mode = db.concat('a')",
            "SET sql_mode = COUNT (1)",
            "SET sql_mode = (SELECT 1)",
            "SET sql_mode = (WITH c AS (SELECT 1) SELECT 1)",
            "SET sql_mode = (TABLE t)",
            "SET sql_mode = @a := 1",
            "SET sql_mode = LAST_INSERT_ID(5)",
            "SET sql_mode = SLEEP(1)",
            "SET sql_mode = @@warning_count",
            "SET sql_mode = ?",
            "SET sql_mode = a.b",
            "SET sql_mode = _gbk'x'",
            "SET hot.key_buffer_size = 1",
            "SET @@hot.key_buffer_size = 1",
            "SET `session`.x = 1",
            "SET 'sql_mode' = 1",
            "SET NAMES",
            "SET NAMES 'a b'",
            "SET NAMES utf8mb4 COLLATE",
            "SET NAMES a COLLATE b c",
            "SET NAMES = 'x'",
            "SET CHARACTER SET",
            "SET CHARACTER utf8mb4",
            "SET ROLE r",
            "SET STATEMENT max_statement_time=1 FOR SELECT 1",
            "SET RESOURCE GROUP g",
            "SET TRANSACTION",
            "SET TRANSACTION READ",
            "SET TRANSACTION ISOLATION LEVEL CHAOS",
            "SET TRANSACTION READ ONLY x",
            "SET SESSION TRANSACTION READ ONLY, sql_mode = ''",
            "SET @@transaction_isolation = 'SERIALIZABLE', sql_mode = ''",
        ],
    );
    let many: Vec<_> = (0..70).map(|at| format!("a{at} = 1")).collect();
    check(&SET, &[&format!("SET {}", many.join(", "))]);
    check(&Class::Other(Unclear::Unreadable), &["SET sql_mode = 'a", "SET x = 1 /*", "SET /*!40101 x = 1"]);
}

#[test]
fn beyond_the_session() {
    check(
        &Class::SetGlobal,
        &[
            "SET GLOBAL max_connections = 5",
            "SET @@global.sql_mode = ''",
            "SET @@GLOBAL.a = 1, b = 2",
            "SET PERSIST x = 1",
            "SET @@persist_only.x = 1",
            "SET sql_mode = '', PERSIST_ONLY x = 1",
            "SET @a = 1, GLOBAL x = 2",
            "SET GLOBAL TRANSACTION READ ONLY",
            "SET GLOBAL x = f(1)",
            "SET sql_mode = '', PASSWORD = 'x'",
        ],
    );
    check(&Class::Account, &["SET PASSWORD = 'x'", "SET DEFAULT ROLE r TO u"]);
}

#[test]
fn autocommit_alone() {
    check(
        &Class::SetAutocommit,
        &[
            "SET autocommit=0",
            "set AUTOCOMMIT = 1",
            "SET @@session.autocommit = OFF",
            "SET SESSION autocommit := ON",
            "SET @@autocommit = FALSE;",
            "SET autocommit = @OLD_AUTOCOMMIT",
            "SET LOCAL `autocommit` = DEFAULT",
        ],
    );
}

#[test]
fn character_sets() {
    check(
        &Class::SetCharset,
        &[
            "SET NAMES DEFAULT",
            "SET NAMES utf8mb4, sql_mode = ''",
            "SET sql_mode = '', NAMES 'utf8mb4' COLLATE utf8mb4_bin",
            "SET CHARACTER SET utf8mb4",
            "SET CHARSET 'latin1'",
            "SET CHAR SET DEFAULT",
            "SET character_set_client = utf8mb4",
            "SET SESSION character_set_results = NULL",
            "SET @@collation_connection = @@collation_database",
            "SET sql_mode = '', character_set_server = latin1, x = 1",
            "SET character_set_filesystem = binary, CHARSET utf8mb4",
            "/*!40101 SET character_set_client = @saved_cs_client */",
        ],
    );
    check(
        &Class::SetNames { charset: name("utf8mb4"), collation: None },
        &["/*!40101 SET NAMES utf8mb4 */", "/*!50503 SET NAMES utf8mb4 */;"],
    );
}

#[test]
fn transactions_to_come() {
    check(
        &Class::SetTransaction,
        &[
            "SET TRANSACTION READ ONLY",
            "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ WRITE",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "set local transaction isolation level repeatable read",
            "SET TRANSACTION READ WRITE, ISOLATION LEVEL SERIALIZABLE;",
            "SET @@transaction_isolation = 'SERIALIZABLE'",
            "SET @@tx_read_only = 1",
        ],
    );
}
