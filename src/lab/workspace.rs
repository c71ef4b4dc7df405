//! A cluster's folder, and the promise that it and the servers in it go away.
//!
//! Three lines of defence: [`Workspace`]'s `Drop`, which a panic runs too; a watchdog process that
//! waits for the end of a pipe only its owner holds open, which even SIGKILL closes; and a sweep at
//! the next start for folders whose owner's lock is free (a machine that lost power, a watchdog
//! killed as well). `PR_SET_PDEATHSIG` is not among them: it fires when the *thread* that started a
//! server ends, which under a test runner is long before the process does.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use std::os::unix::process::CommandExt;

use super::error::{AtPath, LabError, Result};
use super::process::user_id;

#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    ports: PathBuf,
    watchdog: Child,
    /// Locked as long as this process lives.
    _owner: File,
}

/// Where all laboratories of a user reserve ports.
pub(super) fn ports_folder() -> PathBuf {
    base_folder().join("ports")
}

impl Workspace {
    /// Makes a folder for one cluster, after sweeping those whose owners have died.
    pub(super) fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = base_folder();
        fs::create_dir_all(&base).at("create", &base)?;
        let base = fs::canonicalize(&base).at("resolve", &base)?;
        // A folder exists unlocked for a moment after it is made; no sweep may see it then.
        let gate_path = base.join("gate");
        let gate = File::create(&gate_path).at("create", &gate_path)?;
        gate.lock().at("lock", &gate_path)?;
        sweep(&base)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = base.join(format!("{}-{number}", process::id()));
        fs::create_dir(&folder).at("create", &folder)?;
        let owner_path = folder.join("owner");
        let owner = File::create(&owner_path).at("create", &owner_path)?;
        owner.lock().at("lock", &owner_path)?;
        let watchdog = undertaker(&folder, Stdio::piped())?;
        Ok(Self { folder, ports: base.join("ports"), watchdog, _owner: owner })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where ports are reserved.
    pub(super) fn ports(&self) -> &Path {
        &self.ports
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // The watchdog ends what still runs and removes the folder, here as after a crash: one
        // way, well trodden. A failure leaves the folder to the next sweep.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// `$HEADGATE_LAB_DIR`, else a folder of this user's in the folder for temporary files. Kept short:
/// a unix socket's path has 107 bytes at most.
fn base_folder() -> PathBuf {
    match env::var_os("HEADGATE_LAB_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => env::temp_dir().join(format!("headgate-lab-{}", user_id())),
    }
}

fn sweep(base: &Path) -> Result<()> {
    for entry in fs::read_dir(base).at("read", base)? {
        let folder = entry.at("read", base)?.path();
        let owner = folder.join("owner");
        let Ok(lock) = File::open(&owner) else { continue };
        if lock.try_lock().is_ok() {
            let mut undertaker = undertaker(&folder, Stdio::null())?;
            undertaker.wait().at("wait for the sweeper of", &folder)?;
        }
    }
    Ok(())
}

/// Starts the process that waits for the end of its input, then kills the servers whose data is
/// below `folder` and removes it. In a process group of its own, so that a terminal's Ctrl-C does
/// not reach it.
fn undertaker(folder: &Path, input: Stdio) -> Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", UNDERTAKER])
        // Not an argument: it must not find itself by its command line.
        .env("HEADGATE_LAB_FOLDER", folder)
        .current_dir("/")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|source| LabError::Spawn { program: "/bin/sh".to_owned(), source })
}

/// A server forked but not yet executed still holds the owner's end of the pipe, so when the input
/// ends every server carries its data directory on its command line.
const UNDERTAKER: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
tries=0
while [ $tries -lt 100 ]; do
    found=$(printf '%s' "--datadir=$HEADGATE_LAB_FOLDER/" | grep -lsaF -f - /proc/[0-9]*/cmdline)
    [ -n "$found" ] || break
    for file in $found; do
        pid=${file#/proc/}
        kill -9 "${pid%/cmdline}"
    done
    sleep 0.05
    tries=$((tries + 1))
done
rm -rf -- "$HEADGATE_LAB_FOLDER"
"#;
