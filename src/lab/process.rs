//! Running programs to their end, and signals.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::error::{LabError, Result};

/// Runs a program to its end and returns what it printed; an unsuccessful end is an error that
/// shows it.
pub(super) fn run(command: &mut Command) -> Result<String> {
    run_with_input(command, &[])
}

/// As [`run`], with `input` on the program's standard input.
pub(super) fn run_with_input(command: &mut Command, input: &[u8]) -> Result<String> {
    let program = command.get_program().display().to_string();
    let spawn = |source| LabError::Spawn { program: program.clone(), source };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(spawn)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A program that ends early closes its input; its exit status tells more than our EPIPE.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
    .map_err(spawn)?;
    text_of(&program, &output)
}

fn text_of(program: &str, output: &Output) -> Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let mut text = stdout;
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(LabError::Failed {
        program: program.to_owned(),
        status: output.status.to_string(),
        output: tail(&text, 30),
    })
}

/// The last `lines` lines of a text.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Where `PATH` finds a program.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Servers live in sbin, which ordinary users often do not have on their PATH.
    let sbin = OsStr::new("/usr/sbin:/usr/local/sbin");
    std::env::split_paths(&path)
        .chain(std::env::split_paths(sbin))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    Terminate,
    Kill,
    Stop,
    Continue,
}

/// Signals a whole process group; false if there is none.
#[allow(unsafe_code, reason = "kill(2) has no safe wrapper in std")]
pub(super) fn signal_group(leader: u32, signal: Signal) -> bool {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    let Ok(leader) = libc::pid_t::try_from(leader) else { return false };
    // kill(-1) and kill(0) reach far more than one group.
    if leader <= 1 {
        return false;
    }
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe { libc::kill(-leader, number) == 0 }
}

/// True when every thread of a process is stopped: SIGSTOP returns before they are.
pub(super) fn is_frozen(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        // `ID (NAME) STATE …`; the name may hold anything.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

/// True when this process runs as root, where servers insist on being told so.
pub(super) fn is_root() -> bool {
    user_id() == 0
}

/// The numeric id of the user this process runs as.
pub(super) fn user_id() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").map_or(0, |meta| meta.uid())
}
