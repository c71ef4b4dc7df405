//! The console's password, made on the first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::auth::{MAX_PASSWORD, Secret};

/// The file in the state directory.
const NAME: &str = "admin-password";

/// Random bytes in a password; it is written as twice as many hexadecimal digits.
const BYTES: usize = 24;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// It cannot be made or read.
    #[error("the console's password file {} cannot be {action}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "the console's password file {} may be read by others (mode {mode:03o}): chmod 600, or remove it to have \
         a new one made", path.display()
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others may put another file in its place.
    #[error("the state directory {} may be written by everybody (mode {mode:03o}): chmod o-w", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is no password in it, or one that is too long.
    #[error("the console's password file {} is empty or longer than {MAX_PASSWORD} bytes: remove it to have a new one made", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

/// The password in the state directory, made on the first start, and the file it is in.
///
/// # Errors
/// It cannot be made or read, or others could read or replace it.
pub fn load_or_make(state_dir: &Path) -> Result<(PathBuf, Secret), PasswordFileError> {
    let path = state_dir.join(NAME);
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| PasswordFileError::Io { action, path, source }
    };
    let directory = fs::metadata(state_dir).map_err(failed("looked for", &path))?;
    let mode = directory.permissions().mode();
    // With the sticky bit only the owner of a file can replace it.
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(PasswordFileError::Open { path: state_dir.to_owned(), mode: mode & 0o7777 });
    }
    if !path.try_exists().map_err(failed("looked for", &path))? {
        make(&path).map_err(failed("made", &path))?;
    }
    read(&path).map_err(failed("read", &path))?.map(|secret| (path, secret))
}

/// Written aside and then put in its place, so that it is never there half.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut())
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * BYTES + 1));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    let aside = path.with_extension("new");
    // Left over from a start that was cut off.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

fn read(path: &Path) -> io::Result<Result<Secret, PasswordFileError>> {
    // A link is not followed: what it points to may be somebody else's.
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        return Ok(Err(PasswordFileError::Readable { path: path.to_owned(), mode: mode & 0o777 }));
    }
    let bytes = contents(&mut file)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(match Secret::from_password(line) {
        Some(secret @ Secret::Clear(_)) => Ok(secret),
        _ => Err(PasswordFileError::Unusable { path: path.to_owned() }),
    })
}

fn contents(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = MAX_PASSWORD + 3;
    // Room for all of it, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 64));
    file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("headgate-admin-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn mode(&self, path: &Path, mode: u32) {
            fs::set_permissions(self.0.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let folder = Folder::new("made");
        let (path, secret) = load_or_make(&folder.0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim_end().len(), 2 * BYTES);
        assert!(Secret::from_password(text.trim_end().as_bytes()).unwrap().same_as(&secret));
        assert!(load_or_make(&folder.0).unwrap().1.same_as(&secret));
        let other = Folder::new("other");
        assert!(!load_or_make(&other.0).unwrap().1.same_as(&secret));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_others_may_read_or_replace_is_refused() {
        let folder = Folder::new("open");
        let (path, _) = load_or_make(&folder.0).unwrap();
        folder.mode(&path, 0o640);
        assert!(matches!(load_or_make(&folder.0), Err(PasswordFileError::Readable { mode: 0o640, .. })));
        folder.mode(&path, 0o600);
        folder.mode(Path::new("."), 0o777);
        assert!(matches!(load_or_make(&folder.0), Err(PasswordFileError::Open { .. })));
        folder.mode(Path::new("."), 0o1777);
        assert!(load_or_make(&folder.0).is_ok());
    }

    #[test]
    fn an_empty_file_lets_nobody_in() {
        let folder = Folder::new("empty");
        let (path, _) = load_or_make(&folder.0).unwrap();
        for contents in [&b""[..], b"\n", &[b'x'; MAX_PASSWORD + 1]] {
            fs::write(&path, contents).unwrap();
            assert!(matches!(load_or_make(&folder.0), Err(PasswordFileError::Unusable { .. })));
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = Folder::new("link");
        fs::write(folder.0.join("target"), "password").unwrap();
        folder.mode(Path::new("target"), 0o600);
        std::os::unix::fs::symlink("target", folder.0.join(NAME)).unwrap();
        assert!(matches!(load_or_make(&folder.0), Err(PasswordFileError::Io { action: "read", .. })));
    }
}
