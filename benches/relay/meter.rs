//! What a process uses, by the kernel's books.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A process to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    pid: u32,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// What is resident now.
    pub(crate) resident: u64,
    /// The most that was resident since the start or the last [`Meter::forget_peak`].
    pub(crate) peak: u64,
    /// As `resident`, with what other processes map too divided among them.
    pub(crate) proportional: u64,
}

impl Meter {
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Processor time used so far by all threads, in the kernel and outside, in microseconds.
    /// The kernel shows it in hundredths of a second.
    pub(crate) fn cpu_micros(self) -> Result<f64> {
        let stat = self.read("stat")?;
        // The program's name, in parentheses, may hold spaces.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks =
            |index: usize| -> Result<f64> { Ok(fields.get(index).context("stat is short")?.parse::<f64>()?) };
        Ok((ticks(UTIME)? + ticks(STIME)?) * 1e6 / TICKS_A_SECOND)
    }

    pub(crate) fn memory(self) -> Result<Memory> {
        let status = self.read("status")?;
        let rollup = self.read("smaps_rollup")?;
        Ok(Memory {
            resident: kilobytes(&status, "VmRSS:")?,
            peak: kilobytes(&status, "VmHWM:")?,
            proportional: kilobytes(&rollup, "Pss:")?,
        })
    }

    /// Starts the peak anew from what is resident now.
    pub(crate) fn forget_peak(self) -> Result<()> {
        fs::write(self.path("clear_refs"), "5").context("cannot reset the peak")
    }

    /// Counts the system calls of all threads for a while. Blocks that long, and again where the
    /// counter was not scheduled, which happens on virtual machines.
    pub(crate) fn system_calls(self, during: Duration) -> Result<f64> {
        let tried = || self.count_system_calls(during);
        match tried() {
            Ok(count) => Ok(count),
            Err(_) => tried(),
        }
    }

    fn count_system_calls(self, during: Duration) -> Result<f64> {
        // Words that would only confuse go to the error, if there is one.
        let output = Command::new("perf")
            .args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p"])
            .arg(self.pid.to_string())
            .args(["--", "sleep"])
            .arg(during.as_secs_f64().to_string())
            .stdin(Stdio::null())
            .output()
            .context("perf is missing: install the package linux-perf")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let count =
            text.lines().find(|line| line.contains("sys_enter")).and_then(|line| line.split(',').next());
        match count.and_then(|count| count.parse().ok()) {
            Some(count) if count > 0.0 => Ok(count),
            _ => bail!("perf counts no system calls here: {}", text.trim()),
        }
    }

    fn path(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }

    fn read(self, file: &str) -> Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

fn kilobytes(text: &str, key: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key}"))?;
    let number: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(number * 1024)
}

/// As many open files as the system allows, for this process and those it starts.
#[allow(unsafe_code, reason = "setrlimit(2) has no safe wrapper in std")]
pub(crate) fn raise_open_files_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write the one struct they are given, which outlives them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Places of the fields after the name; proc(5) counts from 1, and two stand before.
const UTIME: usize = 11;
const STIME: usize = 12;
/// USER_HZ, fixed on Linux.
const TICKS_A_SECOND: f64 = 100.0;
