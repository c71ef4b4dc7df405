//! Writes the protocol's field types.

/// Appends an int<lenenc>.
pub fn put_lenenc(out: &mut Vec<u8>, n: u64) {
    let bytes = n.to_le_bytes();
    let (marker, len) = match n {
        0..=0xFA => (None, 1),
        0xFB..=0xFFFF => (Some(0xFC), 2),
        0x1_0000..=0xFF_FFFF => (Some(0xFD), 3),
        _ => (Some(0xFE), 8),
    };
    out.extend(marker);
    out.extend_from_slice(bytes.get(..len).unwrap_or(&bytes));
}

/// Appends a string<lenenc>.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a string<NUL>. A NUL inside would end it early, so what follows one is left out.
pub fn put_nul_terminated(out: &mut Vec<u8>, bytes: &[u8]) {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    out.extend_from_slice(bytes.get(..end).unwrap_or(bytes));
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lenenc_reads_back(n: u64, tail: Vec<u8>) {
            let mut out = Vec::new();
            put_lenenc(&mut out, n);
            put_lenenc_bytes(&mut out, &tail);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.lenenc("n"), Ok(n));
            prop_assert_eq!(cursor.lenenc_bytes("tail"), Ok(&tail[..]));
            prop_assert!(cursor.is_empty());
        }
    }
}
