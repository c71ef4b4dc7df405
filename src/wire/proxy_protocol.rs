//! The PROXY protocol, versions 1 and 2: a proxy says for whom it speaks before it says anything else.
//!
//! Source: HAProxy's `doc/proxy-protocol.txt`, "The PROXY protocol, Versions 1 & 2".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::cursor::{Cursor, Malformed};

/// Whom a header speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// The sender itself, as in a health check, or somebody whose address it does not tell: the address of
    /// the connection counts.
    Itself,
    /// A client elsewhere. An IPv4 address is never in its IPv6 form here.
    Client(SocketAddr),
}

/// How far the reading of a header has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// What has come is not the beginning of a header.
    Absent,
    /// At least so many bytes are wanted. All of them belong to the header, if it is one, and to the four bytes
    /// that every packet has, if it is none.
    Needs(usize),
    /// The header is there.
    Whole {
        /// Its length in bytes.
        len: usize,
        /// What it says.
        announced: Announced,
    },
}

/// The longest header of version 1, its line end included.
const LONGEST_V1: usize = 107;

/// The longest header of version 2 that is read. Addresses take 216 bytes at most; the rest is for what is
/// skipped, such as the names in a client's certificate.
const LONGEST_V2: usize = 4096;

const V1: &[u8] = b"PROXY ";
const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// `PROXY UNKNOWN` and the line end.
const SHORTEST_V1: usize = 15;

/// Signature, version and command, family, length.
const V2_HEAD: usize = 16;

/// After so many bytes it is certain whether a header or a login begins: the fourth byte of a client's first
/// packet is its number, 1.
const DECIDED: usize = 4;

const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;

/// Families and transports. Datagrams carry no logins, so they are refused with everything reserved.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

/// PP2_TYPE_CRC32C.
const CHECKSUM: u8 = 0x03;

/// Reads the header at the front of `bytes`, as far as it has come.
///
/// # Errors
/// Something begins like a header and is none.
pub fn read(bytes: &[u8]) -> Result<Progress, Malformed> {
    let begins = |signature: &[u8]| bytes.iter().zip(signature).take(DECIDED).all(|(a, b)| a == b);
    match (begins(V1), begins(V2)) {
        (false, false) => Ok(Progress::Absent),
        _ if bytes.len() < DECIDED => Ok(Progress::Needs(DECIDED)),
        (true, _) => read_v1(bytes),
        (false, true) => read_v2(bytes),
    }
}

fn read_v1(bytes: &[u8]) -> Result<Progress, Malformed> {
    if bytes.len() < SHORTEST_V1 {
        return Ok(Progress::Needs(SHORTEST_V1));
    }
    let too_long = Malformed::new("PROXY header (its line does not end)");
    let Some(end) = memchr::memchr(b'\r', bytes) else {
        let wanted = bytes.len() + 2;
        return if wanted <= LONGEST_V1 { Ok(Progress::Needs(wanted)) } else { Err(too_long) };
    };
    let len = end + 2;
    if len > LONGEST_V1 {
        return Err(too_long);
    }
    let (line, rest) = bytes.split_at_checked(end).ok_or(too_long)?;
    match rest.get(1) {
        None => Ok(Progress::Needs(len)),
        Some(b'\n') => {
            let line = line.strip_prefix(V1).and_then(|line| std::str::from_utf8(line).ok());
            let announced = line.and_then(announced_v1).ok_or(Malformed::new("PROXY header"))?;
            Ok(Progress::Whole { len, announced })
        }
        Some(_) => Err(Malformed::new("PROXY header (its line ends in the middle)")),
    }
}

/// `TCP4 SOURCE DESTINATION PORT PORT`, the same with TCP6, or `UNKNOWN` and whatever follows.
fn announced_v1(line: &str) -> Option<Announced> {
    let mut words = line.split(' ');
    let address: fn(&str) -> Option<IpAddr> = match words.next()? {
        "UNKNOWN" => return Some(Announced::Itself),
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let (source, _destination) = (address(words.next()?)?, address(words.next()?)?);
    let (source_port, _destination_port) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then(|| client(source, source_port))
}

/// Digits without a sign or a leading zero.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

fn read_v2(bytes: &[u8]) -> Result<Progress, Malformed> {
    let mut cursor = Cursor::new(bytes);
    if bytes.len() < V2_HEAD {
        return Ok(Progress::Needs(V2_HEAD));
    }
    if cursor.take(V2.len(), "PROXY signature")? != V2 {
        return Err(Malformed::new("PROXY signature"));
    }
    let (command, family) = (cursor.u8("PROXY version")?, cursor.u8("PROXY family")?);
    let len = V2_HEAD + usize::from(u16::from_be(cursor.u16("PROXY length")?));
    if len > LONGEST_V2 {
        return Err(Malformed::new("PROXY length (longer than any header needs to be)"));
    }
    let Some(header) = bytes.get(..len) else { return Ok(Progress::Needs(len)) };
    let announced = match command {
        // All of the rest is to be ignored.
        V2_LOCAL => Announced::Itself,
        V2_PROXY => announced_v2(header, family)?,
        _ => return Err(Malformed::new("PROXY version or command")),
    };
    Ok(Progress::Whole { len, announced })
}

fn announced_v2(header: &[u8], family: u8) -> Result<Announced, Malformed> {
    let mut cursor = Cursor::new(header);
    cursor.take(V2_HEAD, "PROXY header")?;
    let announced = match family {
        UNSPECIFIED => return Ok(Announced::Itself),
        TCP4 => {
            let source: [u8; 4] = array(&mut cursor)?;
            cursor.take(4, "PROXY destination")?;
            with_ports(&mut cursor, source.into())?
        }
        TCP6 => {
            let source: [u8; 16] = array(&mut cursor)?;
            cursor.take(16, "PROXY destination")?;
            with_ports(&mut cursor, source.into())?
        }
        UNIX_STREAM => {
            // A path at the proxy's machine: the client is there.
            cursor.take(216, "PROXY paths")?;
            Announced::Itself
        }
        _ => return Err(Malformed::new("PROXY family or transport")),
    };
    while !cursor.is_empty() {
        let kind = cursor.u8("PROXY extension")?;
        let len = u16::from_be(cursor.u16("length of a PROXY extension")?);
        let value = cursor.take(usize::from(len), "PROXY extension")?;
        if kind == CHECKSUM {
            check(header, value, cursor.rest())?;
        }
    }
    Ok(announced)
}

fn array<const N: usize>(cursor: &mut Cursor<'_>) -> Result<[u8; N], Malformed> {
    let field = "PROXY source";
    cursor.take(N, field)?.try_into().map_err(|_| Malformed::new(field))
}

fn with_ports(cursor: &mut Cursor<'_>, source: IpAddr) -> Result<Announced, Malformed> {
    let port = u16::from_be(cursor.u16("PROXY source port")?);
    cursor.u16("PROXY destination port")?;
    Ok(client(source, port))
}

fn client(address: IpAddr, port: u16) -> Announced {
    Announced::Client(SocketAddr::new(address.to_canonical(), port))
}

/// Compares the checksum with the header, where the checksum itself counts as zeros.
fn check(header: &[u8], checksum: &[u8], behind: &[u8]) -> Result<(), Malformed> {
    let wrong = Malformed::new("PROXY checksum");
    let before = header.len().checked_sub(behind.len() + checksum.len());
    let before = before.and_then(|end| header.get(..end)).ok_or(wrong)?;
    let right = crc32c([before, &[0; 4], behind].into_iter().flatten());
    if checksum == right.to_be_bytes() { Ok(()) } else { Err(wrong) }
}

/// RFC 3720, appendix B.4. Bit by bit: headers are short, and few have a checksum.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carry = if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            crc >> 1 ^ carry
        })
    })
}

/// A header of version 2. It names no destination: where the client connected to is nothing that a server
/// makes use of.
#[must_use]
pub fn header(announced: Announced) -> Vec<u8> {
    let mut out = V2.to_vec();
    match announced {
        Announced::Itself => out.extend_from_slice(&[V2_LOCAL, UNSPECIFIED, 0, 0]),
        Announced::Client(client) => {
            match client.ip().to_canonical() {
                IpAddr::V4(source) => {
                    out.extend_from_slice(&[V2_PROXY, TCP4, 0, 12]);
                    out.extend_from_slice(&source.octets());
                    out.extend_from_slice(&Ipv4Addr::UNSPECIFIED.octets());
                }
                IpAddr::V6(source) => {
                    out.extend_from_slice(&[V2_PROXY, TCP6, 0, 36]);
                    out.extend_from_slice(&source.octets());
                    out.extend_from_slice(&Ipv6Addr::UNSPECIFIED.octets());
                }
            }
            out.extend_from_slice(&client.port().to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Option<Announced> {
        match read(bytes) {
            Ok(Progress::Whole { len, announced }) if len == bytes.len() => Some(announced),
            _ => None,
        }
    }

    fn at(text: &str) -> Option<Announced> {
        Some(Announced::Client(text.parse().unwrap()))
    }

    /// A header of version 2 with these fields.
    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2.as_slice(), &[command, family], &len, body].concat()
    }

    const ADDRESSES: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0xD4, 0x31, 0x0C, 0xEA];

    #[test]
    fn version_1_is_read() {
        let check = |line: &str, expected| assert_eq!(whole(line.as_bytes()), expected, "{line:?}");
        check("PROXY TCP4 192.0.2.1 198.51.100.1 54321 3306\r\n", at("192.0.2.1:54321"));
        check("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", at("[2001:db8::1]:0"));
        check("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", at("192.0.2.1:1"));
        check("PROXY UNKNOWN\r\n", Some(Announced::Itself));
        check("PROXY UNKNOWN ffff::1 what ever\r\n", Some(Announced::Itself));
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        check(&format!("PROXY UNKNOWN {longest} {longest} 65535 65535\r\n"), Some(Announced::Itself));
        for bad in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 54321\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 54321 3306 \r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 54321 3306\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 054321 3306\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +54321 3306\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 54321 65536\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.1 54321 3306\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY UNKNOWN\rx",
            "PROX! UNKNOWN\r\n",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(LONGEST_V1));
        assert!(read(endless.as_bytes()).is_err());
        assert!(read(format!("{endless}\r\n").as_bytes()).is_err());
    }

    #[test]
    fn version_2_is_read() {
        let check = |bytes: &[u8], expected| assert_eq!(whole(bytes), expected, "{bytes:?}");
        check(&v2(V2_PROXY, TCP4, ADDRESSES), at("192.0.2.1:54321"));
        let mut six = [0; 36];
        (six[0], six[1], six[15], six[33]) = (0x20, 0x01, 9, 7);
        check(&v2(V2_PROXY, TCP6, &six), at("[2001::9]:7"));
        check(&v2(V2_PROXY, UNIX_STREAM, &[b'/'; 216]), Some(Announced::Itself));
        check(&v2(V2_PROXY, UNSPECIFIED, b"what ever"), Some(Announced::Itself));
        // A health check, whatever addresses it gives.
        check(&v2(V2_LOCAL, TCP4, ADDRESSES), Some(Announced::Itself));
        check(&v2(V2_LOCAL, UNSPECIFIED, &[]), Some(Announced::Itself));
        // Extensions are skipped: NOOP, and the endpoint of a private link.
        check(
            &v2(V2_PROXY, TCP4, &[ADDRESSES, &[4, 0, 2, 0, 0, 0xEA, 0, 1, 1]].concat()),
            at("192.0.2.1:54321"),
        );
        for (command, family, body) in [
            (0x11, TCP4, ADDRESSES),
            (0x22, TCP4, ADDRESSES),
            (V2_PROXY, 0x12, ADDRESSES),
            (V2_PROXY, 0x41, ADDRESSES),
            (V2_PROXY, TCP4, &ADDRESSES[1..]),
            (V2_PROXY, TCP6, ADDRESSES),
            (V2_PROXY, UNIX_STREAM, ADDRESSES),
            (V2_PROXY, TCP4, &[ADDRESSES, &[4, 0]].concat()),
            (V2_PROXY, TCP4, &[ADDRESSES, &[4, 0, 2, 0]].concat()),
            (V2_PROXY, TCP4, &[ADDRESSES, &[0; LONGEST_V2]].concat()),
        ] {
            assert!(read(&v2(command, family, body)).is_err(), "{command} {family} {body:?}");
        }
        assert!(read(b"\r\n\r\n\0\r\nQUIT\r\x21\x11\0\0").is_err());
    }

    #[test]
    fn a_checksum_is_compared() {
        assert_eq!(crc32c(b"123456789".iter()), 0xE306_9283, "the check value of CRC-32C");
        let with = |checksum: [u8; 4]| {
            let extensions = [&[4, 0, 1, 9, CHECKSUM, 0, 4], checksum.as_slice(), &[4, 0, 1, 9]].concat();
            v2(V2_PROXY, TCP4, &[ADDRESSES, &extensions].concat())
        };
        let right = crc32c(with([0; 4]).iter()).to_be_bytes();
        assert_eq!(whole(&with(right)), at("192.0.2.1:54321"));
        assert!(read(&with([0; 4])).is_err());
        assert!(read(&v2(V2_PROXY, TCP4, &[ADDRESSES, &[CHECKSUM, 0, 1, 9]].concat())).is_err());
    }

    #[test]
    fn a_login_is_no_header() {
        for len in 0..=255 {
            assert_eq!(read(&[len, 0, 0, 1]), Ok(Progress::Absent));
        }
        assert_eq!(read(b"P"), Ok(Progress::Needs(4)));
        assert_eq!(read(b"\r\n"), Ok(Progress::Needs(4)));
        assert_eq!(read(&[]), Ok(Progress::Needs(4)));
    }

    proptest! {
        #[test]
        fn headers_round_trip(address: IpAddr, port: u16) {
            let announced = client(address, port);
            prop_assert_eq!(whole(&header(announced)), Some(announced));
            prop_assert_eq!(whole(&header(Announced::Itself)), Some(Announced::Itself));
        }

        /// However a header arrives, nothing behind it is ever asked for.
        #[test]
        fn not_a_byte_more_is_wanted(address: IpAddr, port: u16, text: bool, behind: Vec<u8>) {
            let version = if address.is_ipv4() { 4 } else { 6 };
            let line = format!("PROXY TCP{version} {address} {address} {port} 3306\r\n");
            let header = if text { line.into_bytes() } else { header(client(address, port)) };
            let stream = [header.as_slice(), &behind].concat();
            let mut have = 0;
            loop {
                match read(&stream[..have]).unwrap() {
                    Progress::Needs(n) => {
                        prop_assert!(have < n && n <= header.len(), "{n} of {} after {have}", header.len());
                        have = n;
                    }
                    Progress::Whole { len, announced } => {
                        prop_assert_eq!((len, have, announced), (header.len(), header.len(), client(address, port)));
                        break;
                    }
                    Progress::Absent => prop_assert!(false, "it is a header"),
                }
            }
            // What stands behind it changes nothing.
            prop_assert_eq!(read(&stream), read(&header));
        }

        #[test]
        fn reading_is_total(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = read(&[V1, &bytes].concat());
            let _ = read(&[V2.as_slice(), &bytes].concat());
        }
    }
}
