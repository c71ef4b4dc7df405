//! Replies as servers send them, in both forms, whole and in every chunking.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::wire::frame::{HEADER, Header, MAX_PAYLOAD, put_packet};
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

const COLUMN: &[u8] = b"\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00";
const ROW: &[u8] = b"\x011";
const OK_END: &[u8] = b"\xfe\x00\x00\x02\x00\x00\x00";
const TRACKED_OK_END: &[u8] = b"\xfe\x00\x00\x02\x40\x00\x00\x00\x05\x01\x03\x02db";
const EOF_END: &[u8] = b"\xfe\x00\x00\x02\x00";
const MODERN: ClientForm = ClientForm { deprecate_eof: true, wish: Wish::Defaults };
const OLD: ClientForm = ClientForm { deprecate_eof: false, wish: Wish::Nothing };

fn packets(payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seq = 1;
    for payload in payloads {
        put_packet(&mut out, &mut seq, payload);
    }
    out
}

/// Feeds `bytes` in chunks and returns what a client gets, with the last progress.
fn relay(shape: Shape, form: ClientForm, bytes: &[u8], chunks: &[usize]) -> (Vec<u8>, Progress, usize) {
    let mut tracker = Tracker::new(shape, form, StatusFlags::AUTOCOMMIT);
    let mut buf = BytesMut::new();
    let mut out = Vec::new();
    let mut changes = 0;
    let mut rest = bytes;
    let mut sizes = chunks.iter().copied().cycle();
    loop {
        let step = tracker.advance(&mut buf, &mut |_| changes += 1).unwrap();
        out.extend_from_slice(&buf.split_to(step.ready));
        if step.progress != Progress::More || rest.is_empty() {
            assert!(step.progress == Progress::More || buf.is_empty(), "bytes are left");
            return (out, step.progress, changes);
        }
        let (chunk, tail) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        buf.extend_from_slice(chunk);
        rest = tail;
    }
}

#[track_caller]
fn check(shape: Shape, form: ClientForm, server: &[&[u8]], client: &[&[u8]]) -> End {
    let (out, progress, _) = relay(shape, form, &packets(server), &[usize::MAX]);
    assert_eq!(out, packets(client));
    match progress {
        Progress::Complete(end) => end,
        other => panic!("not complete: {other:?}"),
    }
}

#[test]
fn a_modern_client_gets_a_result_set_as_it_is() {
    let reply: &[&[u8]] = &[b"\x01", COLUMN, ROW, ROW, OK_END];
    let end = check(Shape::Results, MODERN, reply, reply);
    assert_eq!((end.status, end.error, end.warnings, end.at_once), (StatusFlags(2), None, 0, false));
    assert_eq!((end.affected, end.rows), (None, 2));
}

#[test]
fn an_old_client_gets_both_eof_packets() {
    let server: &[&[u8]] = &[b"\x01", COLUMN, ROW, OK_END];
    check(Shape::Results, OLD, server, &[b"\x01", COLUMN, EOF_END, ROW, EOF_END]);
    let empty: &[&[u8]] = &[b"\x01", COLUMN, OK_END];
    check(Shape::Results, OLD, empty, &[b"\x01", COLUMN, EOF_END, EOF_END]);
}

#[test]
fn several_results_shift_further_each_time() {
    let more = b"\xfe\x00\x00\x0a\x00\x00\x00";
    let more_eof = b"\xfe\x00\x00\x0a\x00";
    let last = b"\x00\x01\x00\x02\x00\x00\x00";
    let server: &[&[u8]] = &[b"\x01", COLUMN, ROW, more, b"\x01", COLUMN, more, last];
    let client: &[&[u8]] =
        &[b"\x01", COLUMN, EOF_END, ROW, more_eof, b"\x01", COLUMN, EOF_END, more_eof, last];
    check(Shape::Results, OLD, server, client);
    check(Shape::Results, MODERN, server, server);
}

#[test]
fn a_reply_may_be_numbered_anew_after_each_result() {
    fn check(form: ClientForm, expected: &[u8]) {
        let more = b"\xfe\x00\x00\x0a\x00\x00\x00";
        let mut buf =
            BytesMut::from(&packets(&[b"\x01", COLUMN, ROW, more, b"\x01", COLUMN, ROW, OK_END])[..]);
        let mut tracker = Tracker::new(Shape::Results, form, StatusFlags(2));
        tracker.pause();
        tracker.number(3);
        assert_eq!(tracker.next_client_seq(), 3);
        let mut numbers = Vec::new();
        let mut take = |tracker: &mut Tracker| {
            let step = tracker.advance(&mut buf, &mut |_| {}).unwrap();
            let mut ready = buf.split_to(step.ready);
            while let Some(header) = Header::read(&ready) {
                numbers.push(header.seq);
                let _ = ready.split_to(HEADER + header.len);
            }
            step.progress
        };
        assert_eq!(take(&mut tracker), Progress::NextResult);
        tracker.number(255);
        assert_eq!(tracker.next_client_seq(), 255);
        assert!(matches!(take(&mut tracker), Progress::Complete(_)));
        assert_eq!(numbers, expected);
    }
    check(MODERN, &[3, 4, 5, 6, 255, 0, 1, 2]);
    check(OLD, &[3, 4, 5, 6, 7, 255, 0, 1, 2, 3]);
}

#[test]
fn the_eof_behind_columns_has_no_flags_of_an_earlier_statement() {
    // A cursor was opened, no index was used, parameters came out, a transaction is open.
    let mut tracker = Tracker::new(Shape::Results, OLD, StatusFlags(0x1063));
    let mut buf = BytesMut::from(&packets(&[b"\x01", COLUMN, ROW, OK_END])[..]);
    let step = tracker.advance(&mut buf, &mut |_| {}).unwrap();
    let open_eof = b"\xfe\x00\x00\x03\x00";
    assert_eq!(buf.split_to(step.ready), packets(&[b"\x01", COLUMN, open_eof, ROW, EOF_END]));
}

#[test]
fn a_cursor_has_one_eof() {
    let opened = b"\xfe\x00\x00\x42\x00\x00\x00";
    check(Shape::Executed, OLD, &[b"\x01", COLUMN, opened], &[b"\x01", COLUMN, b"\xfe\x00\x00\x42\x00"]);
    check(Shape::Rows, OLD, &[ROW, ROW, OK_END], &[ROW, ROW, EOF_END]);
    // The flag alone, left by a procedure's own cursor, opens none for the client.
    let flagged = b"\xfe\x00\x00\x42\x00";
    check(Shape::Results, OLD, &[b"\x01", COLUMN, opened], &[b"\x01", COLUMN, EOF_END, flagged]);
}

#[test]
fn prepared_statements_have_an_eof_behind_each_list() {
    let head = |columns: u8, parameters: u8| vec![0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0];
    let (both, none, columns) = (head(1, 2), head(0, 0), head(1, 0));
    check(
        Shape::Prepare,
        OLD,
        &[&both, COLUMN, COLUMN, COLUMN],
        &[&both, COLUMN, COLUMN, EOF_END, COLUMN, EOF_END],
    );
    check(Shape::Prepare, OLD, &[&columns, COLUMN], &[&columns, COLUMN, EOF_END]);
    check(Shape::Prepare, MODERN, &[&both, COLUMN, COLUMN, COLUMN], &[&both, COLUMN, COLUMN, COLUMN]);
    check(Shape::Prepare, OLD, &[&none], &[&none]);
    // An OK without a statement, which MySQL answers a refused SET GLOBAL.
    let plain = b"\x00\x00\x00\x02\x00\x00\x00";
    check(Shape::Prepare, OLD, &[plain], &[plain]);
    let tracked = b"\x00\x00\x00\x02\x40\x00\x00\x00\x13\x00\x11\x0cstatement_id\x03123";
    check(Shape::Prepare, OLD, &[tracked], &[plain]);
}

#[test]
fn session_state_is_seen_and_taken_out() {
    let server = packets(&[b"\x01", COLUMN, TRACKED_OK_END]);
    let (out, _, changes) = relay(Shape::Results, OLD, &server, &[usize::MAX]);
    assert_eq!((out, changes), (packets(&[b"\x01", COLUMN, EOF_END, EOF_END]), 1));
    let quiet = ClientForm { deprecate_eof: true, wish: Wish::Nothing };
    let (out, _, changes) = relay(Shape::Results, quiet, &server, &[usize::MAX]);
    assert_eq!((out, changes), (packets(&[b"\x01", COLUMN, OK_END]), 1));
    let (out, _, _) = relay(Shape::Results, MODERN, &server, &[usize::MAX]);
    assert_eq!(out, server);
}

#[test]
fn an_error_at_once_is_told_from_one_in_the_middle() {
    let error = b"\xff\x7a\x04#42S02no table";
    let end = check(Shape::Results, OLD, &[error], &[error]);
    assert_eq!((end.error, end.at_once), (Some(1146), true));
    let end =
        check(Shape::Results, OLD, &[b"\x01", COLUMN, ROW, error], &[b"\x01", COLUMN, EOF_END, ROW, error]);
    assert_eq!((end.error, end.at_once), (Some(1146), false));
    // `SELECT (SELECT 1 UNION SELECT 2)` fails between its columns and its first row.
    check(Shape::Results, OLD, &[b"\x01", COLUMN, error], &[b"\x01", COLUMN, EOF_END, error]);
    check(Shape::Results, MODERN, &[b"\x01", COLUMN, error], &[b"\x01", COLUMN, error]);
}

#[test]
fn a_file_request_pauses_the_reply() {
    let (out, progress, _) = relay(Shape::Results, MODERN, &packets(&[b"\xfb/tmp/data.csv"]), &[usize::MAX]);
    assert_eq!((out, progress), (packets(&[b"\xfb/tmp/data.csv"]), Progress::FileWanted));
}

#[test]
fn a_row_of_16_mib_may_begin_like_an_ok() {
    let mut row = vec![0xFE, 0, 0, 0, 1, 0, 0, 0, 0];
    row.resize(MAX_PAYLOAD + 5, b'x');
    let server: &[&[u8]] = &[b"\x01", COLUMN, &row, ROW, OK_END];
    let bytes = packets(server);
    let (out, progress, _) = relay(Shape::Results, MODERN, &bytes, &[1 << 20]);
    assert!(out == bytes && matches!(progress, Progress::Complete(_)));
    let (out, progress, _) = relay(Shape::Results, OLD, &bytes, &[1 << 20]);
    let expected = packets(&[b"\x01", COLUMN, EOF_END, &row, ROW, EOF_END]);
    assert!(out == expected && matches!(progress, Progress::Complete(_)));
}

#[test]
fn field_lists_statistics_and_bare_eofs() {
    check(Shape::Fields, OLD, &[COLUMN, COLUMN, OK_END], &[COLUMN, COLUMN, EOF_END]);
    check(Shape::Fields, MODERN, &[OK_END], &[OK_END]);
    check(Shape::Text, OLD, &[b"Uptime: 7"], &[b"Uptime: 7"]);
    check(Shape::Results, OLD, &[OK_END], &[EOF_END]);
}

#[test]
fn broken_replies_are_errors() {
    for bytes in [&packets(&[b"\x00"])[..], &[0, 0, 0, 1], &packets(&[b"\xfc\x00\x00"]), &packets(&[b"\xff"])]
    {
        let mut buf = BytesMut::from(bytes);
        let result = Tracker::new(Shape::Results, MODERN, StatusFlags(2)).advance(&mut buf, &mut |_| {});
        assert!(result.is_err(), "{bytes:?}");
    }
}

#[test]
fn an_empty_packet_is_an_error_whatever_comes_behind_it() {
    for behind in [&[][..], ROW, OK_END] {
        let mut buf = BytesMut::from(&packets(&[b"\x01", COLUMN, b"", behind])[..]);
        let result = Tracker::new(Shape::Results, MODERN, StatusFlags(2)).advance(&mut buf, &mut |_| {});
        assert!(result.is_err(), "{behind:?}");
    }
}

proptest! {
    #[test]
    fn chunking_changes_nothing(
        chunks in proptest::collection::vec(1_usize..40, 1..8),
        rows in 0_usize..6,
        old: bool,
        tracked: bool,
    ) {
        let end = if tracked { TRACKED_OK_END } else { OK_END };
        let mut server: Vec<&[u8]> = vec![b"\x02", COLUMN, COLUMN];
        server.extend(std::iter::repeat_n(ROW, rows));
        server.push(end);
        let bytes = packets(&server);
        let form = if old { OLD } else { MODERN };
        let whole = relay(Shape::Results, form, &bytes, &[usize::MAX]);
        prop_assert!(matches!(whole.1, Progress::Complete(_)));
        prop_assert_eq!(relay(Shape::Results, form, &bytes, &chunks), whole);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, shape in 0_usize..5, old: bool) {
        let shapes = [Shape::Results, Shape::Prepare, Shape::Rows, Shape::Fields, Shape::Text];
        let mut buf = BytesMut::from(&bytes[..]);
        let mut tracker = Tracker::new(shapes[shape], if old { OLD } else { MODERN }, StatusFlags(0));
        while let Ok(step) = tracker.advance(&mut buf, &mut |_| {}) {
            prop_assert!(step.ready <= buf.len());
            let _ = buf.split_to(step.ready);
            if step.progress != Progress::FileWanted {
                break;
            }
        }
    }
}
