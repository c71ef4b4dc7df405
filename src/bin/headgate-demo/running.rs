//! What a running demonstration leaves for `./demo sql` and `./demo console` to find it by.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use headgate::lab::{Flavor, cached};

/// How a running demonstration is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) flavor: Flavor,
    pub(crate) clients: SocketAddr,
    pub(crate) console: SocketAddr,
    /// The file with the console's password.
    pub(crate) password_file: PathBuf,
}

/// The note of this demonstration. Gone with this value; one left by a demonstration that was
/// killed is told by its lock, which nobody holds any more.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    _lock: File,
}

impl Note {
    pub(crate) fn leave(place: &Place) -> Result<Self> {
        let folder = folder()?;
        // Under its own name once it is locked: before, it would look like one left behind.
        let (new, path) = (folder.join(".new"), folder.join(process::id().to_string()));
        let mut open = File::options();
        open.write(true).create(true).truncate(true).mode(0o600);
        let mut file = open.open(&new).with_context(|| format!("cannot create {}", new.display()))?;
        file.lock().context("cannot lock the note of this demonstration")?;
        file.write_all(place.to_text().as_bytes()).context("cannot write the note of this demonstration")?;
        fs::rename(&new, &path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// One demonstration at a time chooses ports and has its Headgate take them.
pub(crate) fn take_turns() -> Result<File> {
    let path = folder()?.join(".turn");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().context("cannot wait for another demonstration")?;
    Ok(file)
}

/// The demonstration that serves clients on `port`, or the one started last.
pub(crate) fn find(port: Option<u16>) -> Result<Place> {
    let mut places = running(&folder()?)?;
    places.retain(|(_, place)| port.is_none_or(|port| place.clients.port() == port));
    match (places.into_iter().max_by_key(|(begun, _)| *begun), port) {
        (Some((_, place)), _) => Ok(place),
        (None, Some(port)) => bail!("no demonstration serves port {port}; start one with ./demo"),
        (None, None) => bail!("no demonstration is running; start one with ./demo in another terminal"),
    }
}

/// A folder in the user's own cache, where nobody else may look.
fn folder() -> Result<PathBuf> {
    let folder = cached("demo", |_| Ok(()))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot close {} to others", folder.display()))?;
    Ok(folder)
}

/// All that run, and when each began.
fn running(folder: &Path) -> Result<Vec<(SystemTime, Place)>> {
    let mut places = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let Ok(mut file) = File::open(&path) else { continue };
        if file.try_lock_shared().is_ok() {
            let _ = fs::remove_file(&path);
            continue;
        }
        let mut text = String::new();
        if file.rewind().and_then(|()| file.read_to_string(&mut text)).is_err() {
            continue;
        }
        let begun = file.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        places.extend(Place::from_text(&text).map(|place| (begun, place)));
    }
    Ok(places)
}

impl Place {
    fn to_text(&self) -> String {
        let family = match self.flavor {
            Flavor::MySql => "mysql",
            Flavor::MariaDb => "mariadb",
        };
        format!("{family}\n{}\n{}\n{}\n", self.clients, self.console, self.password_file.display())
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let flavor = match lines.next()? {
            "mysql" => Flavor::MySql,
            "mariadb" => Flavor::MariaDb,
            _ => return None,
        };
        let (clients, console) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
        Some(Self { flavor, clients, console, password_file: lines.next()?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let check = |flavor| {
            let place = Place {
                flavor,
                clients: ([127, 0, 0, 1], 4306).into(),
                console: ([127, 0, 0, 1], 4307).into(),
                password_file: "/tmp/a folder/admin-password".into(),
            };
            assert_eq!(Place::from_text(&place.to_text()), Some(place));
        };
        check(Flavor::MySql);
        check(Flavor::MariaDb);
        assert_eq!(Place::from_text("mysql\n127.0.0.1:4306\n"), None);
    }
}
