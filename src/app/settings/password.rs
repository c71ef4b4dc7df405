//! The control account's password and where it comes from.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::auth::{MAX_PASSWORD, Secret};

/// The environment variable that may hold the control account's password.
pub const CONTROL_PASSWORD_VARIABLE: &str = "HEADGATE_CONTROL_PASSWORD";

/// The environment variable that may hold the password of the administrator as whom `headgate init` asks.
pub const ADMINISTRATOR_PASSWORD_VARIABLE: &str = "HEADGATE_INIT_PASSWORD";

/// Where a password is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    File(PathBuf),
    /// The variable of this name.
    Environment(&'static str),
    /// Asked on the terminal, once, at the start.
    Prompt,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("the password file {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the password from {origin} is longer than {MAX_PASSWORD} bytes")]
    TooLong { origin: String },
    #[error("the environment variable {name} is not set")]
    NoVariable { name: &'static str },
    #[error("there is no password: give --password-file FILE, or set {ADMINISTRATOR_PASSWORD_VARIABLE}")]
    Nowhere,
    #[error("the password could not be asked for on the terminal")]
    Prompt {
        #[source]
        source: io::Error,
    },
}

impl PasswordSource {
    /// Where `headgate init` gets the administrator's password: the file named, else the environment, else a
    /// person at the terminal.
    pub fn of_administrator(file: Option<PathBuf>, terminal: bool) -> Result<Self, PasswordError> {
        match file {
            Some(path) => Ok(Self::File(path)),
            None if std::env::var_os(ADMINISTRATOR_PASSWORD_VARIABLE).is_some() => {
                Ok(Self::Environment(ADMINISTRATOR_PASSWORD_VARIABLE))
            }
            None if terminal => Ok(Self::Prompt),
            None => Err(PasswordError::Nowhere),
        }
    }

    /// Gets the password, calling `ask` where a person has to type it.
    pub fn fetch(&self, ask: impl FnOnce() -> io::Result<String>) -> Result<Secret, PasswordError> {
        let (bytes, origin) = match self {
            Self::File(path) => {
                let bytes =
                    read_file(path).map_err(|source| PasswordError::File { path: path.clone(), source })?;
                (bytes, path.display().to_string())
            }
            Self::Environment(name) => {
                let text = std::env::var_os(name).ok_or(PasswordError::NoVariable { name })?;
                (Zeroizing::new(text.into_vec()), (*name).to_owned())
            }
            Self::Prompt => {
                let text = ask().map_err(|source| PasswordError::Prompt { source })?;
                (Zeroizing::new(text.into_bytes()), "the terminal".to_owned())
            }
        };
        Secret::from_password(&bytes).ok_or(PasswordError::TooLong { origin })
    }
}

/// Reads a password file, without the one line end that editors leave at its end.
fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // One byte more than is allowed, and a line end.
    let most = MAX_PASSWORD + 3;
    // Room for everything that will be read, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 64));
    File::open(path)?.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unasked() -> io::Result<String> {
        panic!("nobody should be asked")
    }

    fn from_file(name: &str, contents: &[u8]) -> Result<Secret, PasswordError> {
        let path = std::env::temp_dir().join(format!("headgate-secret-{}-{name}", std::process::id()));
        std::fs::write(&path, contents).unwrap();
        let secret = PasswordSource::File(path.clone()).fetch(unasked);
        std::fs::remove_file(path).unwrap();
        secret
    }

    #[test]
    fn one_line_end_is_not_part_of_the_password() {
        let check = |name: &str, contents: &[u8], password: &[u8]| {
            let expected = Secret::from_password(password).unwrap().encode();
            assert_eq!(from_file(name, contents).unwrap().encode(), expected, "{name}");
        };
        check("bare", b"s3cret", b"s3cret");
        check("unix", b"s3cret\n", b"s3cret");
        check("dos", b"s3cret\r\n", b"s3cret");
        check("two", b"s3cret\n\n", b"s3cret\n");
        check("spaces", b" s3cret \n", b" s3cret ");
        check("bytes", b"\xff\xfe", b"\xff\xfe");
        check("empty", b"", b"");
    }

    #[test]
    fn what_is_no_password_is_refused() {
        assert!(matches!(from_file("long", &[b'x'; 5000]), Err(PasswordError::TooLong { .. })));
        let missing = PasswordSource::File("/nonexistent/password".into()).fetch(unasked);
        assert!(matches!(missing, Err(PasswordError::File { .. })));
        let closed = PasswordSource::Prompt.fetch(|| Err(io::ErrorKind::UnexpectedEof.into()));
        assert!(matches!(closed, Err(PasswordError::Prompt { .. })));
    }

    #[test]
    fn a_typed_password_is_taken_as_it_is() {
        let secret = PasswordSource::Prompt.fetch(|| Ok(" s3cret".to_owned())).unwrap();
        assert!(matches!(secret, Secret::Clear(password) if *password == *b" s3cret"));
    }
}
