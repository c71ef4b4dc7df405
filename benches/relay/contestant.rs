//! What is measured: a way to the servers.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use headgate::lab::{Cluster, Headgate, Node, headgate as program, tools};

use super::meter::Meter;
use super::options::Options;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    /// One thread, which costs it least a statement.
    Haproxy,
    /// With its own default, one thread for each core.
    HaproxyThreads,
    Router,
    MultiThread,
    PerCore,
    /// Multi-threaded, with clients that share 20 connections to each server.
    Shared,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Direct,
        Self::Haproxy,
        Self::HaproxyThreads,
        Self::Router,
        Self::MultiThread,
        Self::PerCore,
        Self::Shared,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Haproxy => "haproxy",
            Self::HaproxyThreads => "haproxy-threads",
            Self::Router => "router",
            Self::MultiThread => "headgate-multi",
            Self::PerCore => "headgate-core",
            Self::Shared => "headgate-shared",
        }
    }

    /// Whether it takes part without being asked for.
    pub(crate) fn is_usual(self) -> bool {
        !matches!(self, Self::HaproxyThreads | Self::Shared)
    }

    /// The runtime model of a Headgate.
    pub(crate) fn headgate_runtime(self) -> Option<&'static str> {
        match self {
            Self::MultiThread => Some("multi-thread"),
            Self::PerCore => Some("per-core"),
            _ => None,
        }
    }
}

/// A way to the servers, ready for clients.
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// The proxy; nothing to be measured on the direct way.
    pub(crate) meter: Option<Meter>,
    _process: Process,
}

/// Ends with its owner.
enum Process {
    None,
    Other(Child),
    Headgate(#[allow(dead_code, reason = "held for its Drop")] Headgate),
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Other(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// All that take part, running side by side.
pub(crate) struct Field {
    pub(crate) contestants: Vec<Contestant>,
}

impl Field {
    pub(crate) fn start(cluster: &Cluster, options: &Options) -> Result<Self> {
        let start = |kind: Kind| {
            Contestant::start(kind, cluster).with_context(|| format!("cannot start {}", kind.name()))
        };
        let contestants = options.contestants().into_iter().map(start).collect::<Result<_>>()?;
        Ok(Self { contestants })
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.contestants.iter().map(|contestant| contestant.kind.name()).collect()
    }

    pub(crate) fn index(&self, kind: Kind) -> Option<usize> {
        self.contestants.iter().position(|contestant| contestant.kind == kind)
    }

    /// The contestants in the order of a round: each begins once, so that none always has the
    /// caches as the same other left them.
    pub(crate) fn order(&self, round: usize) -> impl Iterator<Item = (usize, &Contestant)> {
        let count = self.contestants.len();
        (0..count)
            .map(move |step| (step + round) % count)
            .filter_map(|index| Some((index, self.contestants.get(index)?)))
    }
}

impl Contestant {
    pub(crate) fn start(kind: Kind, cluster: &Cluster) -> Result<Self> {
        let folder = cluster.folder();
        let primary = cluster.primary().address();
        Ok(match kind {
            Kind::Direct => Self { kind, address: primary, meter: None, _process: Process::None },
            Kind::Haproxy => Self::haproxy(kind, folder, primary, "    nbthread 1\n")?,
            Kind::HaproxyThreads => Self::haproxy(kind, folder, primary, "")?,
            Kind::Router => Self::router(folder, primary)?,
            Kind::MultiThread => Self::headgate(kind, cluster, "multi-thread", &[])?,
            Kind::PerCore => Self::headgate(kind, cluster, "per-core", &[])?,
            Kind::Shared => Self::headgate(kind, cluster, "multi-thread", SHARED)?,
        })
    }

    fn haproxy(kind: Kind, folder: &Path, primary: SocketAddr, threads: &str) -> Result<Self> {
        let address = free_address()?;
        let path = folder.join(format!("{}.cfg", kind.name()));
        let settings = format!(
            "global\n    maxconn 4000\n{threads}\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n\
             listen mysql\n    bind {address}\n    server primary {primary}\n"
        );
        fs::write(&path, settings).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = tools::haproxy()?;
        command.arg("-db").arg("-f").arg(&path);
        Self::other(kind, address, command)
    }

    fn router(folder: &Path, primary: SocketAddr) -> Result<Self> {
        let address = free_address()?;
        let home = folder.join("router");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let path = home.join("router.conf");
        let plugins = tools::mysql_router_plugins()?;
        let settings = format!(
            "[DEFAULT]\nlogging_folder={home}\nruntime_folder={home}\ndata_folder={home}\nplugin_folder={plugins}\n\
             max_total_connections=5000\n\
             [logger]\nlevel=WARNING\n\
             [routing:primary]\nbind_address={ip}\nbind_port={port}\ndestinations={primary}\nprotocol=classic\n\
             routing_strategy=first-available\nclient_ssl_mode=PASSTHROUGH\nserver_ssl_mode=AS_CLIENT\nmax_connections=4000\n",
            home = home.display(),
            plugins = plugins.display(),
            ip = address.ip(),
            port = address.port(),
        );
        fs::write(&path, settings).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = tools::mysql_router()?;
        command.arg("-c").arg(&path);
        Self::other(Kind::Router, address, command)
    }

    fn other(kind: Kind, address: SocketAddr, mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        let meter = Some(Meter::of(child.id()));
        let mut process = Process::Other(child);
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            if let Process::Other(child) = &mut process
                && let Some(status) = child.try_wait()?
            {
                bail!("it ended with {status}");
            }
            if Instant::now() > end {
                bail!("it does not listen on {address}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { kind, address, meter, _process: process })
    }

    fn headgate(kind: Kind, cluster: &Cluster, runtime: &str, further: &[&str]) -> Result<Self> {
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        let options = program::Options::default()
            .argument(format!("--runtime={runtime}"))
            .argument("--backend-tls=disabled")
            .argument("--log=warn");
        let options = further.iter().fold(options, |options, further| options.argument(*further));
        let headgate = Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), &servers, &options)?;
        let (address, meter) = (headgate.address(), Some(Meter::of(headgate.pid())));
        Ok(Self { kind, address, meter, _process: Process::Headgate(headgate) })
    }
}

/// What lets clients share connections.
const SHARED: &[&str] =
    &["--pool-mode=transaction", "--max-connections-per-server=20", "--pool-wait-timeout=60s"];

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}
