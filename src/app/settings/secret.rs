//! The control account's password: where it comes from, and how it is held.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use zeroize::{Zeroize, Zeroizing};

/// The environment variable that may hold the control account's password.
pub const CONTROL_PASSWORD_VARIABLE: &str = "HEADGATE_CONTROL_PASSWORD";

/// Longest password that is read, in bytes. MySQL and MariaDB take at most 256.
const LONGEST: usize = 1024;

/// Bytes that are wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; no copy is left behind.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Do not copy them into anything that is logged or outlives its use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where the password is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    File(PathBuf),
    /// The variable [`CONTROL_PASSWORD_VARIABLE`].
    Environment,
    /// Asked on the terminal, once, at the start.
    Prompt,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the password file {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the password from {origin} is longer than {LONGEST} bytes")]
    TooLong { origin: String },
    #[error("the environment variable {CONTROL_PASSWORD_VARIABLE} is not set")]
    NoVariable,
    #[error("the password could not be asked for on the terminal")]
    Prompt {
        #[source]
        source: io::Error,
    },
}

impl PasswordSource {
    /// Gets the password, calling `ask` where a person has to type it.
    pub fn fetch(&self, ask: impl FnOnce() -> io::Result<String>) -> Result<Secret, SecretError> {
        let (bytes, origin) = match self {
            Self::File(path) => {
                let bytes =
                    read_file(path).map_err(|source| SecretError::File { path: path.clone(), source })?;
                (bytes, path.display().to_string())
            }
            Self::Environment => {
                let text = std::env::var_os(CONTROL_PASSWORD_VARIABLE).ok_or(SecretError::NoVariable)?;
                (text.into_vec(), CONTROL_PASSWORD_VARIABLE.to_owned())
            }
            Self::Prompt => {
                let text = ask().map_err(|source| SecretError::Prompt { source })?;
                (text.into_bytes(), "the terminal".to_owned())
            }
        };
        let secret = Secret::new(bytes);
        if secret.expose().len() > LONGEST {
            return Err(SecretError::TooLong { origin });
        }
        Ok(secret)
    }
}

/// Reads a password file, without the one line end that editors leave at its end.
fn read_file(path: &PathBuf) -> io::Result<Vec<u8>> {
    // Room for everything that will be read, so that growing leaves no copy behind.
    let mut bytes = Vec::with_capacity(LONGEST + 64);
    let limit = u64::try_from(LONGEST + 3).unwrap_or(u64::MAX);
    if let Err(error) = File::open(path)?.take(limit).read_to_end(&mut bytes) {
        bytes.zeroize();
        return Err(error);
    }
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

    fn from_file(name: &str, contents: &[u8]) -> Result<Secret, SecretError> {
        let path = std::env::temp_dir().join(format!("headgate-secret-{}-{name}", std::process::id()));
        std::fs::write(&path, contents).unwrap();
        let secret = PasswordSource::File(path.clone()).fetch(unasked);
        std::fs::remove_file(path).unwrap();
        secret
    }

    #[test]
    fn one_line_end_is_not_part_of_the_password() {
        let check = |name: &str, contents: &[u8], password: &[u8]| {
            assert_eq!(from_file(name, contents).unwrap().expose(), password, "{name}");
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
        assert!(matches!(from_file("long", &[b'x'; 5000]), Err(SecretError::TooLong { .. })));
        let missing = PasswordSource::File("/nonexistent/password".into()).fetch(unasked);
        assert!(matches!(missing, Err(SecretError::File { .. })));
        let closed = PasswordSource::Prompt.fetch(|| Err(io::ErrorKind::UnexpectedEof.into()));
        assert!(matches!(closed, Err(SecretError::Prompt { .. })));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = PasswordSource::Prompt.fetch(|| Ok("s3cret".to_owned())).unwrap();
        assert_eq!(secret.expose(), b"s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
    }
}
