//! GTID sets and positions.

use headgate::gtid::{GtidSet, MariaDbPosition};

/// Two texts with a line feed between them.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (left, right) = text.split_once('\n').unwrap_or((&text, ""));
    if let (Ok(left), Ok(right)) = (left.parse::<GtidSet>(), right.parse::<GtidSet>()) {
        sets_follow_the_laws(&left, &right);
    }
    if let (Ok(left), Ok(right)) = (left.parse::<MariaDbPosition>(), right.parse::<MariaDbPosition>()) {
        positions_follow_the_laws(&left, &right);
    }
}

fn sets_follow_the_laws(left: &GtidSet, right: &GtidSet) {
    assert_eq!(left.to_string().parse::<GtidSet>().as_ref(), Ok(left), "what is shown can be read");
    assert!(left.contains(left) && left.contains(&GtidSet::default()));
    let mut both = left.clone();
    both.insert_all(right);
    assert!(both.contains(left) && both.contains(right));
    let mut turned = right.clone();
    turned.insert_all(left);
    assert_eq!(both, turned);
    let only_left = left.without(right);
    assert!(left.contains(&only_left) && only_left.without(right) == only_left);
    assert_eq!(only_left.is_empty(), right.contains(left));
    let mut again = only_left;
    again.insert_all(right);
    assert_eq!(again, both);
    assert_eq!(left.contains(right) && right.contains(left), left == right);
}

fn positions_follow_the_laws(left: &MariaDbPosition, right: &MariaDbPosition) {
    assert!(left.contains(left) && right.contains(right));
    assert!(left != right || (left.contains(right) && right.contains(left)));
}
