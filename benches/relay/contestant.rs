//! What is measured: a way to the servers.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use headgate::lab::{Cluster, Headgate, Node, headgate as starting, tools};

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
    /// The same with the primary alone, so that all who wait stand in one line.
    SharedOne,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Direct,
        Self::Haproxy,
        Self::HaproxyThreads,
        Self::Router,
        Self::MultiThread,
        Self::PerCore,
        Self::Shared,
        Self::SharedOne,
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
            Self::SharedOne => "headgate-shared-one",
        }
    }

    /// Whether it takes part without being asked for.
    pub(crate) fn is_usual(self) -> bool {
        !matches!(self, Self::HaproxyThreads | Self::Shared | Self::SharedOne)
    }

    /// Whether it is one of Headgate.
    fn is_headgate(self) -> bool {
        matches!(self, Self::MultiThread | Self::PerCore | Self::Shared | Self::SharedOne)
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
    /// Of another build than its namesake, to see in one run what a change has changed.
    is_beside: bool,
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
        let mut contestants = Vec::new();
        for kind in options.contestants() {
            let failed = || format!("cannot start {}", kind.name());
            contestants.push(Contestant::start(kind, cluster).with_context(failed)?);
            if let Some(program) = options.beside.as_deref().filter(|_| kind.is_headgate()) {
                contestants.push(Contestant::of_build(kind, program, cluster).with_context(failed)?);
            }
        }
        Ok(Self { contestants })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let name = |contestant: &Contestant| match contestant.is_beside {
            true => format!("{} beside", contestant.kind.name()),
            false => contestant.kind.name().to_owned(),
        };
        self.contestants.iter().map(name).collect()
    }

    pub(crate) fn index(&self, kind: Kind) -> Option<usize> {
        self.contestants.iter().position(|contestant| contestant.kind == kind && !contestant.is_beside)
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
            Kind::Direct => {
                Self { kind, is_beside: false, address: primary, meter: None, _process: Process::None }
            }
            Kind::Haproxy => Self::haproxy(kind, folder, primary, "    nbthread 1\n")?,
            Kind::HaproxyThreads => Self::haproxy(kind, folder, primary, "")?,
            Kind::Router => Self::router(folder, primary)?,
            Kind::MultiThread | Kind::PerCore | Kind::Shared | Kind::SharedOne => {
                let program = Path::new(env!("CARGO_BIN_EXE_headgate"));
                Self { is_beside: false, ..Self::of_build(kind, program, cluster)? }
            }
        })
    }

    /// A Headgate of some build.
    fn of_build(kind: Kind, program: &Path, cluster: &Cluster) -> Result<Self> {
        let servers: Vec<SocketAddr> = match kind {
            Kind::SharedOne => vec![cluster.primary().address()],
            _ => cluster.nodes().iter().map(Node::address).collect(),
        };
        let mut options = starting::Options::default()
            .argument(format!(
                "--runtime={}",
                if kind == Kind::PerCore { "per-core" } else { "multi-thread" }
            ))
            .argument("--backend-tls=disabled")
            .argument("--log=warn");
        let mode = if matches!(kind, Kind::Shared | Kind::SharedOne) { SHARED } else { KEEPING };
        options = mode.iter().fold(options, |options, argument| options.argument(*argument));
        let headgate = Headgate::start(program, &servers, &options)?;
        let (address, meter) = (headgate.address(), Some(Meter::of(headgate.pid())));
        Ok(Self { kind, is_beside: true, address, meter, _process: Process::Headgate(headgate) })
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
        Ok(Self { kind, is_beside: false, address, meter, _process: process })
    }
}

/// With this each client has a connection, as with the others of the field.
const KEEPING: &[&str] = &["--pool-mode=session"];

/// What lets clients share connections.
const SHARED: &[&str] =
    &["--pool-mode=transaction", "--max-connections-per-server=20", "--pool-wait-timeout=60s"];

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}
