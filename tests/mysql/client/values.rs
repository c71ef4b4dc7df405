//! Values of rows, as people can read and compare them.

use std::hash::{DefaultHasher, Hasher};

use headgate::wire::cursor::{Cursor, Malformed};

/// Values longer than this are shown by their beginning, length and hash.
const SHOWN: usize = 160;

/// Bytes in quotes; what is not printable ASCII as `\xNN`.
pub(super) fn quoted(bytes: &[u8]) -> String {
    if bytes.len() > SHOWN {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        return format!("{}... {} bytes, hash {:016x}", quoted(&bytes[..24]), bytes.len(), hasher.finish());
    }
    format!("\"{}\"", bytes.escape_ascii())
}

/// A row of the text protocol.
pub(super) fn text_row(payload: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
    let mut cursor = Cursor::new(payload);
    let row = (0..columns)
        .map(|_| Ok(cursor.nullable_bytes("text value")?.map(<[u8]>::to_vec)))
        .collect::<Result<Vec<_>, Malformed>>()?;
    if cursor.is_empty() { Ok(row) } else { Err(Malformed::new("text row (too long)")) }
}

/// A row of the binary protocol; numbers come out as decimal text, times as they are on the wire.
pub(super) fn binary_row(payload: &[u8], types: &[(u8, bool)]) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
    let mut cursor = Cursor::new(payload);
    cursor.u8("binary row's head")?;
    let nulls = cursor.take((types.len() + 9) / 8, "NULL bitmap")?;
    let row = types
        .iter()
        .enumerate()
        .map(|(i, (kind, unsigned))| {
            let place = i + 2;
            if nulls[place / 8] >> (place % 8) & 1 == 1 {
                return Ok(None);
            }
            binary_value(&mut cursor, *kind, *unsigned).map(Some)
        })
        .collect::<Result<Vec<_>, Malformed>>()?;
    if cursor.is_empty() { Ok(row) } else { Err(Malformed::new("binary row (too long)")) }
}

fn binary_value(cursor: &mut Cursor<'_>, kind: u8, unsigned: bool) -> Result<Vec<u8>, Malformed> {
    let what = "binary value";
    let mut int = |bytes: usize| -> Result<Vec<u8>, Malformed> {
        let mut wide = [0; 8];
        let raw = cursor.take(bytes, what)?;
        wide[..bytes].copy_from_slice(raw);
        let value = u64::from_le_bytes(wide);
        let shift = 64 - 8 * u32::try_from(bytes).unwrap();
        let signed = (value << shift).cast_signed() >> shift;
        Ok(if unsigned { value.to_string() } else { signed.to_string() }.into_bytes())
    };
    match kind {
        0x01 => int(1),
        0x02 | 0x0D => int(2),
        0x03 | 0x09 => int(4),
        0x08 => int(8),
        0x04 => {
            let bits = cursor.u32(what)?;
            Ok(format!("{} (bits {bits:08x})", f32::from_bits(bits)).into_bytes())
        }
        0x05 => {
            let raw = cursor.take(8, what)?;
            let bits = u64::from_le_bytes(raw.try_into().map_err(|_| Malformed::new(what))?);
            Ok(format!("{} (bits {bits:016x})", f64::from_bits(bits)).into_bytes())
        }
        0x07 | 0x0A | 0x0B | 0x0C => {
            let length = cursor.u8(what)?;
            let raw = cursor.take(usize::from(length), what)?;
            Ok(format!("time {raw:02x?}").into_bytes())
        }
        _ => Ok(cursor.lenenc_bytes(what)?.to_vec()),
    }
}
