//! A primary and its replicas.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::{self, Runtime};

use super::accounts::{ACCOUNTS, Account, Accounts, DATABASE};
use super::builder::Builder;
use super::error::{LabError, Result};
use super::flavor::Flavor;
use super::node::Node;
use super::replication;
use super::workspace::Workspace;

/// A running cluster. Dropping it ends its servers and removes all they wrote.
pub struct Cluster {
    pub(super) version: String,
    pub(super) ca: Option<PathBuf>,
    // Nodes go before the folder they live in, the runtime of their links last.
    pub(super) nodes: Vec<Node>,
    pub(super) workspace: Workspace,
    pub(super) _runtime: LabRuntime,
}

impl Cluster {
    /// Describes a cluster to start.
    pub fn builder(flavor: Flavor) -> Builder {
        Builder::new(flavor)
    }

    pub fn flavor(&self) -> Flavor {
        self.primary().flavor()
    }

    /// The servers' version, `MAJOR.MINOR.PATCH`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The node started as primary.
    pub fn primary(&self) -> &Node {
        &self.nodes[0]
    }

    /// The nodes started as replicas.
    pub fn replicas(&self) -> &[Node] {
        self.nodes.get(1..).unwrap_or_default()
    }

    /// The primary, then the replicas.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn accounts(&self) -> &'static Accounts {
        &ACCOUNTS
    }

    /// The certificate authority of a cluster built with [`Tls::Ca`](super::Tls::Ca), in PEM.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The cluster's folder, gone with it: a place for a test's own files.
    pub fn folder(&self) -> &Path {
        self.workspace.folder()
    }

    /// The address of a node as drivers take it: `mysql://user:password@host:port/app`.
    pub fn dsn(&self, node: &Node, account: Account) -> String {
        let Account { user, password } = account;
        format!("mysql://{user}:{password}@{}/{DATABASE}", node.address())
    }

    /// Waits until every running replica has executed what the primary has now.
    ///
    /// # Errors
    /// One of them has not within `limit`, or cannot be asked.
    pub async fn wait_caught_up(&self, limit: Duration) -> Result<()> {
        let position = replication::position(self.primary()).await?;
        for replica in self.replicas().iter().filter(|replica| replica.is_running()) {
            replication::reach(replica, &position, limit).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("version", &self.version)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

/// The laboratory's own runtime: links go on and statements are answered whatever the caller does
/// with his, a paused clock or a blocked thread included.
pub(super) struct LabRuntime(Option<Runtime>);

impl LabRuntime {
    pub(super) fn start() -> Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("headgate-lab")
            .enable_all()
            .build()
            .map_err(|source| LabError::Runtime { source })?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Result<runtime::Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone()).ok_or(LabError::Cancelled)
    }
}

impl Drop for LabRuntime {
    fn drop(&mut self) {
        // A plain drop would panic on a caller's async thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
