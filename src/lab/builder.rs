//! What a cluster is to be, and starting it.

use std::fs;
use std::path::Path;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::certificates::{Authority, ServerFiles};
use super::cluster::{Cluster, LabRuntime};
use super::error::{AtPath, LabError, Result};
use super::flavor::Flavor;
use super::link::Link;
use super::node::{Node, Role};
use super::ports::Port;
use super::replication::{self, Source};
use super::server::Server;
use super::template;
use super::workspace::Workspace;

/// How the servers speak TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// As an untouched installation: MySQL with the certificate it made for itself, MariaDB without
    /// before 11.4.
    #[default]
    ServerDefault,
    Off,
    /// With a certificate for `localhost`, 127.0.0.1 and ::1, from an authority of the cluster's own
    /// ([`Cluster::ca`]).
    Ca,
}

/// A cluster to be; made by [`Cluster::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until started"]
pub struct Builder {
    flavor: Flavor,
    replicas: u16,
    semi_sync: bool,
    tls: Tls,
    relays: bool,
    general_log: bool,
    performance_schema: Option<bool>,
    max_connections: Option<u32>,
    options: Vec<String>,
}

impl Builder {
    pub(super) fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            replicas: 2,
            semi_sync: false,
            tls: Tls::default(),
            relays: true,
            general_log: false,
            performance_schema: None,
            max_connections: None,
            options: Vec::new(),
        }
    }

    /// How many replicas follow the primary; 2 unless told.
    pub fn replicas(mut self, replicas: u16) -> Self {
        self.replicas = replicas;
        self
    }

    /// Semi-synchronous replication, with the servers' default time-out.
    pub fn semi_sync(mut self, semi_sync: bool) -> Self {
        self.semi_sync = semi_sync;
        self
    }

    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Whether links stand before the nodes and between replicas and primary; they do unless told.
    /// Without them nothing but the servers themselves takes time: for measurements.
    pub fn relays(mut self, relays: bool) -> Self {
        self.relays = relays;
        self
    }

    /// Writes every node's general log from the start; see [`Node::general_log`].
    pub fn general_log(mut self, general_log: bool) -> Self {
        self.general_log = general_log;
        self
    }

    /// The servers' default (on for MySQL, off for MariaDB) unless told. Off saves 250 MB a node.
    pub fn performance_schema(mut self, on: bool) -> Self {
        self.performance_schema = Some(on);
        self
    }

    pub fn max_connections(mut self, limit: u32) -> Self {
        self.max_connections = Some(limit);
        self
    }

    /// An option for every node, `name=value`; it wins over the laboratory's own.
    pub fn server_option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Starts the cluster and returns when every replica replicates.
    ///
    /// # Errors
    /// No server to be found or fetched, or one that does not start; the end of its log is shown.
    pub async fn start(self) -> Result<Cluster> {
        let runtime = LabRuntime::start()?;
        let handle = runtime.handle()?;
        let assembly = handle.spawn(self.assemble(handle.clone()));
        let (version, ca, nodes, workspace) = assembly.await.map_err(|_| LabError::Cancelled)??;
        Ok(Cluster { version, ca, nodes, workspace, _runtime: runtime })
    }

    async fn assemble(self, runtime: Handle) -> Result<Parts> {
        let tls = self.tls;
        let encrypted = tls == Tls::Ca;
        let this = self.clone();
        let handle = runtime.clone();
        let plan = runtime.spawn_blocking(move || this.prepare(&handle));
        let Plan { version, ca, mut nodes, workspace } = plan.await.map_err(|_| LabError::Cancelled)??;
        if self.relays {
            self.open_links(&mut nodes, &workspace, &runtime).await?;
        }
        for node in &mut nodes {
            let options = self.node_options(node);
            node.options.splice(0..0, options);
        }
        let mut nodes = start_all(nodes).await?;
        nodes.sort_by_key(|node| node.server_id);
        let primary = nodes.first().map(Node::direct_address);
        for replica in nodes.iter().filter(|node| node.role == Role::Replica) {
            let address = replica.replication.as_ref().map(Link::address).or(primary);
            if let Some(address) = address {
                replication::follow(replica, Source { address, encrypted }).await?;
            }
        }
        Ok((version, ca, nodes, workspace))
    }

    /// Everything that blocks: programs, folders, data directories, certificates, ports.
    fn prepare(&self, runtime: &Handle) -> Result<Plan> {
        let server = Server::locate(self.flavor)?;
        let template = template::locate(&server)?;
        let workspace = Workspace::create()?;
        let authority = match self.tls {
            Tls::Ca => Some(Authority::create(workspace.folder())?),
            Tls::ServerDefault | Tls::Off => None,
        };
        let mut nodes = Vec::new();
        for number in 0..=self.replicas {
            let (role, name) = match number {
                0 => (Role::Primary, "primary".to_owned()),
                _ => (Role::Replica, format!("replica-{number}")),
            };
            let folder = workspace.folder().join(format!("n{number}"));
            fs::create_dir_all(folder.join("tmp")).at("create", &folder)?;
            template::copy(&template, &folder.join("data"))?;
            let options = match &authority {
                Some(authority) => certificate_options(&authority.issue(&folder)?),
                None => Vec::new(),
            };
            nodes.push(Node {
                name,
                role,
                server_id: 1 + u32::from(number),
                server: server.clone(),
                options,
                folder,
                port: Port::reserve(workspace.ports())?,
                link: None,
                replication: None,
                process: Mutex::new(None),
                runtime: runtime.clone(),
            });
        }
        let ca = authority.map(|authority| authority.ca().to_owned());
        Ok(Plan { version: server.version_text(), ca, nodes, workspace })
    }

    async fn open_links(&self, nodes: &mut [Node], workspace: &Workspace, runtime: &Handle) -> Result<()> {
        let Some(primary) = nodes.first().map(Node::direct_address) else { return Ok(()) };
        for node in nodes {
            let port = Port::reserve(workspace.ports())?;
            node.link = Some(Link::open(port, node.direct_address(), runtime).await?);
            if node.role == Role::Replica {
                let port = Port::reserve(workspace.ports())?;
                node.replication = Some(Link::open(port, primary, runtime).await?);
            }
        }
        Ok(())
    }

    fn node_options(&self, node: &Node) -> Vec<String> {
        let folder = node.folder();
        let mut options = vec![
            format!("--port={}", node.direct_address().port()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--socket={}", node.socket().display()),
            format!("--pid-file={}", folder.join("pid").display()),
            format!("--tmpdir={}", folder.join("tmp").display()),
            format!("--server-id={}", node.server_id),
            format!("--report-host={}", node.address().ip()),
            format!("--report-port={}", node.address().port()),
            format!("--general-log-file={}", folder.join("general.log").display()),
            format!("--general-log={}", u8::from(self.general_log)),
            "--log-bin=binlog".to_owned(),
        ];
        options.extend(self.replication_options(node.role).iter().map(|option| (*option).to_owned()));
        if self.tls == Tls::Off {
            options.push(match self.flavor {
                Flavor::MySql => "--tls-version=".to_owned(),
                Flavor::MariaDb => "--skip-ssl".to_owned(),
            });
        }
        if let Some(on) = self.performance_schema {
            options.push(format!("--performance-schema={}", if on { "ON" } else { "OFF" }));
        }
        if let Some(limit) = self.max_connections {
            options.push(format!("--max-connections={limit}"));
        }
        options.extend(self.options.iter().map(|option| format!("--{}", option.trim_start_matches("--"))));
        options
    }

    fn replication_options(&self, role: Role) -> Vec<&'static str> {
        let mut options = match self.flavor {
            Flavor::MySql => vec!["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
            // Without it a replica could not be promoted; MySQL has it on.
            Flavor::MariaDb => vec!["--log-slave-updates=ON"],
        };
        if role == Role::Replica {
            options.push("--read-only=ON");
            if self.flavor == Flavor::MySql {
                options.push("--super-read-only=ON");
            }
        }
        if self.semi_sync {
            if self.flavor == Flavor::MySql {
                // Both on every node, since roles change. MariaDB has them built in.
                options.push("--plugin-load-add=semisync_source.so;semisync_replica.so");
            }
            options.push(match (self.flavor, role) {
                (Flavor::MySql, Role::Primary) => "--rpl-semi-sync-source-enabled=ON",
                (Flavor::MySql, Role::Replica) => "--rpl-semi-sync-replica-enabled=ON",
                (Flavor::MariaDb, Role::Primary) => "--rpl-semi-sync-master-enabled=ON",
                (Flavor::MariaDb, Role::Replica) => "--rpl-semi-sync-slave-enabled=ON",
            });
        }
        options
    }
}

type Parts = (String, Option<std::path::PathBuf>, Vec<Node>, Workspace);

/// Nodes with nothing running yet. Nodes before workspace: they are dropped in this order.
struct Plan {
    version: String,
    ca: Option<std::path::PathBuf>,
    nodes: Vec<Node>,
    workspace: Workspace,
}

async fn start_all(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let mut starting = JoinSet::new();
    for node in nodes {
        starting.spawn(async move { node.start().await.map(|()| node) });
    }
    let mut started = Vec::new();
    while let Some(node) = starting.join_next().await {
        started.push(node.map_err(|_| LabError::Cancelled)??);
    }
    Ok(started)
}

fn certificate_options(files: &ServerFiles) -> Vec<String> {
    let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
    vec![option("ssl-ca", &files.ca), option("ssl-cert", &files.certificate), option("ssl-key", &files.key)]
}
