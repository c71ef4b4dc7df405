//! COM_STMT_EXECUTE, as far as running it on another connection demands: which statement, with which types. The
//! values are passed on unread.
//!
//! A client sends the types of its parameters when they change, and the server remembers them with the statement.
//! Another server has to be told them again.
//!
//! Source: MySQL Internals, "COM_STMT_EXECUTE"; `sql/protocol_classic.cc`, `libmysql/libmysql.cc`.

use super::cursor::{Cursor, Malformed};

/// Where the statement's id stands in the payload of a command that names one.
pub const ID: std::ops::Range<usize> = 1..5;

/// What MariaDB takes for the statement that was prepared last.
pub const LAST: u32 = u32::MAX;

/// PARAMETER_COUNT_AVAILABLE: the parameters are counted, attributes among them.
const COUNTED: u8 = 8;

/// The head of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// It asks for a cursor.
    pub cursor: bool,
    /// Where the byte stands in the payload that says whether types follow.
    pub new_types: usize,
    /// The types of the parameters, where they were sent: as they stand in the packet.
    pub types: Option<&'a [u8]>,
    parameters: u16,
}

impl<'a> Execute<'a> {
    /// Reads the payload for a statement with so many parameters; of a long one the beginning will do.
    /// `attributes`: they were negotiated, so types have names. Nothing where there are attributes, or parameters
    /// that were not counted as was negotiated.
    pub fn parse(payload: &'a [u8], parameters: u16, attributes: bool) -> Result<Option<Self>, Malformed> {
        let mut cursor = Cursor::new(payload);
        cursor.u8("command")?;
        cursor.u32("statement id")?;
        let flags = cursor.u8("flags")?;
        cursor.u32("iterations")?;
        let counted = flags & COUNTED != 0;
        let asks_for_cursor = flags & !COUNTED != 0;
        let none = Self { cursor: asks_for_cursor, new_types: payload.len(), types: None, parameters: 0 };
        if !attributes && counted {
            return Ok(None);
        }
        if attributes && counted {
            if cursor.lenenc("parameter count")? != u64::from(parameters) {
                return Ok(None);
            }
        } else if attributes && parameters > 0 {
            return Ok(None);
        }
        if parameters == 0 {
            return Ok(Some(none));
        }
        cursor.take(usize::from(parameters).div_ceil(8), "null bitmap")?;
        let new_types = payload.len() - cursor.rest().len();
        let types = match cursor.u8("new types")? {
            0 => None,
            1 => Some(types(&mut cursor, parameters, attributes)?),
            _ => return Err(Malformed::new("new types")),
        };
        Ok(Some(Self { cursor: asks_for_cursor, new_types, types, parameters }))
    }

    /// True where the server is expected to know the types from before.
    #[must_use]
    pub const fn wants_types(&self) -> bool {
        self.parameters > 0 && self.types.is_none()
    }
}

/// Whether one of these types is a string's: what MySQL takes such a parameter for depends on the values that it
/// has had.
#[must_use]
pub fn binds_strings(types: &[u8], attributes: bool) -> bool {
    /// MYSQL_TYPE_VARCHAR, and those from MYSQL_TYPE_JSON on but for MYSQL_TYPE_NEWDECIMAL.
    const fn is_string(kind: u8) -> bool {
        kind == 15 || (kind >= 245 && kind != 246)
    }
    let mut cursor = Cursor::new(types);
    while let Ok(kind) = cursor.u8("parameter type") {
        let _ = cursor.u8("parameter flag");
        if attributes {
            let _ = cursor.lenenc_bytes("parameter name");
        }
        if is_string(kind) {
            return true;
        }
    }
    false
}

fn types<'a>(cursor: &mut Cursor<'a>, parameters: u16, named: bool) -> Result<&'a [u8], Malformed> {
    let from = cursor.rest();
    for _ in 0..parameters {
        cursor.u16("parameter type")?;
        if named {
            cursor.lenenc_bytes("parameter name")?;
        }
    }
    Ok(from.get(..from.len() - cursor.rest().len()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] = b"\x17\x07\0\0\0\x00\x01\0\0\0";

    fn with(rest: &[u8]) -> Vec<u8> {
        [HEAD, rest].concat()
    }

    fn with_types(payload: &[u8], read: Execute<'_>, types: &[u8]) -> Vec<u8> {
        [&payload[..read.new_types], &[1], types, &payload[read.new_types + 1..]].concat()
    }

    #[test]
    fn strings_are_told_from_what_has_a_type_of_its_own() {
        let check = |types: &[u8], attributes, expected| {
            assert_eq!(binds_strings(types, attributes), expected, "{types:?}");
        };
        check(b"\x08\0\x05\0\xf6\0\x0c\0", false, false);
        check(b"\x08\0\xfd\0", false, true);
        check(b"\x08\0\x01\xfd\x03\x80\x00", true, false);
        check(b"\x08\0\x01n\xfe\0\x00", true, true);
        check(b"\x08", true, false);
    }

    #[test]
    fn types_are_found_and_put_back() {
        let bound = with(b"\x01\x01\x08\0\xfe\0\x03abc");
        let read = Execute::parse(&bound, 2, false).unwrap().unwrap();
        assert_eq!((read.types, read.cursor, read.wants_types()), (Some(&b"\x08\0\xfe\0"[..]), false, false));
        let again = with(b"\x01\x00\x03abc");
        let read = Execute::parse(&again, 2, false).unwrap().unwrap();
        assert!(read.wants_types());
        assert_eq!(with_types(&again, read, b"\x08\0\xfe\0"), bound);
        // Of a long one the beginning is enough.
        assert_eq!(Execute::parse(&again[..again.len() - 2], 2, false).unwrap(), Some(read));
    }

    #[test]
    fn names_of_attributes_belong_to_the_types() {
        let mut bound = with(b"\x02\x00\x01\x08\0\x00\xfe\0\x01n\x03abc");
        bound[5] = COUNTED;
        let read = Execute::parse(&bound, 2, true).unwrap().unwrap();
        assert_eq!(read.types, Some(&b"\x08\0\x00\xfe\0\x01n"[..]));
        // One more than the statement has: an attribute.
        assert_eq!(Execute::parse(&bound, 1, true), Ok(None));
        // Counted without having been negotiated, and the other way round.
        assert_eq!(Execute::parse(&bound, 2, false), Ok(None));
        assert_eq!(Execute::parse(&with(b"\x00\x00"), 1, true), Ok(None));
    }

    #[test]
    fn without_parameters_nothing_is_expected() {
        let check = |payload: &[u8], attributes| {
            let read = Execute::parse(payload, 0, attributes).unwrap().unwrap();
            assert!(!read.wants_types() && !read.cursor);
        };
        check(HEAD, false);
        check(HEAD, true);
        check(b"\x17\x07\0\0\0\x08\x01\0\0\0\x00", true);
        assert!(Execute::parse(b"\x17\x07\0\0\0\x01\x01\0\0\0", 0, false).unwrap().unwrap().cursor);
        assert!(Execute::parse(&HEAD[..9], 0, false).is_err());
        assert!(Execute::parse(&with(b"\x00\x02"), 1, false).is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_put_together_again(
            payload in proptest::collection::vec(any::<u8>(), 0..64), parameters in 0u16..12, attributes: bool,
        ) {
            if let Ok(Some(read)) = Execute::parse(&payload, parameters, attributes) {
                match read.types {
                    Some(types) => {
                        let from = read.new_types + 1;
                        prop_assert_eq!(&payload[from..from + types.len()], types);
                    }
                    None if read.wants_types() => {
                        let types = vec![0; usize::from(parameters) * if attributes { 3 } else { 2 }];
                        let typed = with_types(&payload, read, &types);
                        let again = Execute::parse(&typed, parameters, attributes).unwrap().unwrap();
                        prop_assert_eq!(again.types, Some(&types[..]));
                        prop_assert_eq!(again.new_types, read.new_types);
                    }
                    None => prop_assert_eq!(parameters, 0),
                }
            }
        }
    }
}
