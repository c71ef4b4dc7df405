//! What the keys mean together and on this machine.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use super::model::{
    Admin, BackendLink, CertificateFiles, Control, Doorway, Front, Log, Pool, Runtime, Settings,
};
use super::password::{CONTROL_PASSWORD_VARIABLE, PasswordSource};
use super::routing;
use super::{admission, failover};
use crate::config::{self, BackendTls, Endpoint, Place, Problem, Problems, Reading};
use crate::telemetry::logging;
use crate::topology::Address;
use crate::wire::capabilities::Capabilities;

/// What settings depend on besides the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Cores this process may use.
    pub cores: NonZeroUsize,
    /// The directory to use when `state.dir` is not set.
    pub state_dir: PathBuf,
    /// Whether the environment holds the control account's password.
    pub password_in_environment: bool,
    /// Whether there is a terminal to ask on.
    pub terminal: bool,
}

impl Surroundings {
    /// What is true of this process.
    pub fn of_process(terminal: bool) -> Self {
        Self {
            cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            state_dir: state_dir(|name| std::env::var_os(name).map(PathBuf::from)),
            password_in_environment: std::env::var_os(CONTROL_PASSWORD_VARIABLE).is_some(),
            terminal,
        }
    }
}

/// systemd's directory, else the user's (XDG base directory specification), else one here.
pub(super) fn state_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    // The specification has relative paths ignored.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    // systemd joins several directories with colons; the first is the one meant for us.
    let systemd = absolute("STATE_DIRECTORY")
        .and_then(|list| list.to_str().and_then(|list| list.split(':').next()).map(PathBuf::from));
    systemd
        .or_else(|| absolute("XDG_STATE_HOME").map(|dir| dir.join("headgate")))
        .or_else(|| absolute("HOME").map(|dir| dir.join(".local/state/headgate")))
        .unwrap_or_else(|| PathBuf::from("headgate-state"))
}

/// Turns what was read into settings, or says everything that is wrong: with single keys and with what
/// they mean together.
pub fn resolve(reading: &Reading, surroundings: &Surroundings) -> Result<Settings, Problems> {
    let mut resolver = Resolver { reading, surroundings, problems: reading.problems.clone() };
    match resolver.settings() {
        Some(settings) => Problems::or(resolver.problems, settings),
        None => Err(Problems::sorted(resolver.problems)),
    }
}

/// The file's form of an address is the file's own: it always names a port and reads back as written.
pub(super) fn address(endpoint: Endpoint) -> Address {
    match endpoint {
        Endpoint::Tcp { host, port } => Address::Tcp { host, port },
        Endpoint::Unix { path } => Address::Unix(path),
    }
}

pub(super) struct Resolver<'a> {
    pub(super) reading: &'a Reading,
    surroundings: &'a Surroundings,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    /// The settings; `None` only where a problem has been noted, here or by the range of a key.
    fn settings(&mut self) -> Option<Settings> {
        let config = &self.reading.config;
        self.log();
        let front = self.front();
        let servers = self.distinct("servers.addresses", &config.servers.addresses, "--server HOST:PORT");
        for server in servers.iter().filter(|server| matches!(server, Address::Tcp { port: 0, .. })) {
            let what = format!("servers.addresses: {server} has no port to connect to");
            self.problem(
                "servers.addresses",
                what,
                "write the port that the server listens on, such as 3306",
            );
        }
        let backend = self.backend();
        let control = self.control();
        Some(Settings {
            front: front?,
            admin: self.admin()?,
            http: config.listen.http.clone().on().map(address),
            servers,
            backend,
            control: control?,
            pool: self.pool()?,
            routing: routing::policy(config),
            preferences: routing::preferences(config),
            watch: routing::watch(self),
            discovery: routing::discovery(self),
            write_watch: routing::write_watch(self),
            failover: failover::failover(self),
            weights: routing::weights(self),
            runtime: Runtime {
                model: config.runtime.model,
                workers: usize::try_from(config.runtime.workers)
                    .ok()
                    .and_then(NonZeroUsize::new)
                    .unwrap_or(self.surroundings.cores),
            },
            state_dir: config.state.dir.clone().unwrap_or_else(|| self.surroundings.state_dir.clone()),
            log: Log { filter: config.log.filter.clone(), format: config.log.format },
        })
    }

    /// The outer `None` only for numbers that the ranges of the keys rule out.
    fn admin(&self) -> Option<Option<Admin>> {
        let config = &self.reading.config;
        let Some(listen) = config.listen.admin.clone().on() else { return Some(None) };
        Some(Some(Admin {
            listen: address(listen),
            password_file: config.admin.password_file.clone(),
            max_sessions: NonZeroU32::new(config.admin.max_sessions)?,
            idle_timeout: config.admin.idle_timeout,
        }))
    }

    fn front(&mut self) -> Option<Front> {
        let config = &self.reading.config;
        let listen = self.listen();
        let certificate = self.certificate(
            ("listen.tls_cert", config.listen.tls_cert.as_deref()),
            ("listen.tls_key", config.listen.tls_key.as_deref()),
        );
        let rules = admission::rules(self);
        Some(Front {
            listen,
            certificate,
            require_tls: config.listen.require_tls,
            compression: config.listen.compression.iter().fold(Capabilities::default(), |all, one| {
                all | match one {
                    config::Compression::Zlib => Capabilities::COMPRESS,
                    config::Compression::Zstd => Capabilities::ZSTD,
                }
            }),
            max_clients: NonZeroU32::new(config.limits.max_clients)?,
            rules,
            login_timeout: config.limits.login_timeout,
            write_timeout: config.limits.client_write_timeout,
            statement_timeout: config.limits.statement_timeout.clone().on(),
            client_idle_timeout: config.limits.client_idle_timeout.clone().on(),
            drain_timeout: config.limits.drain_timeout,
            instance: u8::try_from(config.listen.instance).ok()?,
        })
    }

    fn listen(&mut self) -> Vec<Doorway> {
        let doorways = &self.reading.config.listen.address;
        let endpoints: Vec<Endpoint> = doorways.iter().map(|doorway| doorway.endpoint.clone()).collect();
        // Where one is named twice there is a problem, and no settings come of it.
        let addresses = self.distinct("listen.address", &endpoints, "--listen 0.0.0.0:4306");
        let entrances = doorways.iter().map(routing::entrance);
        addresses
            .into_iter()
            .zip(entrances)
            .map(|(address, entrance)| Doorway { address, entrance })
            .collect()
    }

    fn backend(&mut self) -> BackendLink {
        let servers = &self.reading.config.servers;
        let certificate = self
            .certificate(("servers.cert", servers.cert.as_deref()), ("servers.key", servers.key.as_deref()));
        let verifies = matches!(servers.tls, BackendTls::VerifyCa | BackendTls::VerifyIdentity);
        match (&servers.ca, verifies) {
            (None, true) if !self.reading.is_broken("servers.ca") => self.problem(
                "servers.tls",
                format!("{} needs the authority that signed the servers' certificates", servers.tls.word()),
                "name its file with servers.ca or --backend-ca",
            ),
            (Some(_), false) if !self.reading.is_broken("servers.tls") => self.problem(
                "servers.ca",
                format!("servers.ca is set, but {} checks no certificate", servers.tls.word()),
                "set servers.tls to verify-ca or verify-identity, or leave servers.ca out",
            ),
            _ => {}
        }
        if certificate.is_some() && servers.tls == BackendTls::Disabled {
            self.problem(
                "servers.cert",
                "servers.cert is set, but servers.tls is disabled".to_owned(),
                "set servers.tls to required or a verifying mode, or leave servers.cert and servers.key out",
            );
        }
        BackendLink {
            tls: servers.tls,
            ca: servers.ca.clone(),
            certificate,
            connect_timeout: servers.connect_timeout,
            proxy_protocol: servers.proxy_protocol == config::ProxyProtocol::V2,
        }
    }

    fn control(&mut self) -> Option<Control> {
        let control = &self.reading.config.control;
        if control.user.is_none() {
            self.problem(
                "control.user",
                "no control account is named".to_owned(),
                "give --control-user USER, or control.user in the file",
            );
        }
        // A flag wins over the environment, the environment over the file.
        let file = control.password_file.as_ref();
        let broken = self.reading.is_broken("control.password_file");
        let by_flag = matches!(self.reading.place("control.password_file"), Place::Flag(_));
        let password = match file {
            Some(path) if by_flag => Some(PasswordSource::File(path.clone())),
            _ if self.surroundings.password_in_environment => {
                Some(PasswordSource::Environment(CONTROL_PASSWORD_VARIABLE))
            }
            Some(path) => Some(PasswordSource::File(path.clone())),
            None if self.surroundings.terminal && !broken => Some(PasswordSource::Prompt),
            None => {
                self.problem(
                    "control.password_file",
                    "there is no password for the control account".to_owned(),
                    "give --control-password-file FILE, or set HEADGATE_CONTROL_PASSWORD",
                );
                None
            }
        };
        Some(Control { user: control.user.clone()?, password: password? })
    }

    /// `None` only for numbers that the ranges of the keys rule out.
    fn pool(&mut self) -> Option<Pool> {
        let config = &self.reading.config;
        let shares = |mode: Option<config::PoolMode>| mode == Some(config::PoolMode::Transaction);
        let (by_users, by_doors) = (config.clients.users.iter().flatten(), config.listen.address.iter());
        let sharing = [
            ("pool.mode", shares(config.pool.mode)),
            ("clients.users", by_users.map(|rule| rule.pool).any(shares)),
            ("listen.address", by_doors.map(|doorway| doorway.pool).any(shares)),
        ];
        let sharing = sharing.into_iter().find(|(_, shares)| *shares);
        if let Some((key, _)) = sharing.filter(|_| config.runtime.model == config::RuntimeModel::PerCore) {
            let what = format!(
                "{key}: the pool mode \"transaction\" does not go with runtime.model = \"per-core\": a worker cannot \
                 use the connections that another one has idle"
            );
            self.problem(key, what, "set runtime.model = \"multi-thread\"");
            return None;
        }
        let pool = &config.pool;
        let max_connections = pool.max_connections_per_server.and_then(NonZeroU32::new);
        let max_idle = max_connections.map_or(pool.max_idle, |most| pool.max_idle.min(most.get()));
        Some(Pool {
            users: admission::users(config),
            max_connections,
            max_idle,
            min_idle: pool.min_idle.min(max_idle),
            min_idle_for: pool.min_idle_for,
            idle_timeout: pool.idle_timeout,
            max_age: pool.max_age,
            waiting_room: pool.waiting_room,
            wait_timeout: pool.wait_timeout,
        })
    }

    fn log(&mut self) {
        if let Err(why) = logging::check_filter(&self.reading.config.log.filter) {
            self.problem(
                "log.filter",
                format!("log.filter: {why}"),
                "write a level such as info, or levels by module: info,headgate::monitor=debug",
            );
        }
    }

    /// A list of addresses that may not be empty and may not name one twice.
    fn distinct(&mut self, key: &'static str, addresses: &[Endpoint], example: &str) -> Vec<Address> {
        if addresses.is_empty() {
            self.problem(key, format!("{key} is empty"), &format!("give {example}, or {key} in the file"));
        }
        let mut seen: Vec<Endpoint> = Vec::with_capacity(addresses.len());
        for address in addresses {
            if seen.contains(address) {
                self.problem(key, format!("{key} names {address} twice"), "leave one of them out");
            } else {
                seen.push(address.clone());
            }
        }
        seen.into_iter().map(address).collect()
    }

    fn certificate(
        &mut self,
        (chain_key, chain): (&'static str, Option<&Path>),
        (key_key, key): (&'static str, Option<&Path>),
    ) -> Option<CertificateFiles> {
        match (chain, key) {
            (Some(chain), Some(key)) => {
                return Some(CertificateFiles { chain: chain.to_owned(), key: key.to_owned() });
            }
            (Some(_), None) if !self.reading.is_broken(key_key) => {
                self.problem(
                    chain_key,
                    format!("{chain_key} has no private key"),
                    &format!("set {key_key} as well"),
                );
            }
            (None, Some(_)) if !self.reading.is_broken(chain_key) => {
                self.problem(
                    key_key,
                    format!("{key_key} has no certificate"),
                    &format!("set {chain_key} as well"),
                );
            }
            _ => {}
        }
        None
    }

    pub(super) fn problem(&mut self, key: &'static str, what: String, remedy: &str) {
        // Its own problem is told already, and its value here is only the default.
        if self.reading.is_broken(key) {
            return;
        }
        let place = self.reading.place(key);
        self.problems.push(Problem { place, what, remedy: remedy.to_owned() });
    }
}
