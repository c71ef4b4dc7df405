//! What the kernel knows about this process.

use std::fs;

/// Resident memory in bytes, from /proc (whose unit is kB, so that the page size is not needed).
pub(super) fn resident_bytes() -> Option<f64> {
    resident_in(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Open file descriptors.
pub(super) fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that is being read.
    u32::try_from(count.saturating_sub(1)).ok().map(f64::from)
}

fn resident_in(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_file_is_understood() {
        assert_eq!(resident_in("Name:\theadgate\nVmRSS:\t    1024 kB\nThreads:\t2\n"), Some(1_048_576.0));
        assert_eq!(resident_in("Name:\theadgate\n"), None);
        assert_eq!(resident_in("VmRSS: many kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_memory_and_files() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000.0));
        assert!(open_files().is_some_and(|count| count >= 1.0));
    }
}
