use std::collections::BTreeMap;
use std::fmt;

use super::Malformed;
use super::interval::Intervals;

/// A set of MySQL GTIDs, as `gtid_executed` holds one.
///
/// Written `uuid[:tag]:first[-last][:first[-last]]…`, several UUIDs separated by commas; since 8.3 a part may
/// also carry tags (manual: "GTID Format and Storage"). UUIDs and tags are kept in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidSet {
    sources: BTreeMap<Source, Intervals>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    uuid: u128,
    /// Empty where the GTIDs carry none.
    tag: String,
}

/// Intervals and sources together; a set beyond it is refused, so that a peer can't fill the memory.
const MOST_INTERVALS: usize = 100_000;

impl GtidSet {
    /// Reads the text of a set, line breaks and spaces anywhere between its parts.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut set = Self::default();
        let mut size = 0;
        for part in text.split(',') {
            let part: String = part.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            if part.is_empty() {
                continue;
            }
            let mut fields = part.split(':');
            let uuid =
                fields.next().and_then(parse_uuid).ok_or_else(|| Malformed::Uuid { text: part.clone() })?;
            let mut tag = "";
            let mut any = false;
            for field in fields {
                if is_tag(field) {
                    tag = field;
                    continue;
                }
                let (first, last) = parse_interval(field)?;
                let source = Source { uuid, tag: tag.to_ascii_lowercase() };
                set.sources.entry(source).or_default().add(first, last);
                any = true;
                size += 1;
                if size > MOST_INTERVALS {
                    return Err(Malformed::TooLarge { limit: MOST_INTERVALS });
                }
            }
            if !any {
                return Err(Malformed::Interval { text: part });
            }
        }
        Ok(set)
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// How many GTIDs are in it.
    pub fn count(&self) -> u128 {
        self.sources.values().map(Intervals::count).sum()
    }

    /// How many intervals it is written with.
    pub fn intervals(&self) -> usize {
        self.sources.values().map(Intervals::len).sum()
    }

    /// Whether every GTID of `other` is in it.
    pub fn contains(&self, other: &Self) -> bool {
        other.sources.iter().all(|(source, wanted)| {
            self.sources.get(source).is_some_and(|intervals| intervals.contains(wanted))
        })
    }

    pub fn union(&mut self, other: &Self) {
        for (source, intervals) in &other.sources {
            self.sources.entry(source.clone()).or_default().union(intervals);
        }
    }

    /// What is in it and not in `other`.
    pub fn subtract(&self, other: &Self) -> Self {
        let left = self.sources.iter().map(|(source, intervals)| match other.sources.get(source) {
            Some(holes) => (source.clone(), intervals.subtract(holes)),
            None => (source.clone(), intervals.clone()),
        });
        Self { sources: left.filter(|(_, intervals)| !intervals.is_empty()).collect() }
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (source, intervals)) in self.sources.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write_uuid(f, source.uuid)?;
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            for (first, last) in intervals.iter() {
                if first == last {
                    write!(f, ":{first}")?;
                } else {
                    write!(f, ":{first}-{last}")?;
                }
            }
        }
        Ok(())
    }
}

fn parse_uuid(text: &str) -> Option<u128> {
    let dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if dashed && plain { u128::from_str_radix(&digits, 16).ok() } else { None }
}

fn write_uuid(f: &mut fmt::Formatter<'_>, uuid: u128) -> fmt::Result {
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        uuid >> 96,
        (uuid >> 80) & 0xffff,
        (uuid >> 64) & 0xffff,
        (uuid >> 48) & 0xffff,
        uuid & 0xffff_ffff_ffff
    )
}

/// A tag begins with a letter or an underscore and has up to 32 characters.
fn is_tag(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn parse_interval(text: &str) -> Result<(u64, u64), Malformed> {
    let malformed = || Malformed::Interval { text: text.to_owned() };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_number(first), parse_number(last));
    match (first, last) {
        (Some(first), Some(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => Err(malformed()),
    }
}

/// Digits only; sequence numbers stay below 2^63.
fn parse_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < 1 << 63)
}
