use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

fn set(text: &str) -> GtidSet {
    GtidSet::parse(text).unwrap()
}

fn position(text: &str) -> DomainPosition {
    DomainPosition::parse(text).unwrap()
}

#[test]
fn sets_print_in_one_form() {
    for (text, printed) in [
        (String::new(), String::new()),
        (format!("{A}:1-5"), format!("{A}:1-5")),
        (format!("{A}:5:1-3:4"), format!("{A}:1-5")),
        (format!("{B}:1,\n{A}:7 - 9:1-2,"), format!("{A}:1-2:7-9,{B}:1")),
        (format!("{}:1", A.to_uppercase()), format!("{A}:1")),
        (format!("{A}:1-2:Blue:4-5:red:1"), format!("{A}:1-2,{A}:blue:4-5,{A}:red:1")),
    ] {
        assert_eq!(set(&text).to_string(), printed, "{text}");
        assert_eq!(set(&printed), set(&text));
    }
}

#[test]
fn malformed_sets_are_refused() {
    for text in [
        "x".to_owned(),
        A.to_owned(),
        format!("{A}:"),
        format!("{A}:0"),
        format!("{A}:5-1"),
        format!("{A}:+1"),
        format!("{A}:1-2-3"),
        format!("{A}:9223372036854775808"),
        "3e11fa4771ca11e19e33c80aa9429562:1".to_owned(),
        format!("{A}:tag"),
        format!("{A}:1;{B}:1"),
    ] {
        assert!(GtidSet::parse(&text).is_err(), "{text}");
    }
    let large: String = (1..=100_001).map(|n| format!("{A}:{},", n * 2)).collect();
    assert_eq!(GtidSet::parse(&large), Err(Malformed::TooLarge { limit: 100_000 }));
}

#[test]
fn tags_and_sources_are_sets_of_their_own() {
    assert!(!set(&format!("{A}:1-5")).contains(&set(&format!("{A}:red:1"))));
    assert!(!set(&format!("{A}:1-5")).contains(&set(&format!("{B}:1"))));
    assert!(set(&format!("{A}:1-5:red:1-3")).contains(&set(&format!("{A}:red:2,{A}:5"))));
    assert!(set("").contains(&set("")));
}

#[test]
fn positions_compare_domain_by_domain() {
    assert!(position("0-1-630,1-2-5").contains(&position("0-1-629")));
    assert!(position("0-1-630").contains(&position("")));
    assert!(!position("0-1-630").contains(&position("0-1-630,1-2-1")));
    assert!(position("0-9-630").contains(&position("0-1-630")), "the server number is not compared");
    assert_eq!(position("0-1-5,0-2-7,3-1-1").to_string(), "0-2-7,3-1-1");
    for text in ["0-1", "0-1-2-3", "a-1-2", "0--2", "0-1-+2"] {
        assert!(DomainPosition::parse(text).is_err(), "{text}");
    }
}

#[test]
fn families_have_nothing_of_each_other() {
    let mysql = Position::MySql(GtidSet::default());
    let mariadb = Position::MariaDb(DomainPosition::default());
    assert!(!mysql.contains(&mariadb) && !mariadb.contains(&mysql));
    assert!(mysql.contains(&mysql));
}

type Numbers = BTreeSet<(u8, u64)>;

/// A set of GTIDs as plain numbers, and the same as text.
fn numbers() -> impl Strategy<Value = Numbers> {
    proptest::collection::btree_set((0_u8..3, 1_u64..30), 0..40)
}

fn written(numbers: &Numbers) -> GtidSet {
    let text: Vec<String> = numbers
        .iter()
        .map(|(source, number)| match source {
            0 => format!("{A}:{number}"),
            1 => format!("{A}:red:{number}"),
            _ => format!("{B}:{number}"),
        })
        .collect();
    set(&text.join(","))
}

proptest! {
    #[test]
    fn sets_follow_the_laws_of_sets(one in numbers(), two in numbers()) {
        let (a, b) = (written(&one), written(&two));
        prop_assert_eq!(a.count(), one.len() as u128);
        prop_assert_eq!(a.contains(&b), one.is_superset(&two));
        prop_assert_eq!(a.subtract(&b), written(&one.difference(&two).copied().collect()));
        let mut both = a.clone();
        both.union(&b);
        prop_assert_eq!(&both, &written(&one.union(&two).copied().collect()));
        prop_assert!(both.contains(&a) && both.contains(&b));
        prop_assert_eq!(set(&both.to_string()), both);
    }

    #[test]
    fn order_of_intervals_does_not_matter(mut intervals in proptest::collection::vec((1_u64..200, 0_u64..20), 1..30)) {
        let write = |intervals: &[(u64, u64)]| {
            let fields: Vec<_> = intervals.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            set(&format!("{A}:{}", fields.join(":")))
        };
        let forward = write(&intervals);
        intervals.reverse();
        prop_assert_eq!(forward, write(&intervals));
    }

    #[test]
    fn total_over_any_text(text in "\\PC{0,80}") {
        let _ = GtidSet::parse(&text).map(|set| set.to_string());
        let _ = DomainPosition::parse(&text).map(|position| position.to_string());
    }

    #[test]
    fn positions_are_ordered(one in proptest::collection::btree_map(0_u32..4, 1_u64..9, 0..4),
                             two in proptest::collection::btree_map(0_u32..4, 1_u64..9, 0..4)) {
        let write = |domains: &std::collections::BTreeMap<u32, u64>| {
            let parts: Vec<_> = domains.iter().map(|(domain, sequence)| format!("{domain}-1-{sequence}")).collect();
            position(&parts.join(","))
        };
        let (a, b) = (write(&one), write(&two));
        let mut both = a.clone();
        both.union(&b);
        prop_assert!(both.contains(&a) && both.contains(&b) && a.contains(&a));
        if a.contains(&b) && b.contains(&a) {
            prop_assert_eq!(&a, &b);
        }
    }
}
