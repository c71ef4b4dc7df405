//! The demonstration, as it is started: without a terminal and on one.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, in real time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEMO: &str = env!("CARGO_BIN_EXE_headgate-demo");
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running demonstration, ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // Its watchdogs put the rest away.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks a running demonstration and returns what it prints.
#[track_caller]
fn ask(action: &str, port: &str, statement: &str) -> String {
    let output = Command::new(DEMO).args([action, "--port", port, "-e", statement]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{action} {statement}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// What stands between two marks.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in\n{text}"));
    rest.split(after).next().unwrap()
}

/// The cells of a column of a table that a command line has drawn.
fn column(table: &str, number: usize) -> Vec<&str> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    rows.map(|row| row.split('|').nth(number).unwrap().trim()).collect()
}

fn refuses(address: &str) -> bool {
    let address: SocketAddr = address.parse().unwrap();
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
}

fn becomes(done: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn shows_and_ends_in_lines(family: &[&str], version: &str) {
    let mut demo = Demo(
        Command::new(DEMO).args(family).args(["--seconds", "8"]).stdout(Stdio::piped()).spawn().unwrap(),
    );
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = String::new();
    for line in lines.by_ref() {
        text.push_str(&format!("{line}\n"));
        if line.contains("Ctrl-C ends it") {
            break;
        }
    }
    let address = between(&text, "mysql://app:lab-app@", "/shop").to_owned();
    let port = address.rsplit(':').next().unwrap().to_owned();
    assert!(text.contains(version), "{text}");

    assert_eq!(column(&ask("sql", &port, "SELECT COUNT(*) FROM products"), 1), ["100"]);
    let servers = ask("console", &port, "SHOW SERVERS");
    assert_eq!(column(&servers, 3), ["primary", "replica", "replica"], "{servers}");
    let metrics = between(&text, "http://", "/metrics").to_owned();
    let mut http = TcpStream::connect(&metrics).unwrap();
    http.write_all(b"GET /metrics HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    http.read_to_string(&mut page).unwrap();
    assert!(page.contains("headgate_statements_total{"), "{page}");

    for line in lines {
        text.push_str(&format!("{line}\n"));
    }
    assert!(demo.0.wait().unwrap().success(), "{text}");
    assert!(!text.contains('\x1b'), "no drawing without a terminal: {text}");
    for part in [
        "why the primary",
        "plain_read: a plain read; the replica is fresh enough",
        "read_only_transaction: ",
        "hint_primary: a comment asks for the primary",
        "not_plain: ",
        "command: it is neither a COM_QUERY",
        "of them wrong: 0.",
        "did not come from the primary: none.",
        "Errors: 0.",
        "Nothing stale was seen, and no write reached a replica.",
        "Stopped: Headgate, the servers and their files are gone.",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for check in ["had just written: ", "time zone or sql_mode: ", "in one snapshot: "] {
        let checked: u64 = between(&text, check, ",").parse().unwrap();
        assert!(checked > 0, "{check}\n{text}");
    }
    for gone in column(&servers, 2).into_iter().chain([address.as_str(), metrics.as_str()]) {
        assert!(refuses(gone), "{gone} is still served");
    }
    let output =
        Command::new(DEMO).args(["console", "--port", &port, "-e", "SHOW SERVERS"]).output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("no demonstration serves port"), "{told}");
}

#[test]
fn mysql_without_a_terminal() {
    shows_and_ends_in_lines(&[], "MySQL ");
}

#[test]
fn mariadb_without_a_terminal() {
    shows_and_ends_in_lines(&["--mariadb"], "MariaDB ");
}

/// On a pseudo-terminal, ended by Ctrl-C.
#[test]
fn a_terminal_is_redrawn_and_given_back() {
    let command = format!("stty rows 30 cols 90; exec '{DEMO}' --mariadb");
    let mut demo = Demo(
        Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut keyboard = demo.0.stdin.take().unwrap();
    let mut output = demo.0.stdout.take().unwrap();
    let shown = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&shown);
    let reading = std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut part) {
            sink.lock().extend_from_slice(&part[..read]);
        }
    });
    let text = || String::from_utf8_lossy(&shown.lock()).into_owned();
    assert!(becomes(|| text().matches("\x1b[H").count() >= 3), "not redrawn:\n{}", text());
    keyboard.write_all(b"\x03").unwrap();
    assert!(demo.0.wait().unwrap().success(), "{}", text());
    reading.join().unwrap();

    let text = text();
    let (before, rest) = text.split_once("\x1b[?1049h\x1b[?25l").expect("the second screen is taken");
    let (drawn, after) =
        rest.split_once("\x1b[?25h\x1b[?1049l").expect("the screen and the cursor are given back");
    assert!(before.contains("./demo console") && !before.contains('\x1b'), "{before}");
    assert!(after.contains("Nothing stale was seen") && !after.contains('\x1b'), "{after}");
    assert!(after.contains("are gone."), "{after}");
    let last = drawn.rsplit("\x1b[H").next().unwrap();
    for part in [
        "reads/s",
        "replica-2  replica",
        "data age",
        "█",
        " ms",
        "it writes data",
        "stale: 0;",
        "> replica: a plain",
    ] {
        assert!(last.contains(part), "{part}\n{last}");
    }
    let (picture, _) = last.split_once("\x1b[J").expect("what was below is erased");
    assert!(picture.lines().count() < 30, "{picture}");
    for line in picture.lines().map(|line| without_signs(line.trim_end())) {
        assert!(line.chars().count() <= 90, "{line}");
    }
}

/// A line without the sequences that style and erase.
fn without_signs(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(['m', 'K']).map_or("", |(_, rest)| rest))
}

fn survives_its_primary(family: &[&str]) {
    let output = Command::new(DEMO).args(family).arg("--failover").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for told in [
        "is killed (kill -9)",
        "Writes go on, on 127.0.0.1:",
        "The old primary is started again.",
        "Promoting",
        "Every write that was acknowledged is there, and none was done twice.",
    ] {
        assert!(text.contains(told), "{told:?} is not in\n{text}");
    }
}

#[test]
fn kills_the_primary_of_mysql() {
    survives_its_primary(&[]);
}

#[test]
fn kills_the_primary_of_mariadb() {
    survives_its_primary(&["--mariadb"]);
}
