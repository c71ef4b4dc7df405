use bytes::{Buf, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::wire::capabilities::Capabilities;

const ZLIB: Algorithm = Algorithm::Zlib;
const ZSTD: Algorithm = Algorithm::Zstd { level: 3 };

fn pack(algorithm: Algorithm, bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    Compression::new(algorithm).pack(bytes, &mut Workspace::default(), &mut out);
    out
}

/// Unpacks what comes in `chunks` as it comes; what is left over has not come whole.
fn unpack<'a>(
    algorithm: Algorithm,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(BytesMut, BytesMut), Broken> {
    let (mut compression, mut workspace) = (Compression::new(algorithm), Workspace::default());
    let (mut packed, mut out) = (BytesMut::new(), BytesMut::new());
    for chunk in chunks {
        packed.extend_from_slice(chunk);
        while let Some(used) = compression.unpack(&packed, &mut workspace, &mut out)? {
            packed.advance(used);
        }
    }
    Ok((out, packed))
}

/// A header and what follows it.
fn packet(seq: u8, unpacked: usize, payload: &[u8]) -> Vec<u8> {
    [&Header { len: payload.len(), seq, unpacked }.bytes()[..], payload].concat()
}

#[test]
fn headers_round_trip() {
    let header = Header { len: 0x01_02_03, seq: 9, unpacked: 0x04_05_06 };
    assert_eq!(header.bytes(), [3, 2, 1, 9, 6, 5, 4]);
    assert_eq!(Header::read(&header.bytes()), Some(header));
    assert_eq!(Header::read(&[0; 6]), None);
}

#[test]
fn commands_of_clients_are_read() {
    let golden = "golden ".repeat(9);
    // With no query attributes, as the mysql command line of 9.7.4 sends it.
    let expected = [b"\x4a\0\0\0\x03\0\x01SELECT \"", golden.trim_end().as_bytes(), b"\""].concat();
    for (algorithm, sent) in [
        (ZLIB, "210000004e0000785ef36260606066600c76f571750e51504acfcf4949cd53209352020094a119b4"),
        (
            ZSTD,
            "270000004e000028b52ffd204ef50000b84a00000003000153454c4543542022676f6c64656e20220100a8b33401",
        ),
    ] {
        let (out, left) = unpack(algorithm, [&hex(sent)[..]]).unwrap();
        assert_eq!((&out[..], left.is_empty()), (&expected[..], true));
    }
}

/// A client's view of what servers answer to `SELECT REPEAT("ab", 40)`.
#[test]
fn replies_of_servers_are_read() {
    let check = |algorithm, sent: &str, decimals: u8| {
        let (mut compression, mut workspace) = (Compression::new(algorithm), Workspace::default());
        // The command that they answer, number 0.
        compression.pack(b"\x0C\0\0\0\x03SELECT ...", &mut workspace, &mut BytesMut::new());
        let sent = hex(sent);
        let mut out = BytesMut::new();
        assert_eq!(compression.unpack(&sent, &mut workspace, &mut out), Ok(Some(sent.len())));
        let expected = [
            b"\x01\0\0\x01\x01\x26\0\0\x02\x03def\0\0\0\x10REPEAT(\"ab\", 40)\0\x0c\x2d\0\x40\x01\0\0\xfd\0\0",
            &[decimals, 0, 0][..],
            b"\x51\0\0\x03\x50",
            &b"ab".repeat(40),
            b"\x07\0\0\x04\xfe\0\0\x02\0\0\0",
        ];
        assert_eq!(out, expected.concat());
    };
    let mysql_zlib = "490000018f0000789c636460606454636060624e494d6360601008720d70750cd1504a4c52d2513031d064e0\
                      d16570606460f8cbc020cfc010c8c0c01c9098445dc8cec0c0f20fe804a0f5008a5326f4";
    let mysql_zstd = "520000018f000028b52ffd208f4d02001404010000010126000002036465660000001052455045415428226162\
                      222c20343029000c2d0040010000fd00001f00005100000350616207000004fe0000020000000100b6a10e0a";
    let mariadb = "490000018f0000789c636460606454636060624e494d6360601008720d70750cd1504a4c52d2513031d064e0\
                   d16570606460f8cbc0a0cec010c8c0c01c9098445dc8cec0c0f20fe804a0f5008d6b26fc";
    // MySQL 9.7.4 and MariaDB 10.11.19, which differ in the decimals of a string.
    check(ZLIB, mysql_zlib, 0x1F);
    check(ZSTD, mysql_zstd, 0x1F);
    check(ZLIB, mariadb, 0x27);
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn what_does_not_become_shorter_is_sent_as_it_is() {
    let check = |bytes: &[u8], packed: bool| {
        for algorithm in [ZLIB, ZSTD] {
            let out = pack(algorithm, bytes);
            let header = Header::read(&out).unwrap();
            assert_eq!(header.unpacked, if packed { bytes.len() } else { 0 }, "{algorithm:?}");
            assert_eq!(out.len(), HEADER + header.len);
            assert!(packed || out.ends_with(bytes));
        }
    };
    check(&[7; SHORTEST - 1], false);
    check(&[7; SHORTEST], true);
    let mut x = 1_u32;
    let noise = std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    });
    check(&Iterator::take(noise, 2000).collect::<Vec<_>>(), false);
}

#[test]
fn nothing_is_no_packet_and_an_empty_packet_is_nothing() {
    assert!(pack(ZLIB, b"").is_empty());
    let sent = [packet(0, 0, b""), packet(1, 0, b"x")].concat();
    let (out, left) = unpack(ZSTD, [&sent[..]]).unwrap();
    assert_eq!((&out[..], &left[..]), (&b"x"[..], &b""[..]));
}

/// Three bytes of length are too few for a packet of 16 MiB and its header.
#[test]
fn what_is_too_long_for_one_packet_gets_two() {
    let bytes = vec![5; MAX_PAYLOAD + 4];
    for algorithm in [ZLIB, ZSTD] {
        let out = pack(algorithm, &bytes);
        let first = Header::read(&out).unwrap();
        assert_eq!((first.seq, first.unpacked), (0, MAX_PAYLOAD));
        let second = Header::read(&out[HEADER + first.len..]).unwrap();
        assert_eq!((second.len, second.seq, second.unpacked), (4, 1, 0));
        assert_eq!(unpack(algorithm, [&out[..]]).unwrap().0, bytes);
    }
}

#[test]
fn one_count_for_both_directions_begins_anew_with_each_command() {
    let (mut compression, mut workspace) = (Compression::new(ZLIB), Workspace::default());
    let mut receive = |compression: &mut Compression, seq| {
        compression.unpack(&packet(seq, 0, b"x"), &mut workspace, &mut BytesMut::new()).is_ok()
    };
    let send = |compression: &mut Compression| {
        let mut out = BytesMut::new();
        compression.pack(b"y", &mut Workspace::default(), &mut out);
        Header::read(&out).unwrap().seq
    };
    // A command of two packets and its reply.
    assert!(receive(&mut compression, 0) && receive(&mut compression, 1));
    assert_eq!([send(&mut compression), send(&mut compression)], [2, 3]);
    // A file that the reply asked for.
    assert!(receive(&mut compression, 4));
    assert_eq!(send(&mut compression), 5);
    assert!(!receive(&mut compression, 0), "not before the next command");
    compression.next_command();
    // The last word before a command is one more of the reply before.
    assert_eq!(send(&mut compression.clone()), 6);
    assert!(!receive(&mut compression, 6) && receive(&mut compression, 0));
    assert_eq!(send(&mut compression), 1);
}

#[test]
fn the_count_wraps() {
    let sent: Vec<u8> = (0..=255).cycle().take(300).flat_map(|seq| packet(seq, 0, b"x")).collect();
    assert_eq!(unpack(ZLIB, [&sent[..]]).unwrap().0.len(), 300);
}

#[test]
fn lies_are_found_out() {
    let bytes = [7; 1000];
    for algorithm in [ZLIB, ZSTD] {
        let whole = pack(algorithm, &bytes)[HEADER..].to_vec();
        let check = |what: &str, unpacked, payload: &[u8], expected| {
            let found = unpack(algorithm, [&packet(0, unpacked, payload)[..]]).map(|(out, _)| out.len());
            assert_eq!(found, expected, "{algorithm:?}: {what}");
        };
        check("the truth", 1000, &whole, Ok(1000));
        check("more than announced", 999, &whole, Err(Broken::Stream));
        check("one byte where there are many", 1, &whole, Err(Broken::Stream));
        check("less than announced", 1001, &whole, Err(Broken::Stream));
        check("cut", 1000, &whole[..whole.len() - 1], Err(Broken::Stream));
        check("garbage behind", 1000, &[&whole[..], b"!"].concat(), Err(Broken::Stream));
        check("twice", 2000, &[&whole[..], &whole[..]].concat(), Err(Broken::Stream));
        check("garbage", 1000, &[0xA5; 200], Err(Broken::Stream));
        let nothing = Broken::Promise { len: 0, promised: 1 };
        check("of nothing", 1, b"", Err(nothing));
        let much = Broken::Promise { len: 9, promised: MAX_PAYLOAD };
        check("more than any stream holds", MAX_PAYLOAD, &[0; 9], Err(much));
    }
    let crossed = pack(ZSTD, &bytes)[HEADER..].to_vec();
    assert_eq!(unpack(ZLIB, [&packet(0, 1000, &crossed)[..]]).unwrap_err(), Broken::Stream);
}

/// A peer that is out of step or lies is told before its packet has come.
#[test]
fn headers_are_looked_at_first() {
    let check = |header: Header, expected| {
        assert_eq!(unpack(ZLIB, [&header.bytes()[..]]).map(|_| ()), expected, "{header:?}");
    };
    let (len, unpacked) = (MAX_PAYLOAD, MAX_PAYLOAD);
    check(Header { len, seq: 0, unpacked }, Ok(()));
    check(Header { len, seq: 3, unpacked }, Err(Broken::OutOfOrder { expected: 0, found: 3 }));
    let promise = Broken::Promise { len: 100, promised: MAX_PAYLOAD };
    check(Header { len: 100, seq: 0, unpacked }, Err(promise));
}

/// Formats of zstd before 1.0 are in the library where another crate wants them there.
#[test]
fn old_formats_are_not_read() {
    for magic in 0x1E_u8..=0x27 {
        let frame = [&[magic, 0xB5, 0x2F, 0xFD], &[0; 60][..]].concat();
        assert_eq!(unpack(ZSTD, [&packet(0, 100, &frame)[..]]).unwrap_err(), Broken::Stream);
    }
}

/// The most that can be made of the fewest bytes comes through, so that what is refused is impossible.
#[test]
fn the_densest_streams_are_within_the_bounds() {
    for algorithm in [ZLIB, Algorithm::Zstd { level: 22 }] {
        let out = pack(algorithm, &vec![0; MAX_PAYLOAD]);
        assert!(out.len() < 20_000, "{}", out.len());
        assert_eq!(unpack(algorithm, [&out[..]]).unwrap().0.len(), MAX_PAYLOAD);
    }
}

#[test]
fn zlib_comes_first_where_a_client_sets_both_flags() {
    let both = Capabilities::COMPRESS | Capabilities::ZSTD;
    let check = |flags, level, expected| assert_eq!(Algorithm::chosen(flags, level), expected);
    check(both, 9, Ok(Some(ZLIB)));
    check(both, 0, Ok(Some(ZLIB)));
    check(Capabilities::COMPRESS, 0, Ok(Some(ZLIB)));
    check(Capabilities::BACKEND, 0, Ok(None));
    for level in [1, 3, 22] {
        check(Capabilities::ZSTD, level, Ok(Some(Algorithm::Zstd { level })));
    }
    for level in [0, 23, 255] {
        check(Capabilities::ZSTD, level, Err(NoSuchLevel { level }));
    }
    // Connections of clients with and without compression are the same to the servers.
    assert_eq!((both & Capabilities::MEANINGFUL).0, 0);
}

#[test]
fn packets_inside_follow_the_count_outside() {
    let (mut compression, mut workspace) = (Compression::new(ZLIB), Workspace::default());
    let mut sent = BytesMut::new();
    let command = [packet(0, 0, b"a"), packet(1, 0, b"b")];
    for packet in &command {
        compression.unpack(packet, &mut workspace, &mut BytesMut::new()).unwrap();
    }
    assert_eq!(compression.number_inside(), Some(2));
    compression.pack(b"reply", &mut workspace, &mut sent);
    assert_eq!(compression.number_inside(), Some(3));
    // A command that came in one packet with the one before has no number of its own, until it is answered.
    compression.next_command();
    assert_eq!(compression.number_inside(), None);
    compression.pack(b"reply", &mut workspace, &mut sent);
    assert_eq!(compression.number_inside(), Some(4));
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(ZLIB), (1_u8..=22).prop_map(|level| Algorithm::Zstd { level })]
}

/// Bytes with and without repetitions.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..3000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, n)| vec![byte; n]),
        proptest::collection::vec(0_u8..4, 0..3000),
    ]
}

proptest! {
    #[test]
    fn packets_round_trip_in_any_chunks(
        algorithm in algorithms(),
        pieces in proptest::collection::vec(contents(), 1..4),
        size in 1..5000_usize,
    ) {
        let (mut compression, mut workspace) = (Compression::new(algorithm), Workspace::default());
        let mut sent = BytesMut::new();
        for piece in &pieces {
            compression.pack(piece, &mut workspace, &mut sent);
        }
        let (out, left) = unpack(algorithm, sent.chunks(size)).unwrap();
        prop_assert!(left.is_empty());
        prop_assert_eq!(&out[..], &pieces.concat()[..]);
    }

    #[test]
    fn what_came_before_a_lie_stays(
        algorithm in algorithms(),
        content in contents(),
        garbage in proptest::collection::vec(any::<u8>(), 1..300),
        unpacked in 1..10_000_usize,
    ) {
        let (mut compression, mut workspace) = (Compression::new(algorithm), Workspace::default());
        let mut out = BytesMut::from(&content[..]);
        let found = compression.unpack(&packet(0, unpacked, &garbage), &mut workspace, &mut out);
        let grown = if found.is_ok() { unpacked } else { 0 };
        prop_assert_eq!(out.len(), content.len() + grown);
        prop_assert!(out.starts_with(&content));
    }
}
