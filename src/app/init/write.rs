//! Files that are there whole, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is written and not yet in its place. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Aside {
    aside: PathBuf,
    path: PathBuf,
    replace: bool,
}

impl Aside {
    /// Writes what shall be at `path`, where it may replace a file or not.
    pub(super) fn write(path: &Path, contents: &[u8], mode: u32, replace: bool) -> io::Result<Self> {
        let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let aside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        let this = Self { aside, path: path.to_owned(), replace };
        file.write_all(contents)?;
        file.sync_all()?;
        Ok(this)
    }

    /// Puts it in its place. Fails with `AlreadyExists` where there is a file that it may not replace, also when
    /// that has come into being meanwhile.
    pub(super) fn put(self) -> io::Result<()> {
        match self.replace {
            true => fs::rename(&self.aside, &self.path),
            // Unlike a rename, a link takes nobody's place.
            false => fs::hard_link(&self.aside, &self.path),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.aside);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_only_where_that_is_asked_for() {
        let folder = std::env::temp_dir().join(format!("headgate-init-put-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("headgate.toml");
        let put = |path: &Path, contents: &[u8], replace| Aside::write(path, contents, 0o600, replace)?.put();
        put(&path, b"one", false).unwrap();
        assert_eq!(put(&path, b"two", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        put(&path, b"three", true).unwrap();
        drop(Aside::write(&path, b"four", 0o600, true).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        assert!(put(&folder.join("nowhere/x"), b"", true).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
