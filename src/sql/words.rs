//! What the words of SQL mean to a classifier that fails closed: a word is allowed in a plain read when it
//! is on a list, or reserved nowhere.

use super::Dialect;
use super::vocabulary::{
    FUNCTIONS, MARIADB_FUNCTIONS, MARIADB_PLAIN_FUNCTIONS, MYSQL_FUNCTIONS, MYSQL_PLAIN_FUNCTIONS,
    PLAIN_FUNCTIONS, PLAIN_GRAMMAR, RESERVED_WORDS, TOUCHING_FUNCTIONS,
};

/// What is known of a word, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u32);

/// Grammar of a plain SELECT; may stand before a parenthesis without calling anything.
const GRAMMAR: u32 = 1;
/// Reserved and not part of a plain SELECT, or a function written without parentheses.
const RESERVED: u32 = 1 << 1;
/// A built-in function that may stand in a plain read.
const PLAIN_MYSQL: u32 = 1 << 2;
const PLAIN_MARIADB: u32 = 1 << 14;
const PLAIN_CALL: u32 = PLAIN_MYSQL | PLAIN_MARIADB;
/// A built-in function that leaves nothing behind which a later plain read could see.
const CALL_MYSQL: u32 = 1 << 3;
const CALL_MARIADB: u32 = 1 << 4;
const CALL: u32 = CALL_MYSQL | CALL_MARIADB;
/// A function only where the parenthesis touches it (unless IGNORE_SPACE); apart from it the same name
/// may call a stored function.
const TOUCHING: u32 = 1 << 5;
/// A schema that every server has its own of.
const LOCAL_SCHEMA: u32 = 1 << 6;
/// May stand before a parenthesis without calling anything, though it is no part of a plain SELECT.
const OPENS: u32 = 1 << 7;
/// Tells about the statement before.
const LOOKS_BACK: u32 = 1 << 8;
/// A hint may follow.
const VERB: u32 = 1 << 9;
/// An alias, a type or a table follows.
const BEFORE_NAME: u32 = 1 << 10;
/// May stand between INSERT or REPLACE and its table.
const HEAD: u32 = 1 << 11;
/// Ends what stands there.
const ENDS_HEAD: u32 = 1 << 12;
/// Tables follow.
const TABLES: u32 = 1 << 13;
/// What follows or stands on both sides makes FOUND_ROWS() another number than that of the rows.
const COUNTS: u32 = 1 << 15;

impl Word {
    /// What is known of this word, in any case. An unknown word is an ordinary name.
    pub(super) fn of(word: &[u8]) -> Self {
        if word.len() > LONGEST {
            return Self(0);
        }
        let mut at = hash(word);
        loop {
            let Some(slot) = TABLE.get(at) else { return Self(0) };
            if slot.flags == 0 {
                return Self(0);
            }
            if slot.word.eq_ignore_ascii_case(word) {
                return Self(slot.flags);
            }
            at = (at + 1) % SLOTS;
        }
    }

    pub(super) fn may_stand_in_plain_read(self) -> bool {
        self.0 & RESERVED == 0
    }

    pub(super) fn opens_parenthesis(self) -> bool {
        self.0 & (GRAMMAR | OPENS) != 0
    }

    /// Whether it is a keyword of a plain SELECT, after which a value may stand.
    pub(super) fn is_grammar(self) -> bool {
        self.0 & GRAMMAR != 0
    }

    pub(super) fn is_plain_call(self, dialect: Dialect, touching: bool) -> bool {
        let wanted = match dialect {
            Dialect::MySql => PLAIN_MYSQL,
            Dialect::MariaDb => PLAIN_MARIADB,
        };
        self.0 & wanted != 0 && (touching || self.0 & TOUCHING == 0)
    }

    pub(super) fn is_known_call(self, dialect: Dialect, touching: bool) -> bool {
        let wanted = match dialect {
            Dialect::MySql => CALL_MYSQL,
            Dialect::MariaDb => CALL_MARIADB,
        };
        self.0 & wanted != 0 && (touching || self.0 & TOUCHING == 0)
    }

    pub(super) fn is_local_schema(self) -> bool {
        self.0 & LOCAL_SCHEMA != 0
    }

    pub(super) fn takes_hint(self) -> bool {
        self.0 & VERB != 0
    }

    pub(super) fn is_before_name(self) -> bool {
        self.0 & BEFORE_NAME != 0
    }

    pub(super) fn is_head(self) -> bool {
        self.0 & HEAD != 0
    }

    pub(super) fn ends_head(self) -> bool {
        self.0 & ENDS_HEAD != 0
    }

    pub(super) fn names_tables(self) -> bool {
        self.0 & TABLES != 0
    }

    pub(super) fn counts(self) -> bool {
        self.0 & COUNTS != 0
    }

    pub(super) fn looks_back(self) -> bool {
        self.0 & LOOKS_BACK != 0
    }
}

/// Whether every server has its own schema of this name, in any case.
pub fn is_local_schema(schema: &[u8]) -> bool {
    Word::of(schema).is_local_schema()
}

#[derive(Clone, Copy)]
struct Slot {
    word: &'static [u8],
    flags: u32,
}

/// As many as [`hash`] has values.
const SLOTS: usize = 2048;
const LONGEST: usize = 40;

/// Open addressing, filled by the compiler: one comparison for most words.
static TABLE: [Slot; SLOTS] = build();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which stops at a wrong index")]
const fn build() -> [Slot; SLOTS] {
    let mut table = [Slot { word: &[], flags: 0 }; SLOTS];
    let mut list = 0;
    while list < LISTS.len() {
        let (mut rest, flags) = (LISTS[list].0.as_bytes(), LISTS[list].1);
        while !rest.is_empty() {
            let mut end = 0;
            while end < rest.len() && rest[end] != b' ' {
                end += 1;
            }
            let (word, after) = rest.split_at(end);
            if !word.is_empty() {
                put(&mut table, word, flags);
            }
            rest = if let Some((_, after)) = after.split_first() { after } else { after };
        }
        list += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which stops at a wrong index")]
const fn put(table: &mut [Slot; SLOTS], word: &'static [u8], flags: u32) {
    assert!(word.len() <= LONGEST);
    let mut at = hash(word);
    while table[at].flags != 0 && !table[at].word.eq_ignore_ascii_case(word) {
        at = (at + 1) % SLOTS;
    }
    table[at] = Slot { word, flags: table[at].flags | flags };
}

/// The first and last four bytes in one case, and the length: enough to tell words of SQL apart, in a few
/// instructions.
#[allow(clippy::indexing_slicing, reason = "bounded by the length; const fn has no get()")]
#[allow(clippy::cast_possible_truncation, reason = "eleven bits are left")]
const fn hash(word: &[u8]) -> usize {
    let len = word.len();
    let (head, tail) = match len {
        0 => (0, 0),
        1..=3 => (word[0] as u32, (word[len / 2] as u32) << 8 | word[len - 1] as u32),
        _ => (
            u32::from_le_bytes([word[0], word[1], word[2], word[3]]),
            u32::from_le_bytes([word[len - 4], word[len - 3], word[len - 2], word[len - 1]]),
        ),
    };
    let folded = ((head as u64) << 32 | tail as u64) | 0x2020_2020_2020_2020;
    ((folded ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize
}

const LISTS: [(&str, u32); 19] = [
    (PLAIN_GRAMMAR, GRAMMAR),
    (RESERVED_WORDS, RESERVED),
    (PLAIN_FUNCTIONS, PLAIN_CALL | CALL),
    (FUNCTIONS, CALL),
    (MYSQL_PLAIN_FUNCTIONS, PLAIN_MYSQL | CALL_MYSQL),
    (MARIADB_PLAIN_FUNCTIONS, PLAIN_MARIADB | CALL_MARIADB),
    (MYSQL_FUNCTIONS, CALL_MYSQL),
    (MARIADB_FUNCTIONS, CALL_MARIADB),
    (TOUCHING_FUNCTIONS, TOUCHING),
    ("INFORMATION_SCHEMA PERFORMANCE_SCHEMA MYSQL SYS NDBINFO", LOCAL_SCHEMA),
    ("VALUES VALUE ROW RETURNING SET UPDATE ANY SOME", OPENS),
    ("SELECT INSERT REPLACE UPDATE DELETE", VERB),
    ("AS INTO TABLE", BEFORE_NAME),
    ("INTO IGNORE LOW_PRIORITY HIGH_PRIORITY DELAYED", HEAD),
    ("SELECT SET VALUES", ENDS_HEAD),
    ("FROM", TABLES),
    ("FOUND_ROWS ROW_COUNT WARNING_COUNT ERROR_COUNT", LOOKS_BACK),
    ("OFFSET UNION INTERSECT EXCEPT LIMIT", COUNTS),
    ("CHAR DECIMAL FLOAT DOUBLE VARCHAR NCHAR", OPENS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_only_whole() {
        assert!(Word::of(b"select").opens_parenthesis());
        let plain = |word, touching| {
            [Dialect::MySql, Dialect::MariaDb].map(|dialect| Word::of(word).is_plain_call(dialect, touching))
        };
        assert_eq!(plain(b"Count", true), [true, true]);
        assert_eq!(plain(b"COUNT", false), [false, false]);
        assert_eq!(plain(b"abs", false), [true, true]);
        assert_eq!(plain(b"counts", true), [false, false]);
        assert_eq!(plain(b"any_value", true), [true, false]);
        assert_eq!(plain(b"Md5", true), [false, true]);
        assert!(!Word::of(b"current_user").may_stand_in_plain_read());
        assert!(Word::of(b"my_column").may_stand_in_plain_read());
        assert!(Word::of(b"Sys").is_local_schema());
        assert!(Word::of(&[b'x'; 500]).may_stand_in_plain_read());
    }

    #[test]
    fn no_reserved_word_is_plain_grammar() {
        for word in RESERVED_WORDS.split(' ') {
            assert!(!PLAIN_GRAMMAR.split(' ').any(|plain| plain == word), "{word} is on both lists");
        }
    }

    #[test]
    fn functions_of_one_family_may_be_anybodys_in_the_other() {
        assert!(Word::of(b"any_value").is_known_call(Dialect::MySql, true));
        assert!(!Word::of(b"any_value").is_known_call(Dialect::MariaDb, true));
        assert!(!Word::of(b"nvl").is_known_call(Dialect::MySql, true));
    }
}
