//! The program as a user starts it: what it prints, and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Runs headgate without a terminal and without the environment's own settings.
fn headgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headgate"))
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("the program was built beside this test")
}

/// A file of the test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("headgate-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder takes files");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the name is ours, and ASCII")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(out.contains(stdout) && out.is_empty() == stdout.is_empty(), "on standard output: {out}");
    assert!(err.contains(stderr) && err.is_empty() == stderr.is_empty(), "on standard error: {err}");
}

#[test]
fn version_and_help_are_answered() {
    check(&headgate(&["--version"]), 0, env!("CARGO_PKG_VERSION"), "");
    check(&headgate(&["run", "--help"]), 0, "--control-password-file <FILE>", "");
    check(&headgate(&[]), 2, "", "Usage: headgate <COMMAND>");
    check(&headgate(&["run", "--sever", "db1:3306"]), 2, "", "--server");
}

#[test]
fn check_prints_every_problem_on_standard_output() {
    let file = Scratch::new("problems.toml", "[pool]\nmax_idel = 3\nidle_timeout = 60\n");
    let output = headgate(&["check", "--config", file.path(), "--server", "db1"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = format!(
        "\
{path}:2: pool.max_idel is not a key
    did you mean pool.max_idle?
{path}:3: pool.idle_timeout: 60 has no unit
    write \"60s\" or \"60ms\"
--server: servers.addresses: \"db1\" is not an address: it names no port
    write db1:PORT
headgate: no control account is named
    give --control-user USER, or control.user in the file
headgate: there is no password for the control account
    give --control-password-file FILE, or set HEADGATE_CONTROL_PASSWORD
5 problems
",
        path = file.path()
    );
    assert_eq!(text, expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn check_says_what_a_right_configuration_means() {
    let password = Scratch::new("password", "s3cret\n");
    let text = format!(
        "[servers]\naddresses = [\"db1:3306\"]\n[control]\nuser = \"watch\"\npassword_file = \"{}\"\n",
        password.path()
    );
    let file = Scratch::new("right.toml", &text);
    let output = headgate(&["check", "--config", file.path()]);
    check(&output, 0, "no problems\nlistens on 0.0.0.0:4306\nserves db1:3306", "");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"));
}

#[test]
fn check_says_which_servers_cannot_be_asked() {
    let password = Scratch::new("asked", "s3cret\n");
    let flags =
        ["--server", "127.0.0.1:1", "--control-user", "watch", "--control-password-file", password.path()];
    let output = headgate(&[&["check", "--connect"], &flags[..]].concat());
    check(&output, 1, "problem: 127.0.0.1:1 serves nothing: 127.0.0.1:1 cannot be reached", "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no file, defaults and flags only: no problems\n"), "{text}");
    assert!(text.ends_with("\nof the cluster: 2 problems, 1 warning\n"), "{text}");
    check(&headgate(&[&["check"], &flags[..]].concat()), 0, "no problems", "");
}

#[test]
fn init_writes_nothing_it_cannot_stand_for() {
    let file = Scratch::new("init.toml", "# mine\n");
    let path = std::path::Path::new(file.path());
    let new = path.with_extension("new");
    let init = |output: &std::path::Path, more: &[&str]| {
        let output = output.to_str().expect("the name is ours, and ASCII");
        headgate(&[&["init", "--server", "127.0.0.1:1", "--output", output], more].concat())
    };
    check(&init(path, &[]), 1, "", "exists already; give --force to replace it, or --output another");
    check(&init(&new, &[]), 1, "", "give --password-file FILE, or set HEADGATE_INIT_PASSWORD");
    check(&init(&new, &["--password-file", file.path()]), 1, "", "no server can be asked\n127.0.0.1:1: ");
    check(&init(path, &["--force", "--password-file", file.path()]), 1, "", "no server can be asked");
    check(&init(std::path::Path::new("/nonexistent/h.toml"), &[]), 1, "", "/nonexistent is no directory");
    check(&headgate(&["init"]), 2, "", "--server <ADDRESS>");
    assert!(!new.exists());
    assert_eq!(std::fs::read_to_string(path).ok().as_deref(), Some("# mine\n"));
}

#[test]
fn run_refuses_a_wrong_configuration_before_it_starts() {
    let output = headgate(&["run", "--server", "db1:3306", "--control-user", "watch"]);
    check(&output, 2, "", "there is no password for the control account");
    let output = headgate(&["run", "--config", "/nonexistent/headgate.toml"]);
    check(&output, 2, "", "/nonexistent/headgate.toml: the configuration file cannot be read");
}
