//! Runs an operator's program: JSON on its standard input, a deadline, and its whole process group with it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::election::{Done, Failure};
use crate::runtime::clock;

/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a program. It fails where it cannot be started, ends with another status than 0, or takes too long. Blocks.
pub(super) fn run(program: &Path, input: &str, until: Instant) -> Result<Done, Failure> {
    let refused = |error: io::Error| Failure::Refused(format!("{}: {error}", program.display()));
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(refused)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read it may do so: less than a pipe holds, so this waits for nobody.
        let _ = stdin.write_all(input.as_bytes());
    }
    loop {
        match child.try_wait().map_err(refused)? {
            Some(status) if status.success() => return Ok(Done::Plainly),
            Some(status) => {
                end_group(&child);
                return Err(Failure::Refused(format!("{}: {status}", program.display())));
            }
            None if clock::now() >= until => {
                end_group(&child);
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::TimedOut);
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Ends what the program has started with it.
#[allow(unsafe_code, reason = "kill(2) has no safe wrapper in std")]
fn end_group(child: &Child) {
    let Ok(group) = libc::pid_t::try_from(child.id()) else { return };
    // SAFETY: kill takes two integers and touches no memory of ours. The group is that of a child of ours, which leads it.
    let _ = unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// A value of a JSON object.
pub(super) enum Json<'a> {
    /// A text; nothing is `null`.
    Text(Option<&'a str>),
    /// A number.
    Number(u64),
}

/// A JSON object on one line.
pub(super) fn object(fields: &[(&str, Json<'_>)]) -> String {
    let field = |(name, value): &(&str, Json<'_>)| {
        let value = match value {
            Json::Text(Some(text)) => json_text(text),
            Json::Text(None) => "null".to_owned(),
            Json::Number(number) => number.to_string(),
        };
        format!("{}:{value}", json_text(name))
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("{{{}}}\n", fields.join(","))
}

fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn objects_are_json() {
        let object =
            object(&[("a\"b", Json::Text(Some("c\\\n"))), ("n", Json::Number(7)), ("x", Json::Text(None))]);
        assert_eq!(object, "{\"a\\\"b\":\"c\\\\\\u000a\",\"n\":7,\"x\":null}\n");
    }

    fn script(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("headgate-hook-{}-{name}", std::process::id()));
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_program_is_given_its_input_and_its_time() {
        let soon = || clock::now() + Duration::from_secs(5);
        let reads = script("reads", "read line; test \"$line\" = '{\"a\":1}'");
        assert_eq!(run(&reads, "{\"a\":1}\n", soon()), Ok(Done::Plainly));
        assert!(matches!(run(&reads, "{}\n", soon()), Err(Failure::Refused(_))));
        let sleeps = script("sleeps", "sleep 30");
        let begun = clock::now();
        assert_eq!(run(&sleeps, "", begun + Duration::from_millis(100)), Err(Failure::TimedOut));
        assert!(clock::now() - begun < Duration::from_secs(5));
        assert!(matches!(run(Path::new("/nonexistent"), "", soon()), Err(Failure::Refused(_))));
        for path in [reads, sleeps] {
            fs::remove_file(path).unwrap();
        }
    }
}
