//! Version comments.

use super::*;

const OLD: LexMode = LexMode { version: 80030, ..MODE };
const UNKNOWN: LexMode = LexMode { version: 0, ..MODE };
const CONDITIONAL: Class = Class::PrimaryRead(NotPlain::VersionComment);

#[test]
fn code_everywhere() {
    for mode in [MODE, OLD, MARIADB] {
        check_in(
            mode,
            &Class::PlainRead,
            &[
                "SELECT /*!50101 1 */",
                "SELECT 1 /*!50101+1*/ FROM t",
                "SELECT 1 /*! + 1 */",
                "/*!50101SELECT 1*/",
                "/*!40000 SELECT*/ 1 /*!*/",
                "SELECT * FROM t /*!40000 USE INDEX (i) */ WHERE a = '*/'",
            ],
        );
        check_in(mode, &Class::PrimaryRead(NotPlain::Keyword), &["SELECT 1 /*!40000 FOR UPDATE */"]);
        check_in(
            mode,
            &Class::Data,
            &["INSERT INTO t VALUES (1) /*! ON DUPLICATE KEY UPDATE a = 1 */", "/*!40000 DELETE*/ FROM t"],
        );
        let t = TableName { schema: None, name: Name::new(b"t").unwrap() };
        let drops = Class::Bond(Bond::DropsTemporary([t].into()));
        check_in(mode, &drops, &["DROP /*!40005 TEMPORARY */ TABLE t"]);
        // Apart from its parenthesis it is another name.
        check_in(mode, &Class::Calls, &["SELECT COUNT/*!50000 (1) */"]);
    }
    check_in(MODE, &Class::PlainRead, &["SELECT /*!80000 1 */"]);
    check_in(
        MARIADB,
        &Class::PlainRead,
        &[
            "SELECT /*!100600 1 */",
            "SELECT /*M! 1 */",
            "SELECT 1 /*M!100501 + 1*/",
            "SELECT 1 /*M!80000 + 1*/",
        ],
    );
}

#[test]
fn code_here_and_a_comment_there() {
    for (mode, texts) in [
        (
            MODE,
            &["SELECT 1 /*!80001 + 1 */", "SELECT 1 /*!99999 FOR UPDATE */", "SELECT 1 /*!090704 + 1 */"][..],
        ),
        (
            OLD,
            &[
                "SELECT 1 /*!80030 + 1 */",
                "SELECT 1 /*!80031 FOR UPDATE */",
                "SELECT 1 /*!100100 FOR UPDATE */",
            ],
        ),
        (
            MARIADB,
            &[
                "SELECT 1 /*!50700 FOR UPDATE */",
                "SELECT 1 /*!80000 FOR UPDATE */",
                "SELECT 1 /*!99999 FOR UPDATE */",
                "SELECT 1 /*!100601 + 1 */",
                "SELECT 1 /*M!101119 + 1 */",
                "SELECT 1 /*!60000 FOR UPDATE */",
                "SELECT 1 /*M!101120 FOR UPDATE */",
            ],
        ),
    ] {
        check_in(mode, &CONDITIONAL, texts);
    }
    check_in(MODE, &Class::PrimaryRead(NotPlain::Keyword), &["SELECT 1 /*!90704 FOR UPDATE */"]);
    // What it does is what it does to this server.
    check_in(MODE, &Class::Data, &["/*!90704 DELETE */ /*!90705 SELECT a */ FROM t"]);
    check_in(OLD, &Class::Inspect, &["/*!90704 DELETE FROM t */"]);
    check_in(MARIADB, &names(&["a"]), &["SET a = 1 /*!80000 , b = 2 */ /*M!100100 + 1 */"]);
}

#[test]
fn a_plain_comment_to_the_other_family() {
    check(&Class::PlainRead, &["SELECT 1 /*M! FOR UPDATE */", "SELECT 1 /*M!100100 FOR UPDATE */"]);
    check_in(MARIADB, &Class::PrimaryRead(NotPlain::Keyword), &["SELECT 1 /*M! FOR UPDATE */"]);
}

#[test]
fn not_certain() {
    check_in(UNKNOWN, &Class::Other(Unclear::VersionComment), &["SELECT 1 /*!50101 + 1 */"]);
    check_in(UNKNOWN, &Class::PlainRead, &["SELECT 1 /*! + 1 */"]);
    check(&Class::Other(Unclear::VersionComment), &["SELECT 1 /*!99999 /*/ + 1 */"]);
}

#[test]
fn names_are_mentioned_as_the_server_reads_them() {
    let view = |name: &[u8]| name == b"v";
    assert!(mentions(b"SELECT * FROM /*!50000 v */", MODE, view));
    assert!(!mentions(b"SELECT * FROM /*!99999 v */ t", MODE, view));
    assert!(!mentions(b"SELECT * FROM /*M! v */ t", MODE, view));
    assert!(mentions(b"SELECT * FROM /*M! v */", MARIADB, view));
}
