//! The cache folder: unpacked programs and initialised data directories, shared by all processes
//! of a user and filled by one of them at a time.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::{AtPath, LabError, Result};

/// `$HEADGATE_LAB_CACHE`, else `headgate` in the user's cache folder; made if missing.
pub(super) fn folder() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("HEADGATE_LAB_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("headgate")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/headgate")))
        .ok_or(LabError::NoCacheFolder)?;
    fs::create_dir_all(&folder).at("create", &folder)?;
    fs::canonicalize(&folder).at("resolve", &folder)
}

/// Returns the folder `name` of the laboratory's cache, filling it first if it is not there. Blocks.
///
/// `fill` works in a folder that becomes visible under its name only when complete, so nobody ever
/// sees half of it, and a lock lets other processes wait instead of doing the same work.
pub fn entry(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = folder()?;
    let complete = cache.join(name);
    if complete.is_dir() {
        return Ok(complete);
    }
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).at("create", &lock_path)?;
    lock.lock().at("lock", &lock_path)?;
    if complete.is_dir() {
        return Ok(complete);
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).at("remove", &partial)?;
    }
    fs::create_dir_all(&partial).at("create", &partial)?;
    fill(&partial)?;
    fs::rename(&partial, &complete).at("rename", &partial)?;
    Ok(complete)
}
