//! The text of the file: the keys that matter, each with a few words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;

use crate::app::settings::{Surroundings, resolve};
use crate::config::{BackendTls, Config, Endpoint, KEYS, Key, read};
use crate::probing::Judgement;
use crate::probing::survey::{Survey, Surveyed, Told};
use crate::topology::{Address, ServerId, ServerState};

/// The keys that stand in the file, in use where their value is not the default, else as a comment that shows
/// it; and what to know about each.
const WORDS: [(&str, &str); 17] = [
    ("listen.address", "Where applications connect."),
    ("listen.admin", "The console, where Headgate shows what it does, in SQL. \"off\": there is none."),
    ("listen.http", "/metrics, /healthz and /readyz. It has no password: keep it on a network of your own."),
    ("listen.require_tls", "Refuse clients without TLS."),
    (
        "listen.proxy_protocol_from",
        "Load balancers in front that speak the PROXY protocol: their word about where a client is counts.",
    ),
    ("servers.addresses", "The cluster, in any order: the primary is found by asking, also when it changes."),
    ("servers.tls", "How connections to the servers are protected."),
    ("servers.ca", "The authority that signed the servers' certificates."),
    ("control.user", "The account that watches the servers; docs/grants.md says what it may do and why."),
    ("control.password_file", "Its password and nothing else."),
    (
        "pool.max_connections_per_server",
        "Most connections to one server. Each client has one to the primary.",
    ),
    ("pool.idle_timeout", "How long a connection may stay idle before it is closed."),
    ("clients.allow", "Networks that clients may come from; empty: everywhere."),
    ("limits.max_clients", "Most clients at a time."),
    ("limits.statement_timeout", "How long a statement may run. \"off\": as long as the servers let it."),
    ("routing.max_lag", "A replica further behind than this gets no reads."),
    (
        "routing.consistency",
        "session: a read misses nothing that its session has written or seen. eventual: it may miss what is \
         younger than max_lag.",
    ),
];

const HEAD: &str = "\
# Written by headgate init. A key behind # has the default that is shown.
# Every key there is: docs/configuration.md. What is wrong here, or in the cluster: headgate check --connect
";

/// What the file shall say.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// The values.
    pub(super) config: Config,
    /// What each server was when it was asked, in the order of `servers.addresses`.
    pub(super) roles: Vec<String>,
    /// More about a key, from this cluster.
    pub(super) notes: Vec<(&'static str, String)>,
}

impl Draft {
    /// What fits the servers that were found: the primary first, then the others.
    pub(super) fn of(
        survey: &Survey,
        judgement: &Judgement,
        (user, password_file): (&str, &Path),
        (tls, ca): (BackendTls, Option<&Path>),
    ) -> Self {
        let mut listed: Vec<_> = survey.servers().collect();
        listed.sort_by_key(|(id, _)| judgement.primary.as_ref() != Ok(id));
        let mut this = Self {
            roles: listed.iter().map(|(id, server)| role(judgement, *id, server)).collect(),
            ..Self::default()
        };
        let servers = &mut this.config.servers;
        servers.addresses = listed.iter().map(|(_, server)| endpoint(&server.address)).collect();
        servers.tls = tls;
        servers.ca = ca.map(Path::to_owned);
        match tls {
            BackendTls::Required => this.note(
                "servers.tls",
                "Encrypted, but nobody checks with whom: verify-identity or verify-ca, and ca, do.",
            ),
            BackendTls::Preferred => this.note("servers.tls", "Some of the servers offer no TLS."),
            BackendTls::Disabled | BackendTls::VerifyCa | BackendTls::VerifyIdentity => {}
        }
        this.config.control.user = Some(user.to_owned());
        this.config.control.password_file = Some(password_file.to_owned());
        this.fit_pool(survey);
        this
    }

    /// Takes of the servers what they have.
    fn fit_pool(&mut self, survey: &Survey) {
        let fitting = |(server, told): (&'_ Surveyed, &'_ Told)| {
            let limit = told.variable("max_connections");
            let note = format!("{} takes {limit} in all.", server.address);
            Some((told.fitting_connections()?, note))
        };
        if let Some((fitting, note)) = survey.answering().filter_map(fitting).min() {
            self.config.pool.max_connections_per_server = Some(fitting);
            self.note("pool.max_connections_per_server", &note);
        }
        let patience = survey.answering().filter_map(|(_, told)| told.shortest_wait()).min();
        if let Some(seconds) =
            patience.filter(|it| *it <= self.config.pool.idle_timeout).map(|it| it.as_secs())
        {
            self.config.pool.idle_timeout = Duration::from_secs((seconds / 2).max(1));
            self.note("pool.idle_timeout", &format!("The servers close one after {seconds} s."));
        }
    }

    fn note(&mut self, key: &'static str, words: &str) {
        self.notes.push((key, words.to_owned()));
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let (mut text, mut section) = (HEAD.to_owned(), "");
        for (name, words) in WORDS {
            let Some(key) = KEYS.iter().find(|key| key.name == name) else { continue };
            let Some(line) = self.line(key) else { continue };
            if key.section() != section {
                section = key.section();
                text.push_str(&format!("\n[{section}]\n"));
            }
            text.push_str(&format!("# {words}\n"));
            for (_, note) in self.notes.iter().filter(|(noted, _)| *noted == name) {
                text.push_str(&format!("# {note}\n"));
            }
            text.push_str(&line);
        }
        text
    }

    /// A key with its value; `None` where it is left out and has no default to show.
    fn line(&self, key: &Key) -> Option<String> {
        if key.name == "servers.addresses" {
            return Some(self.addresses());
        }
        let (leaf, value) = (key.leaf(), key.show(&self.config)?);
        let default = key.default().as_ref() == Some(&value);
        Some(if default { format!("# {leaf} = {value}\n") } else { format!("{leaf} = {value}\n") })
    }

    fn addresses(&self) -> String {
        let roles = self.roles.iter().map(String::as_str).chain(std::iter::repeat(""));
        let line = |(address, role): (&Endpoint, &str)| format!("    \"{address}\",  # {role}\n");
        let lines: String = self.config.servers.addresses.iter().zip(roles).map(line).collect();
        format!("addresses = [\n{lines}]\n")
    }
}

fn endpoint(address: &Address) -> Endpoint {
    match address {
        Address::Tcp { host, port } => Endpoint::Tcp { host: host.clone(), port: *port },
        Address::Unix(path) => Endpoint::Unix { path: path.clone() },
    }
}

/// What a server is now, for the comment beside its address.
fn role(judgement: &Judgement, id: ServerId, server: &Surveyed) -> String {
    let Ok(told) = &server.told else { return "could not be asked".to_owned() };
    let role = match judgement.states.get(&id) {
        Some(ServerState::Primary) => "the primary now",
        Some(ServerState::Replica) => "a replica",
        Some(ServerState::NotServing(_)) | None => "serves nothing now",
    };
    format!("{role}, {}", told.name())
}

/// Makes sure that a text means what was meant, before it is written.
pub(super) fn proven(draft: &Draft) -> anyhow::Result<String> {
    let text = draft.text();
    let reading = read("headgate.toml", &text, &[]);
    // Where the password is to be had is not this file's business alone.
    let surroundings = Surroundings {
        cores: std::num::NonZeroUsize::MIN,
        state_dir: PathBuf::new(),
        password_in_environment: false,
        terminal: false,
    };
    if let Err(problems) = resolve(&reading, &surroundings) {
        bail!("the configuration would be wrong:\n{problems}");
    }
    if reading.config != draft.config {
        bail!("the configuration would not mean what was found; this is a bug in Headgate");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let mut config = Config::default();
        config.servers.addresses =
            ["db1:3306", "[::1]:3307", "unix:/run/db.sock"].map(|text| Endpoint::parse(text).unwrap()).into();
        config.servers.tls = BackendTls::VerifyCa;
        config.servers.ca = Some("/etc/headgate/it's \"ours\".pem".into());
        config.control.user = Some("headgate".to_owned());
        config.control.password_file = Some("/etc/headgate/control.password".into());
        config.pool.max_connections_per_server = Some(136);
        let notes = vec![("pool.max_connections_per_server", "db1:3306 takes 151.".to_owned())];
        Draft { config, roles: vec!["primary".to_owned(), "replica".to_owned()], notes }
    }

    #[test]
    fn every_key_it_speaks_of_exists() {
        for (name, words) in WORDS {
            assert!(KEYS.iter().any(|key| key.name == name), "{name}");
            assert!(words.ends_with('.'), "{name}: {words}");
        }
    }

    #[test]
    fn the_file_means_what_was_found() {
        let text = proven(&draft()).unwrap();
        assert!(text.contains("\n[servers]\n# The cluster"), "{text}");
        assert!(text.contains("    \"db1:3306\",  # primary\n    \"[::1]:3307\",  # replica\n"), "{text}");
        assert!(text.contains("# db1:3306 takes 151.\nmax_connections_per_server = 136\n"), "{text}");
        assert!(text.contains("\n# address = [\"0.0.0.0:4306\"]\n"), "{text}");
        assert!(text.contains("\n# max_lag = \"10s\"\n"), "{text}");
    }

    #[test]
    fn what_it_shows_as_default_is_accepted() {
        let mut draft = draft();
        draft.notes.clear();
        let prose: Vec<String> = HEAD
            .lines()
            .map(str::to_owned)
            .chain(WORDS.iter().map(|(_, words)| format!("# {words}")))
            .collect();
        let uncommented = |line: &str| match line.strip_prefix("# ") {
            Some(code) if !prose.iter().any(|prose| prose == line) => format!("{code}\n"),
            _ => format!("{line}\n"),
        };
        let text: String = draft.text().lines().map(uncommented).collect();
        let reading = read("headgate.toml", &text, &[]);
        assert_eq!(reading.problems, [], "{text}");
        assert_eq!(reading.config, draft.config);
        assert!(text.contains("\nmax_lag = "), "{text}");
    }

    #[test]
    fn what_cannot_be_right_is_not_written() {
        let mut draft = draft();
        draft.config.servers.tls = BackendTls::Preferred;
        let error = proven(&draft).unwrap_err().to_string();
        assert!(error.contains("servers.ca is set, but preferred checks no certificate"), "{error}");
    }
}
