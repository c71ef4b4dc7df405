//! The control account: made with a password that nobody has to think of.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use super::write::Aside;
use crate::app::survey::Caller;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection};
use crate::probing::grants::{Grantee, Statement, Weight, create_user, needs, statements};
use crate::probing::survey::Told;
use crate::runtime::clock;
use crate::topology::Address;

/// For one statement.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a new account may take to reach the replicas.
const TO_REPLICAS: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// Characters of which six random bits choose one. None of them means anything in SQL or in a file.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const RANDOM_CHARACTERS: usize = 32;

/// Has a character of every kind, for servers that ask for that (validate_password).
const OF_EVERY_KIND: &str = "-aA1";

/// Makes the account on the primary, with all it may hold, and puts its password into a file of its own.
/// Either both are there in the end, or neither.
pub(super) async fn create(
    primary: (&Address, &Told),
    administrator: &Caller,
    to: Grantee<'_>,
    file: &Path,
) -> anyhow::Result<Secret> {
    let (address, told) = primary;
    let password = new_password()?;
    let mut contents = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    contents.extend_from_slice(password.as_bytes());
    contents.push(b'\n');
    // First, since an account whose password is lost is of no use.
    let written = Aside::write(file, &contents, 0o600, false).and_then(Aside::put);
    written.with_context(|| format!("{} cannot be written", file.display()))?;
    let made = async {
        let mut connection = administrator.open(address).await?;
        make(&mut connection, told, to, &password).await
    };
    if let Err(error) = made.await {
        // It was made a moment ago, and opens nothing.
        let _ = fs::remove_file(file);
        return Err(
            anyhow::Error::new(error).context(format!("the account {to} could not be made on {address}"))
        );
    }
    Secret::from_password(password.as_bytes()).context("the password is too long")
}

async fn make(
    connection: &mut Connection,
    told: &Told,
    to: Grantee<'_>,
    password: &str,
) -> Result<(), BackendError> {
    let create = Zeroizing::new(format!("{} '{password}'", create_user(told.flavor, to)));
    connection.query(&create, PATIENCE).await?;
    for statement in statements(needs(told.flavor, told.version_number), to) {
        if let Err(error) = connection.query(&statement.sql, PATIENCE).await {
            // What it lacks would be found out one by one.
            let _ = connection.query(&format!("DROP USER {to}"), PATIENCE).await;
            return Err(error);
        }
    }
    Ok(())
}

/// Whether there is an account of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Already,
    NotYet,
}

/// How a person makes the account: the statements with what they are for, and where the password belongs.
pub(super) fn instructions(primary: (&Address, &Told), to: Grantee<'_>, made: Made, file: &Path) -> String {
    let (address, told) = primary;
    let line = |statement: &Statement| {
        let optional = if statement.weight == Weight::Optional { "optional: " } else { "" };
        let meanings: Vec<&str> = statement.features.iter().map(|feature| feature.meaning()).collect();
        format!("    {};\n        -- {optional}{}\n", statement.sql, meanings.join("; "))
    };
    let grants: String = statements(needs(told.flavor, told.version_number), to).iter().map(line).collect();
    let (there, create, instead) = match made {
        Made::Already => (", which exists already,", String::new(), ""),
        Made::NotYet => (
            "",
            format!("    {} '…';\n", create_user(told.flavor, to)),
            "\nor let this be done for you: run it again with --force --create-account",
        ),
    };
    format!(
        "\nthe control account {to}{there} needs this on {address}, from where it replicates (docs/grants.md):\n\n\
         {create}{grants}\nput its password, and nothing else, into {} (chmod 600){instead}",
        file.display()
    )
}

/// Waits until the account can log in everywhere; says where it cannot.
pub(super) async fn wait_for(servers: &[Address], control: &Caller) -> anyhow::Result<()> {
    let deadline = clock::now() + TO_REPLICAS;
    for server in servers {
        while let Err(error) = control.open(server).await {
            if clock::now() >= deadline {
                bail!("the new account cannot log in on {server}: {error}");
            }
            clock::sleep(POLL).await;
        }
    }
    Ok(())
}

fn new_password() -> anyhow::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; RANDOM_CHARACTERS]);
    if aws_lc_rs::rand::fill(random.as_mut()).is_err() {
        bail!("the system gives no random numbers");
    }
    Ok(password_of(&random))
}

fn password_of(random: &[u8; RANDOM_CHARACTERS]) -> Zeroizing<String> {
    let mut password = Zeroizing::new(String::with_capacity(RANDOM_CHARACTERS + OF_EVERY_KIND.len()));
    for byte in random {
        let character = ALPHABET.get(usize::from(byte & 63)).copied().unwrap_or(b'A');
        password.push(char::from(character));
    }
    password.push_str(OF_EVERY_KIND);
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_random_and_need_no_quoting() {
        let (one, other) = (new_password().unwrap(), new_password().unwrap());
        assert_ne!(*one, *other);
        for password in [one, other, password_of(&[0; 32]), password_of(&[255; 32])] {
            assert_eq!(password.len(), 36);
            assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }
    }
}
