//! What must outlive Headgate, in a small file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use crate::election::{Stage, State};
use crate::topology::{Address, Epoch};

/// The name of the file in the state directory.
const FILE: &str = "failover.toml";

/// Why the state cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("{} cannot be read or written: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says what no Headgate has written.
    #[error("{} is no state of Headgate's: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A server is not known any more.
    #[error("{} names {server}, which is none of the servers; put it back into servers.addresses, or remove the file \
             where that server is gone for good", path.display())]
    UnknownServer {
        /// The file.
        path: PathBuf,
        /// The server.
        server: String,
    },
}

/// The state as it stands in the file. Servers are named by their addresses, since their numbers are for one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    epoch: u64,
    primary: String,
    before: Option<String>,
    stage: Word,
    candidate: Option<String>,
    stopped: bool,
    cooling: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Settled,
    Changing,
    Promoting,
}

/// Writes the state, so that it is there after a crash of the machine too: into another file first, which takes the
/// place of the one before once it is on the disk.
pub(super) fn save(folder: &Path, directory: &Directory, state: &State) -> Result<(), StateError> {
    let path = folder.join(FILE);
    let name = |server| {
        directory
            .address(server)
            .ok_or_else(|| StateError::UnknownServer { path: path.clone(), server: server.to_string() })
    };
    let (stage, candidate) = match state.stage {
        Stage::Settled => (Word::Settled, None),
        Stage::Changing => (Word::Changing, None),
        Stage::Promoting { candidate } => (Word::Promoting, Some(name(candidate)?)),
    };
    let written = Written {
        epoch: state.epoch.0,
        primary: name(state.primary)?,
        before: state.before.map(name).transpose()?,
        stage,
        candidate,
        stopped: state.stopped,
        cooling: state.cooling,
    };
    let text = toml::to_string(&written)
        .map_err(|error| StateError::Unreadable { path: path.clone(), problem: error.to_string() })?;
    put(&path, &text).map_err(|source| StateError::File { path, source })
}

/// Puts a text in the place of a file, all of it or nothing.
pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether an earlier run has kept anything.
pub(super) fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// The addresses of the servers that an earlier run knew as primaries: one that was found would not be found again while
/// nobody is up who tells of it.
#[must_use]
pub fn remembered(folder: &Path) -> Vec<Address> {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let Ok(written) = toml::from_str::<Written>(&text) else { return Vec::new() };
    let names = [Some(written.primary), written.candidate, written.before];
    names.into_iter().flatten().filter_map(|name| name.parse().ok()).collect()
}

/// Reads the state. Nothing where none was written.
pub(super) fn load(folder: &Path, directory: &Directory) -> Result<Option<State>, StateError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::File { path, source }),
    };
    let unreadable = |problem: String| StateError::Unreadable { path: path.clone(), problem };
    let written: Written = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let server = |address: &str| {
        directory
            .server(address)
            .ok_or_else(|| StateError::UnknownServer { path: path.clone(), server: address.to_owned() })
    };
    let stage = match (written.stage, &written.candidate) {
        (Word::Settled, _) => Stage::Settled,
        (Word::Changing, _) => Stage::Changing,
        (Word::Promoting, Some(candidate)) => Stage::Promoting { candidate: server(candidate)? },
        (Word::Promoting, None) => return Err(unreadable("it does not say who was being promoted".into())),
    };
    Ok(Some(State {
        epoch: Epoch(written.epoch),
        primary: server(&written.primary)?,
        before: written.before.as_deref().map(server).transpose()?,
        stage,
        stopped: written.stopped,
        cooling: written.cooling,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::backend::Target;
    use crate::net::tls::{ClientSettings, ClientTls, Mode};
    use crate::topology::{Address, ServerId};

    fn directory() -> Directory {
        let settings = ClientSettings { mode: Mode::Disabled, ca: None, certificate: None };
        let tls = Arc::new(arc_swap::ArcSwap::from_pointee(ClientTls::load(&settings).unwrap()));
        let target = |number: u16| Target {
            server: ServerId(number),
            address: Address::Tcp { host: format!("db{number}"), port: 3306 },
            only: None,
            tls: Arc::clone(&tls),
            timeout: std::time::Duration::from_secs(1),
            announced: None,
        };
        let directory = Directory::default();
        directory.follow(&[target(0), target(1)]);
        directory
    }

    #[test]
    fn what_was_saved_is_found() {
        let folder = std::env::temp_dir().join(format!("headgate-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let directory = directory();
        assert_eq!(load(&folder, &directory).unwrap(), None);
        for stage in [Stage::Settled, Stage::Changing, Stage::Promoting { candidate: ServerId(1) }] {
            let state = State {
                epoch: Epoch(7),
                primary: ServerId(0),
                before: Some(ServerId(1)),
                stage,
                stopped: true,
                cooling: false,
            };
            save(&folder, &directory, &state).unwrap();
            assert_eq!(load(&folder, &directory).unwrap(), Some(state));
        }
        for text in [
            "epoch = 1",
            "nonsense",
            "epoch = 1\nprimary = 'db9:3306'\nstage = 'settled'\nstopped = false\ncooling = false",
        ] {
            fs::write(folder.join(FILE), text).unwrap();
            assert!(load(&folder, &directory).is_err(), "{text}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
