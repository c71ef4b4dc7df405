//! Several statements in one text.

use super::*;

fn several(parts: &[Class]) -> Class {
    Class::Several(parts.into())
}

const BEGIN: Class = Class::Transaction(TransactionKind::Begin);
const COMMIT: Class = Class::Transaction(TransactionKind::Commit(Then::Nothing));

#[test]
fn every_part_is_understood() {
    use Class::*;
    check(
        &several(&[PlainRead, Data]),
        &["SELECT 1; INSERT INTO t VALUES (1)", "SELECT ';' ; INSERT t VALUES (';');"],
    );
    check(&several(&[PlainRead, Inspect]), &["SELECT 1; -- end"]);
    check(
        &several(&[BEGIN, Data, COMMIT]),
        &["BEGIN; UPDATE t SET a = 1; COMMIT", "begin;delete from t;commit;"],
    );
    check(&several(&[Use(name("d")), Calls, SetGlobal]), &["USE d; SELECT f(1); SET GLOBAL x = 1"]);
    check(&several(&[PlainRead, names(&["sql_mode"])]), &["SELECT 1; SET sql_mode = ''"]);
    check(
        &several(&[SetNames { charset: name("utf8mb4"), collation: None }, PlainRead]),
        &["SET NAMES utf8mb4; SELECT 1"],
    );
    check(&PlainRead, &["SELECT ';'", "SELECT 1 /* ; */", "SELECT 1;;; "]);
}

#[test]
fn one_part_is_not() {
    check(
        &Class::Other(Unclear::Several),
        &[
            "SELECT 1; CALL p()",
            "SELECT 1; CREATE TEMPORARY TABLE t (a INT)",
            "SELECT 1; KILL 5",
            "SELECT 1; SELECT 'a",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END",
            "CREATE DEFINER=`a`@`b` TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END; SELECT 1",
            "SELECT 1; CREATE FUNCTION f() RETURNS INT RETURN 1",
            "ALTER EVENT e DO BEGIN SELECT 1; SELECT 2; END",
            "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
            "IF 1 THEN SELECT 1; END IF",
            "SELECT 1; SELCT 2",
            // How the rest is read, is not known.
            "SET sql_mode = 'ANSI_QUOTES'; SELECT \"a\"",
            "SET NAMES gbk; SELECT 1",
            "SET CHARACTER SET gbk; SELECT 1",
            "SET GLOBAL x = 1, sql_mode = 'ANSI'; SELECT 1",
        ],
    );
    check(&Class::Other(Unclear::VersionComment), &["SELECT /*!50000 1; SELECT 2 */"]);
    check(
        &Class::Other(Unclear::Several),
        &[&"DO 1;".repeat(1026), "SELECT 1; SELECT /*!99999 /* x */ */ 2"],
    );
}

#[test]
fn any_part_looks_back() {
    for text in ["SHOW WARNINGS; SELECT 1", "SELECT 1; SELECT ROW_COUNT()"] {
        let found = classify(text.as_bytes(), MODE);
        assert_eq!((found.looks_back, found.only_looks_back), (true, false), "{text}");
    }
    assert!(!classify(b"SELECT 1; SELECT 2", MODE).looks_back);
}

#[test]
fn any_part_ages_the_pools() {
    assert!(classify(b"SELECT 1; GRANT ALL ON d.* TO u", MODE).ages_pools());
    assert!(classify(b"SELECT 1; SET GLOBAL x = 1", MODE).ages_pools());
    assert!(!classify(b"SELECT 1; SELECT 2", MODE).ages_pools());
}
