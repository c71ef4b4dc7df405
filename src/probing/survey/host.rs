//! Host parts of accounts.

use std::net::IpAddr;

/// Whether an account's host part matches a connection that comes from `seen`, its host name or address.
///
/// Source: MySQL's manual, "Specifying Account Names": a pattern of LIKE, or an IPv4 address and a netmask.
#[must_use]
pub(super) fn matches(pattern: &str, seen: &str) -> bool {
    if let Some((network, mask)) = pattern.split_once('/') {
        return in_network(network, mask, seen).unwrap_or(false);
    }
    // An empty host part is every host, as % is.
    pattern.is_empty() || like(pattern.to_ascii_lowercase().as_bytes(), seen.to_ascii_lowercase().as_bytes())
}

/// Whether every host matches.
#[must_use]
pub(super) fn is_everywhere(pattern: &str) -> bool {
    pattern.is_empty() || pattern.bytes().all(|byte| byte == b'%')
}

fn in_network(network: &str, mask: &str, seen: &str) -> Option<bool> {
    let (network, seen): (IpAddr, IpAddr) = (network.parse().ok()?, seen.parse().ok()?);
    match (network, seen) {
        (IpAddr::V4(network), IpAddr::V4(seen)) => {
            let mask = match mask.parse::<u32>() {
                Ok(length @ 1..=32) => u32::MAX << (32 - length),
                Ok(_) => return None,
                Err(_) => mask.parse::<std::net::Ipv4Addr>().ok()?.to_bits(),
            };
            Some(seen.to_bits() & mask == network.to_bits())
        }
        (IpAddr::V6(network), IpAddr::V6(seen)) => {
            let length: u32 = mask.parse().ok().filter(|length| (1..=128).contains(length))?;
            Some(seen.to_bits() & (u128::MAX << (128 - length)) == network.to_bits())
        }
        _ => Some(false),
    }
}

/// SQL's LIKE, in time that grows with the product of the lengths.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when the last % has to take one byte more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, text) {
            ([], []) => return true,
            ([b'%', rest @ ..], _) => {
                again = Some((rest, text));
                pattern = rest;
            }
            ([b'\\', literal, rest @ ..], [byte, after @ ..]) if literal == byte => {
                (pattern, text) = (rest, after);
            }
            ([b'_', rest @ ..], [_, after @ ..]) => (pattern, text) = (rest, after),
            ([wanted, rest @ ..], [byte, after @ ..]) if wanted == byte && *wanted != b'\\' => {
                (pattern, text) = (rest, after);
            }
            _ => match again {
                Some((rest, [_, after @ ..])) => {
                    again = Some((rest, after));
                    (pattern, text) = (rest, after);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_parts_match_as_the_manual_says() {
        let check = |pattern: &str, seen: &str, expected| {
            assert_eq!(matches(pattern, seen), expected, "{pattern} {seen}");
        };
        check("%", "10.1.2.3", true);
        check("", "10.1.2.3", true);
        check("localhost", "localhost", true);
        check("LOCALHOST", "localhost", true);
        check("localhost", "10.1.2.3", false);
        check("10.1.%", "10.1.2.3", true);
        check("10.1.%", "10.11.2.3", false);
        check("10.1.2._", "10.1.2.3", true);
        check("10.1.2._", "10.1.2.30", false);
        check("%.example.net", "db.example.net", true);
        check("%.example.net", "example.net", false);
        check("a\\_b", "a_b", true);
        check("a\\_b", "axb", false);
        check("%%a%b%", "xxaxxbxx", true);
        check("10.1.0.0/255.255.0.0", "10.1.2.3", true);
        check("10.1.0.0/255.255.0.0", "10.2.2.3", false);
        check("10.1.0.0/16", "10.1.2.3", true);
        check("10.1.0.0/33", "10.1.2.3", false);
        check("10.1.0.0/0", "10.1.2.3", false);
        check("10.1.0.0/255.255.0.0", "db.example.net", false);
        check("2001:db8::/32", "2001:db8::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("2001:db8::/32", "10.1.2.3", false);
        assert!(is_everywhere("%") && is_everywhere("") && !is_everywhere("%.x"));
    }
}
