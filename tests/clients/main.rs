//! Clients that people use, run as they are, once directly on the primary and once through Headgate:
//! what they print must be the same.
//!
//! What a client needs (a Python environment, Node modules, command lines) is fetched by name into
//! the laboratory's cache on first use. A missing runtime fails the test and says what to install.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]

mod command_lines;
mod compression;
mod dump;
mod node;
mod place;
mod python;
mod runtimes;
mod sysbench;

use std::fmt::Write;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Gives a command its input and collects what it prints. Whether it succeeds is the caller's.
fn run(command: &mut Command, input: &[u8]) -> Output {
    let program = command.get_program().display().to_string();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // A program that ends early closes its input; its exit status says more than our EPIPE.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// As [`run`], for commands that must succeed. Returns standard output.
#[track_caller]
fn succeed(command: &mut Command, input: &[u8]) -> String {
    let output = run(command, input);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}\n{}",
        output.status,
        last_lines(&text),
        last_lines(&String::from_utf8_lossy(&output.stderr)),
    );
    text
}

/// Both streams of a command and its exit status, for comparing.
fn everything(command: &mut Command, input: &[u8]) -> String {
    let output = run(command, input);
    format!(
        "{}\n--- errors\n{}\n--- {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status
    )
}

/// Fails with the first lines that differ.
#[track_caller]
fn assert_same(what: &str, direct: &str, through: &str) {
    if direct == through {
        return;
    }
    let mut report = String::new();
    let (mut left, mut right) = (direct.lines(), through.lines());
    let mut number = 0;
    let mut shown = 0;
    while shown < 10 {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => break,
            (direct, through) if direct == through => {}
            (direct, through) => {
                shown += 1;
                let end = "(nothing more)";
                let _ = write!(
                    report,
                    "line {number}\n  direct:   {}\n  headgate: {}\n",
                    direct.unwrap_or(end),
                    through.unwrap_or(end)
                );
            }
        }
    }
    panic!("{what}: through Headgate it is not as on the primary\n{report}");
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
