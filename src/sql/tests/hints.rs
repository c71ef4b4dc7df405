//! Hints for Headgate.

use std::time::Duration;

use super::*;

fn hints(text: &str) -> Hints {
    classify(text.as_bytes(), MODE).hints
}

const PRIMARY: Hints = Hints { route: Some(RouteHint::Primary), ..Hints::NONE };
const REPLICA: Hints = Hints { route: Some(RouteHint::Replica), ..Hints::NONE };

const fn lag(millis: u64) -> Hints {
    Hints { max_lag: Some(Duration::from_millis(millis)), ..Hints::NONE }
}

#[test]
fn hints_are_read_wherever_they_stand() {
    for (expected, texts) in [
        (
            PRIMARY,
            &[
                "/* headgate: primary */ SELECT 1",
                "SELECT 1 /*HEADGATE:PRIMARY*/",
                "SELECT /* x */ /*\theadgate :\n primary */ 1",
                "SELECT 1 -- headgate: primary",
                "SELECT 1 # headgate: primary\n + 1",
                "#headgate:primary\nSELECT 1",
                "SELECT 1; -- headgate: primary",
                "SELECT 1; SELECT /* headgate: primary */ 2",
                "/* headgate: primary */",
                "SELECT 1 /* headgate: primary, primary */ /* headgate: primary */",
                "SELECT /*!50000 1 */ /* headgate: primary */",
                "/*!99999 x */ /* headgate: primary */ SELECT 1",
                "INSERT INTO t VALUES ('/*') /* headgate: primary */",
            ][..],
        ),
        (REPLICA, &["/* headgate: replica */ SELECT f(1)", "SELECT f(1) /* Headgate: Replica , */"]),
        (lag(500), &["/* headgate: max_lag=500ms */ SELECT 1", "-- headgate: MAX_LAG=500MS\nSELECT 1"]),
        (lag(2000), &["/* headgate: max_lag=2s */ SELECT 1"]),
        (lag(60_000), &["/* headgate: max_lag=1m */ SELECT 1"]),
        (lag(0), &["/* headgate: max_lag=0 */ SELECT 1", "/* headgate: max_lag=0ms */ SELECT 1"]),
        (
            Hints { max_lag: Some(Duration::from_secs(1)), ..REPLICA },
            &[
                "/* headgate: replica max_lag=1s */ SELECT 1",
                "/* headgate: max_lag=1s,replica */ SELECT 1",
                "/* headgate: replica */ SELECT 1 -- headgate: max_lag=1000ms",
            ],
        ),
    ] {
        for text in texts {
            assert_eq!(hints(text), expected, "{text}");
        }
    }
}

#[test]
fn what_is_not_understood_is_said() {
    for text in [
        "/* headgate: */ SELECT 1",
        "/* headgate: secondary */ SELECT 1",
        "/* headgate: primary replica */ SELECT 1",
        "/* headgate: primary */ SELECT 1 /* headgate: replica */",
        "/* headgate: max_lag */ SELECT 1",
        "/* headgate: max_lag= */ SELECT 1",
        "/* headgate: max_lag=1 */ SELECT 1",
        "/* headgate: max_lag=-1s */ SELECT 1",
        "/* headgate: max_lag=1h */ SELECT 1",
        "/* headgate: max_lag=1s max_lag=2s */ SELECT 1",
        "/* headgate: max_lag=99999999999999999999s */ SELECT 1",
        "/* headgate: max_lag = 1s */ SELECT 1",
        "/* headgate: primary! */ SELECT 1",
    ] {
        assert!(hints(text).unreadable, "{text}");
    }
}

#[test]
fn other_comments_are_none() {
    for text in [
        "SELECT 1",
        "/* to headgate: primary */ SELECT 1",
        "/* headgate primary */ SELECT 1",
        "/* headgates: primary */ SELECT 1",
        "/* x -- headgate: primary */ SELECT 1",
        "SELECT '/* headgate: primary */'",
        "SELECT `/* headgate: primary */`",
        "SELECT 1 - -headgate",
        "SELECT 1 --headgate: primary",
        "SELECT a/headgate FROM t",
        "/*+ headgate: primary */ SELECT 1",
        "/*! headgate: primary */",
    ] {
        assert_eq!(hints(text), Hints::NONE, "{text}");
    }
    // The quote decides whether it is a comment.
    assert_eq!(classify(b"SELECT '\\' /* headgate: primary */ '", NO_ESCAPES).hints, PRIMARY);
    assert_eq!(classify(b"SELECT '\\' /* headgate: primary */ '", MODE).hints, Hints::NONE);
}
