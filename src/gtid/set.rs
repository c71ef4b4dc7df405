//! MySQL's sets: `uuid:1-5:7,uuid:tag:1-3`.
//!
//! Source: MySQL manual, "GTID Format and Storage"; tags since 8.3.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::BadGtid;

/// A set of transactions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {
    /// By `uuid` or `uuid:tag` in lower case: ranges, first and last, in order, neither touching nor
    /// overlapping.
    sources: BTreeMap<String, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// True when every transaction of `other` is in this set.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.sources.iter().all(|(source, wanted)| {
            let Some(held) = self.sources.get(source) else { return false };
            let mut held = held.iter();
            let mut current = held.next();
            wanted.iter().all(|(first, last)| {
                while current.is_some_and(|(_, end)| end < first) {
                    current = held.next();
                }
                current.is_some_and(|(start, end)| start <= first && last <= end)
            })
        })
    }

    /// Adds every transaction of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        for (source, ranges) in &other.sources {
            let held = self.sources.entry(source.clone()).or_default();
            held.extend_from_slice(ranges);
            join(held);
        }
    }

    /// The transactions of this set that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (source, ranges) in &self.sources {
            let taken = other.sources.get(source).map_or(&[][..], Vec::as_slice);
            let kept: Vec<_> = ranges.iter().flat_map(|range| subtract(*range, taken)).collect();
            if !kept.is_empty() {
                left.sources.insert(source.clone(), kept);
            }
        }
        left
    }

    /// The number of the last transaction, where all are of one server and have no tag.
    #[must_use]
    pub fn last_of_only(&self, uuid: &str) -> Option<u64> {
        self.sources.get(uuid).filter(|_| self.sources.len() == 1)?.last().map(|(_, last)| *last)
    }

    /// True when there are numbers of this server, without a tag, between its first and its last that are not in it.
    #[must_use]
    pub fn has_gap(&self, uuid: &str) -> bool {
        self.sources.get(uuid).is_some_and(|ranges| ranges.len() > 1)
    }

    /// True when all transactions, if there are any, are of this server and have no tag.
    #[must_use]
    pub fn is_of_only(&self, uuid: &str) -> bool {
        self.sources.keys().all(|source| source == uuid)
    }

    /// The highest number up to which this set lacks no transaction of `uuid` that `of` has; beyond what `of` has, up to
    /// which it has all. Nothing where it lacks one of any other server.
    #[must_use]
    pub fn complete_to(&self, uuid: &str, of: &Self) -> Option<u64> {
        let lacking = of.without(self);
        if !lacking.is_of_only(uuid) {
            return None;
        }
        if let Some((first, _)) = lacking.sources.get(uuid).and_then(|ranges| ranges.first()) {
            return Some(first - 1);
        }
        let known = of.sources.get(uuid).and_then(|ranges| ranges.last()).map_or(0, |(_, last)| *last);
        let held = self.sources.get(uuid).map_or(&[][..], Vec::as_slice);
        // The next one counts only if it follows at once.
        let onwards = held.iter().find(|(first, last)| *first <= known.saturating_add(1) && *last > known);
        Some(onwards.map_or(known, |(_, last)| *last))
    }

    /// The transactions whose server, by its UUID in lower case, is one to keep.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let uuid = |source: &str| source.split(':').next().is_some_and(&keep);
        let kept = self.sources.iter().filter(|(source, _)| uuid(source));
        Self { sources: kept.map(|(source, ranges)| (source.clone(), ranges.clone())).collect() }
    }

    /// Adds one transaction of `source`, which is a `uuid` or `uuid:tag` in lower case.
    pub fn insert(&mut self, source: &str, number: u64) {
        match self.sources.get_mut(source) {
            Some(ranges) => match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
                _ => {
                    ranges.push((number, number));
                    join(ranges);
                }
            },
            None => {
                self.sources.insert(source.to_owned(), vec![(number, number)]);
            }
        }
    }

    /// Each transaction by its name, `uuid:number` or `uuid:tag:number`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let of = |(source, ranges): (&String, &Vec<(u64, u64)>)| {
            let source = source.clone();
            let numbers: Vec<u64> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
            numbers.into_iter().map(move |number| format!("{source}:{number}"))
        };
        self.sources.iter().flat_map(of)
    }

    /// The same, with all that lie between the first and the last of each server.
    #[must_use]
    pub fn without_gaps(&self) -> Self {
        let whole = self.sources.iter().filter_map(|(source, ranges)| {
            Some((source.clone(), vec![(ranges.first()?.0, ranges.last()?.1)]))
        });
        Self { sources: whole.collect() }
    }

    /// How many transactions are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        let ranges = self.sources.values().flatten();
        ranges.fold(0, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// Parts it by who wrote: what `uuid` did, under whatever tag, and what others did.
    #[must_use]
    pub fn by_origin(&self, uuid: &str) -> (Self, Self) {
        let is_of =
            |source: &str| source.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(uuid));
        let (own, others) = self.sources.clone().into_iter().partition(|(source, _)| is_of(source));
        (Self { sources: own }, Self { sources: others })
    }

    /// True when there is no transaction in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// What is left of `range` after taking `taken` (in order) out of it.
fn subtract((mut first, last): (u64, u64), taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for &(from, to) in taken {
        if to < first {
            continue;
        }
        if from > last {
            break;
        }
        if from > first {
            left.push((first, from - 1));
        }
        match to.checked_add(1) {
            Some(next) if next <= last => first = next,
            _ => return left,
        }
    }
    left.push((first, last));
    left
}

/// Puts ranges in order and joins those that touch.
fn join(ranges: &mut Vec<(u64, u64)>) {
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for &(first, last) in ranges.iter() {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    *ranges = joined;
}

impl FromStr for GtidSet {
    type Err = BadGtid;

    fn from_str(text: &str) -> Result<Self, BadGtid> {
        let bad = || BadGtid::new(text, "GTID set");
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut fields = part.split(':').map(str::trim);
            let uuid = fields.next().filter(|uuid| is_uuid(uuid)).ok_or_else(bad)?.to_ascii_lowercase();
            let mut source = uuid.clone();
            let mut any = false;
            for field in fields {
                match range(field) {
                    Some(range) => {
                        set.sources.entry(source.clone()).or_default().push(range);
                        any = true;
                    }
                    None if is_tag(field) => source = format!("{uuid}:{}", field.to_ascii_lowercase()),
                    None => return Err(bad()),
                }
            }
            if !any {
                return Err(bad());
            }
        }
        set.sources.values_mut().for_each(join);
        Ok(set)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_tag(text: &str) -> bool {
    text.len() <= 32
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first >= 1 && first <= last).then_some((first, last))
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (source, ranges)) in self.sources.iter().enumerate() {
            write!(f, "{}{source}", if at > 0 { "," } else { "" })?;
            for (first, last) in ranges {
                if first == last { write!(f, ":{first}") } else { write!(f, ":{first}-{last}") }?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.replace('u', U).parse().unwrap()
    }

    #[test]
    fn sets_read_and_print() {
        let check = |text: &str, printed: &str| assert_eq!(set(text).to_string(), printed.replace('u', U));
        check("", "");
        check("u:1-5:7", "u:1-5:7");
        check("u:3,\nu:1-2", "u:1-3");
        check("u:1-3:tag:5-6", "u:1-3,u:tag:5-6");
        for text in ["u", "u:", "u:0", "u:5-3", "u:x-", "nonsense:1", "u:1-99999999999999999999"] {
            assert!(text.replace('u', U).parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_gap_is_not_contained() {
        assert!(set("u:1-10").contains(&set("u:2-3:5")));
        assert!(!set("u:1-3:5-10").contains(&set("u:3-5")));
        assert!(!set("u:1-3").contains(&set("u:tag:1")));
        assert!(set("").contains(&set("")));
    }

    #[test]
    fn transactions_are_parted_by_who_wrote_them() {
        let other = "9e11fa47-71ca-11e1-9e33-c80aa9429562";
        let both: GtidSet = format!("{U}:1-3:tag:1,{other}:7").parse().unwrap();
        let (own, others) = both.by_origin(&U.to_uppercase());
        assert_eq!(
            (own.to_string(), others.to_string()),
            (format!("{U}:1-3,{U}:tag:1"), format!("{other}:7"))
        );
        assert_eq!(both.count(), 5);
    }

    fn of(numbers: &BTreeSet<u64>) -> GtidSet {
        let text: Vec<_> = numbers.iter().map(|n| format!("{U}:{n}")).collect();
        text.join(",").parse().unwrap()
    }

    proptest! {
        #[test]
        fn set_laws(
            a in proptest::collection::btree_set(1_u64..40, 0..30),
            b in proptest::collection::btree_set(1_u64..40, 0..30),
        ) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.contains(&y), a.is_superset(&b));
            prop_assert_eq!(x.without(&y), of(&a.difference(&b).copied().collect()));
            let mut union = x.clone();
            union.insert_all(&y);
            prop_assert_eq!(&union, &of(&a.union(&b).copied().collect()));
            prop_assert_eq!(union.count(), u64::try_from(a.union(&b).count()).unwrap());
            let mut one_by_one = x.clone();
            b.iter().for_each(|number| one_by_one.insert(U, *number));
            prop_assert_eq!(&one_by_one, &union);
            prop_assert_eq!(union.to_string().parse::<GtidSet>(), Ok(union));
        }
    }
}
