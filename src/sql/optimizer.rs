//! Optimizer hints, `/*+ … */`.

/// Whether a hint only tells the server how to run the statement, and not what it means.
///
/// SET_VAR and RESOURCE_GROUP do more. What is not on the list, or is quoted, may do anything.
pub(super) fn only_steers(hint: &[u8]) -> bool {
    let Some(mut rest) = hint.strip_prefix(b"/*+").and_then(|rest| rest.strip_suffix(b"*/")) else {
        return false;
    };
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return true;
        }
        let end = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
        let Some((name, after)) = rest.split_at_checked(end) else { return false };
        let known = HARMLESS.split(' ').any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        let after = after.trim_ascii_start().strip_prefix(b"(");
        let Some((inside, after)) = after.and_then(closed) else { return false };
        if !known || inside.iter().any(|byte| !is_argument(*byte)) {
            return false;
        }
        rest = after;
    }
}

/// What stands before the closing parenthesis, and after it.
fn closed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b')')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_argument(byte: u8) -> bool {
    is_name(byte) || byte.is_ascii_whitespace() || matches!(byte, b'@' | b',' | b'.' | b'$')
}

const HARMLESS: &str = "\
    BKA NO_BKA BNL NO_BNL DERIVED_CONDITION_PUSHDOWN NO_DERIVED_CONDITION_PUSHDOWN GROUP_INDEX \
    NO_GROUP_INDEX HASH_JOIN NO_HASH_JOIN INDEX NO_INDEX INDEX_MERGE NO_INDEX_MERGE JOIN_FIXED_ORDER \
    JOIN_INDEX NO_JOIN_INDEX JOIN_ORDER JOIN_PREFIX JOIN_SUFFIX MAX_EXECUTION_TIME MERGE NO_MERGE MRR NO_MRR \
    NO_ICP NO_RANGE_OPTIMIZATION ORDER_INDEX NO_ORDER_INDEX QB_NAME SEMIJOIN NO_SEMIJOIN SKIP_SCAN \
    NO_SKIP_SCAN SUBQUERY";
