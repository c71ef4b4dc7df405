//! Compressed streams that are none, that lie, and that are much larger than they look.

use std::io::{Read, Write};
use std::time::Duration;

use headgate::wire::capabilities::Capabilities;
use headgate::wire::compress::{HEADER, Header, MAX_PAYLOAD};
use headgate::wire::frame::put_packet;

use crate::client::{Client, Ended, last_word};
use crate::stage::{GRACE, Stage, becomes};

const BOTH: [Capabilities; 2] = [Capabilities::COMPRESS, Capabilities::ZSTD];

/// A packet as it stands in the stream.
fn packet(seq: u8, unpacked: usize, payload: &[u8]) -> Vec<u8> {
    [&Header { len: payload.len(), seq, unpacked }.bytes()[..], payload].concat()
}

fn compress(flag: Capabilities, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if flag == Capabilities::COMPRESS {
        let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap();
    } else {
        out.reserve(zstd_safe::compress_bound(bytes.len()));
        zstd_safe::compress(&mut out, bytes, 1).unwrap();
    }
    out
}

fn decompress(flag: Capabilities, packed: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    if flag == Capabilities::COMPRESS {
        flate2::read::ZlibDecoder::new(packed).read_to_end(&mut out).unwrap();
    } else {
        zstd_safe::decompress(&mut out, packed).unwrap();
    }
    out
}

/// A command, in a packet of its own.
fn command(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_packet(&mut out, &mut 0, payload);
    out
}

/// How a conversation ended whose stream is compressed.
#[track_caller]
fn ended(client: Client, flag: Capabilities) -> Ended {
    let bytes = client.rest_within(GRACE);
    let mut rest = &bytes[..];
    let mut inner = Vec::new();
    while let Some(header) = Header::read(rest) {
        let payload = &rest[HEADER..HEADER + header.len];
        inner.extend(match header.unpacked {
            0 => payload.to_vec(),
            len => decompress(flag, payload, len),
        });
        rest = &rest[HEADER + header.len..];
    }
    last_word(&inner)
}

#[test]
fn lies_and_garbage_end_with_the_servers_errors() {
    let stage = Stage::new();
    for flag in BOTH {
        let query = command(&[b"\x03SELECT '", &[b'x'; 200][..], b"'"].concat());
        let packed = compress(flag, &query);
        let check = |what: &str, bytes: &[u8], code| {
            let mut client = stage.compressing(flag);
            client.send_raw(bytes);
            assert_eq!(ended(client, flag), Ended::Told(code), "{what}");
        };
        check("less than announced", &packet(0, query.len() + 1, &packed), 1157);
        check("more than announced", &packet(0, query.len() - 1, &packed), 1157);
        check("more than any stream holds", &packet(0, MAX_PAYLOAD, &packed[..20]), 1157);
        check("garbage behind", &packet(0, query.len(), &[&packed[..], b"garbage"].concat()), 1157);
        check("garbage", &packet(0, 1000, &[0xA5; 500]), 1157);
        check("a count that begins at 1", &packet(1, query.len(), &packed), 1156);
        check("a command that is not compressed", &command(b"\x03SELECT 1"), 1157);
        let (first, second) = query.split_at(100);
        let gap = [packet(0, 0, first), packet(2, 0, second)].concat();
        check("a gap in the count", &gap, 1156);
        let again = [packet(0, 0, first), packet(0, 0, second)].concat();
        check("a count that begins again in a command", &again, 1156);
    }
    stage.is_unharmed();
}

/// Packets of 16 MiB that are some bytes on the network, one after the other and from many clients: they cost
/// the memory of those at work, and that is given back.
#[test]
fn bombs_cost_no_more_than_they_may() {
    const CLIENTS: usize = 3;
    const ROUNDS: usize = 4;
    let stage = Stage::new();
    let before = stage.memory();
    for flag in BOTH {
        // Of a command that nobody knows (COM_SLEEP), so that no server has to have it.
        let bomb = command(&vec![0; MAX_PAYLOAD - 4]);
        let bomb = packet(0, bomb.len(), &compress(flag, &bomb));
        assert!(bomb.len() < 20_000);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| stage.compressing(flag)).collect();
        for _ in 0..ROUNDS {
            clients.iter_mut().for_each(|client| client.send_raw(&bomb));
            for client in &mut clients {
                let mut head = [0; HEADER];
                client.stream.read_exact(&mut head).unwrap();
                let mut answer = vec![0; Header::read(&head).unwrap().len];
                client.stream.read_exact(&mut answer).unwrap();
                assert_eq!(&answer[4..7], b"\xFF\x17\x04", "ER_UNKNOWN_COM_ERROR");
            }
            let grown = stage.memory().saturating_sub(before);
            assert!(grown < 100 * 1024, "{CLIENTS} bombs at a time cost {grown} KiB");
        }
    }
    stage.is_unharmed();
    becomes("the memory is given back", || stage.memory() < before + 48 * 1024);
}

/// A result of 200 MB for a client that takes its time.
#[test]
fn a_large_result_streams() {
    let stage = Stage::new();
    for flag in BOTH {
        let mut client = stage.compressing(flag);
        let before = stage.memory();
        let rows = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200) \
                    SELECT REPEAT(CHAR(64 + i % 60), 1000000) FROM n";
        client.send_raw(&packet(0, 0, &command(&[b"\x03", rows.as_bytes()].concat())));
        std::thread::sleep(Duration::from_millis(500));
        let (mut received, mut grown) = (0, 0);
        while received < 200_000_000 {
            let mut head = [0; HEADER];
            client.stream.read_exact(&mut head).unwrap();
            let header = Header::read(&head).unwrap();
            client.stream.read_exact(&mut vec![0; header.len]).unwrap();
            received += if header.unpacked == 0 { header.len } else { header.unpacked };
            grown = grown.max(if header.seq == 0 { stage.memory().saturating_sub(before) } else { 0 });
        }
        assert!(grown < 20 * 1024, "200 MB cost {grown} KiB");
    }
    stage.is_unharmed();
}

/// Headers that promise 16 MiB twice over, and nothing behind them.
#[test]
fn promises_cost_nothing() {
    const CLIENTS: usize = 50;
    let stage = Stage::new();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|at| stage.compressing(BOTH[at % 2])).collect();
    let before = stage.memory();
    let header = Header { len: MAX_PAYLOAD, seq: 0, unpacked: MAX_PAYLOAD };
    for client in &mut clients {
        client.send_raw(&header.bytes());
        client.send_raw(&[0; 1000]);
    }
    // Another client's turn comes after theirs.
    assert_eq!(stage.logged_in().query("SELECT 2"), Ok(Some("2".to_owned())));
    let grown = stage.memory().saturating_sub(before);
    assert!(grown < 10 * 1024, "{CLIENTS} promises cost {grown} KiB");
    drop(clients);
    stage.is_unharmed();
}

/// Packets of nothing are allowed, as many as a client likes.
#[test]
fn empty_packets_do_no_harm() {
    let stage = Stage::new();
    for flag in BOTH {
        let mut client = stage.compressing(flag);
        let nothing: Vec<u8> = (0..=255).cycle().take(1000).flat_map(|seq| packet(seq, 0, b"")).collect();
        client.send_raw(&nothing);
        client.send_raw(&packet(1000_u32.to_le_bytes()[0], 0, &command(b"\x0e")));
        let mut head = [0; HEADER];
        client.stream.read_exact(&mut head).unwrap();
        assert_eq!(Header::read(&head).map(|header| header.seq), Some(1001_u32.to_le_bytes()[0]));
        let mut answer = vec![0; Header::read(&head).unwrap().len];
        client.stream.read_exact(&mut answer).unwrap();
        // The packet inside has the number of the one outside, as from a server.
        assert_eq!(answer[3..5], [1001_u32.to_le_bytes()[0], 0], "an OK");
    }
    stage.is_unharmed();
}
