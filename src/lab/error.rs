use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Why the laboratory could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot run {program}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} failed ({status}):\n{output}")]
    Failed { program: String, status: String, output: String },
    #[error("{what} is missing and cannot be fetched here: {why}")]
    Unavailable { what: String, why: String },
    #[error("{program} is not among the files of {package}")]
    NoSuchProgram { program: String, package: &'static str },
    #[error("no home for the cache: set HEADGATE_LAB_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    #[error("no free port left between {from} and {to}")]
    NoFreePort { from: u16, to: u16 },
    #[error("{node} ended while starting; the end of its log:\n{log}")]
    Died { node: String, log: String },
    #[error("{node} did not {what} within {limit:?}; the end of its log:\n{log}")]
    TooSlow { node: String, what: &'static str, limit: Duration, log: String },
    #[error("{node} refused {statement:?}")]
    Sql { node: String, statement: String, source: mysql_async::Error },
    #[error("{node} is not running")]
    NotRunning { node: String },
    #[error("{node} runs already")]
    AlreadyRunning { node: String },
    #[error("{node} is fed by no replication link: it is the primary, or the cluster has no relays")]
    NoReplicationLink { node: String },
    #[error("cannot make a certificate")]
    Certificate { source: rcgen::Error },
    #[error("cannot start the laboratory's own runtime")]
    Runtime { source: io::Error },
    #[error("the laboratory's own task was cancelled: the cluster is being dropped")]
    Cancelled,
}

/// Names the file and the action an `io::Error` belongs to.
pub(super) trait AtPath<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| LabError::File { action, path: path.to_owned(), source })
    }
}
