//! The table of keys. A new key is a new entry here and nowhere else, so this file is as long as the table.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{
    BackendTls, Balance, Compression, Consistency, FailoverMode, FailoverSessions, HeartbeatChoice,
    LogFormat, PoolMode, PrimaryReads, ProxyProtocol, RuntimeModel, WhenLagging,
};
use super::defaults::{millis, seconds, tcp};
use super::doorway::Doorway;
use super::endpoint::Endpoint;
use super::key::{Key, Reload, settings};
use super::network::{Network, UserRule};
use super::on_off::OnOff;
use super::setting::{Setting, shown, within};
use super::weight::Weight;

settings! {
    /// Where Headgate accepts connections.
    listen: Listen {
        /// Addresses on which MySQL clients are served: `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`. `[::]:PORT`
        /// is for IPv6 alone, whatever the system's default; write `0.0.0.0:PORT` beside it for both. Behind an
        /// address may stand the pool mode, the consistency and the lag limit of those who come in there, as in
        /// `0.0.0.0:4309 pool session consistency eventual max_lag 60s`.
        address: Vec<Doorway> {
            default: vec![Doorway::plain(tcp("0.0.0.0", 4306))],
            flag: "--listen" "ADDRESS",
            reload: Restart
        }
        /// Address of the administration console, or `"off"`. docs/console.md says what it can do.
        admin: OnOff<Endpoint> {
            default: OnOff::On(tcp("127.0.0.1", 4307)),
            flag: "--admin-listen" "ADDRESS",
            reload: Restart
        }
        /// Address of `/metrics`, `/healthz` and `/readyz`, or `"off"`. It has no password: keep it on a
        /// network of your own.
        http: OnOff<Endpoint> {
            default: OnOff::On(tcp("127.0.0.1", 4308)),
            flag: "--http-listen" "ADDRESS",
            reload: Restart
        }
        /// Certificate shown to clients, a PEM file with the whole chain. Without it Headgate makes its own
        /// and keeps it in the state directory.
        tls_cert: Option<PathBuf> {
            default: None,
            flag: "--tls-cert" "FILE",
            reload: Live
        }
        /// Private key of `tls_cert`, a PEM file.
        tls_key: Option<PathBuf> {
            default: None,
            flag: "--tls-key" "FILE",
            reload: Live
        }
        /// The number of this Headgate, where several stand in front of the same cluster: give each its own. It
        /// is the upper part of the connection ids that clients see, by which a KILL that comes in at another
        /// Headgate is told from one of its own.
        instance: u32 {
            default: 1,
            range: 1..=255,
            reload: Restart
        }
        /// Refuse clients that do not use TLS. Unix sockets are exempt.
        require_tls: bool {
            default: false,
            flag: "--require-tls" "BOOL",
            reload: Live
        }
        /// How clients may compress what they exchange with Headgate; `[]`: not at all. `zstd` is offered in
        /// front of MySQL only, since MariaDB's clients do not know it. Between Headgate and the servers
        /// nothing is compressed.
        compression: Vec<Compression> {
            default: vec![Compression::Zlib, Compression::Zstd],
            reload: Live
        }
        /// Proxies in front of Headgate, as networks, or `unix`: a PROXY header (version 1 or 2) that one of them
        /// sends before anything else is believed, and the address in it is the client's for all purposes. Who
        /// sends none is taken for itself. docs/clients.md has more.
        proxy_protocol_from: Option<Vec<Network>> {
            default: None,
            reload: Live
        }
    }

    /// Who may come in. docs/clients.md has more.
    clients: Clients {
        /// Networks that clients may come from; anywhere, if not set. Unix sockets are exempt from this and from
        /// `clients.deny`.
        allow: Option<Vec<Network>> {
            default: None,
            reload: Live
        }
        /// Networks that clients may not come from, whatever `clients.allow` says.
        deny: Option<Vec<Network>> {
            default: None,
            reload: Live
        }
        /// Rules for single users, such as `"app from 10.0.0.0/8, unix"`, `"report max 20 pool session consistency
        /// eventual max_lag 60s"`, or `"batch from 127.0.0.1, ::1 connections 5"`: where its clients may come from, how
        /// many there may be at a time, how many connections they may have to one server, the pool mode of its sessions,
        /// and in place of `routing.consistency` and `routing.max_lag` what their reads may miss. From anywhere else the
        /// user's right password is as good as a wrong one.
        users: Option<Vec<UserRule>> {
            default: None,
            reload: Live
        }
    }

    /// The MySQL or MariaDB servers behind Headgate.
    servers: Servers {
        /// The servers of one cluster, in any order; which one is the primary is found by asking them.
        addresses: Vec<Endpoint> {
            default: Vec::new(),
            flag: "--server" "ADDRESS",
            reload: Restart
        }
        /// Look for further servers: the sources of those that are known, their replicas, the members of their
        /// replication group. What is found is used only where `networks` lets it be and where the server that
        /// answers is the one that was told of (docs/servers.md).
        discover: bool {
            default: true,
            flag: "--discover" "BOOL",
            reload: Restart
        }
        /// Networks in which servers may be discovered, such as `"10.0.0.0/16"`. Without it: those of the servers
        /// that are named, 24 bits of IPv4 and 64 of IPv6, and loopback if one of them is there. Whoever may replicate
        /// from a server may name any address as its own, and the control account logs in there.
        networks: Option<Vec<Network>> {
            default: None,
            reload: Restart
        }
        /// A server that was discovered is forgotten when for so long it has not answered and nobody has named it.
        forget_after: Duration {
            default: seconds(3600),
            range: seconds(1)..=seconds(30 * 24 * 3600),
            reload: Restart
        }
        /// How many reads servers get beside others, such as `"db3:3306 weight 4"`; 1 where nothing is said.
        weights: Option<Vec<Weight>> {
            default: None,
            reload: Restart
        }
        /// How connections to the servers are protected.
        tls: BackendTls {
            default: BackendTls::Preferred,
            flag: "--backend-tls" "MODE",
            reload: Live
        }
        /// Authority that signed the servers' certificates, a PEM file. Needed by `verify-ca` and
        /// `verify-identity`.
        ca: Option<PathBuf> {
            default: None,
            flag: "--backend-ca" "FILE",
            reload: Live
        }
        /// Certificate shown to the servers, a PEM file, for accounts that ask for one.
        cert: Option<PathBuf> {
            default: None,
            reload: Live
        }
        /// Private key of `cert`, a PEM file.
        key: Option<PathBuf> {
            default: None,
            reload: Live
        }
        /// How long a connection to a server may take from the first packet to the end of the login.
        connect_timeout: Duration {
            default: seconds(5),
            range: millis(50)..=seconds(120),
            reload: Live
        }
        /// Tell the servers the clients' addresses, by a PROXY header of version 2 before each login, so that
        /// `USER()`, the list of processes and the host parts of accounts see them. Every server must take
        /// such a header from Headgate's address (`proxy_protocol_networks` of MariaDB and Percona Server);
        /// one that does not refuses every connection. Connections are then shared among clients of one
        /// address only.
        proxy_protocol: ProxyProtocol {
            default: ProxyProtocol::Off,
            reload: Restart
        }
    }

    /// The account with which Headgate watches the servers.
    control: Control {
        /// Name of the account.
        user: Option<String> {
            default: None,
            flag: "--control-user" "USER",
            reload: Restart
        }
        /// File that holds its password and nothing else; one line end at its end is ignored. Instead of
        /// it the environment variable `HEADGATE_CONTROL_PASSWORD` may hold the password, and on a
        /// terminal Headgate asks.
        password_file: Option<PathBuf> {
            default: None,
            flag: "--control-password-file" "FILE",
            reload: Restart
        }
    }

    /// Connections to the servers.
    pool: Pool {
        /// For how long a client has its connection to the primary. `session`: for as long as it lives.
        /// `transaction`: for as long as it needs it, which is a statement, a transaction, or whatever cannot be had
        /// on another connection; thousands of clients then share a few dozen connections. What `clients.users` says
        /// of the user wins, then what `listen.address` says of the address, then this (docs/pooling.md). Not set:
        /// `transaction`, or `session` where `runtime.model` is `per-core`.
        mode: Option<PoolMode> {
            default: None,
            flag: "--pool-mode" "MODE",
            reload: Live
        }
        /// Most connections to one server, in use and idle, the control account's not counted. Not set: what the
        /// server takes (`max_connections`, asked again and again), less a tenth and at least five. Where several
        /// Headgates share the servers, set it to each one's share. A server that takes no more all the same
        /// (errors 1040, 1203 and 1226) is asked for less for a while; whoever wanted the connection waits.
        max_connections_per_server: Option<u32> {
            default: None,
            range: Some(1)..=Some(100_000),
            flag: "--max-connections-per-server" "N",
            reload: Restart
        }
        /// Most connections of one user to one server, where `clients.users` says no other number; who needs another
        /// waits. 0: only the server's own limits count, of which users that wait get equal shares. What a server allows
        /// an account (`max_user_connections`) is asked once a minute where sessions share connections
        /// (`pool.mode = "transaction"`), and a tenth of it, at least one, is left to others in its name.
        max_connections_per_user: u32 {
            default: 0,
            range: 0..=100_000,
            reload: Live
        }
        /// Most idle connections kept by one worker for one user at one server.
        max_idle: u32 {
            default: 64,
            range: 0..=100_000,
            reload: Restart
        }
        /// Idle connections kept ready by one worker for one user at one server, as long as they and all others take
        /// less than half of its places; not with `servers.proxy_protocol` (docs/pooling.md).
        min_idle: u32 {
            default: 0,
            range: 0..=10_000,
            reload: Restart
        }
        /// How long after its last session they are kept; so long what proves the user is held in locked memory.
        min_idle_for: Duration {
            default: seconds(600),
            range: seconds(1)..=seconds(86_400),
            reload: Restart
        }
        /// How long a connection may stay idle before it is closed.
        idle_timeout: Duration {
            default: seconds(60),
            range: seconds(1)..=seconds(86_400),
            reload: Restart
        }
        /// How long a connection may serve after its login, less up to a quarter, so that not all go together. A right
        /// that is taken away, or a new password, holds for all connections after this time.
        max_age: Duration {
            default: seconds(30),
            range: seconds(1)..=seconds(86_400),
            reload: Restart
        }
        /// Most clients that wait for a connection to one server at a time; one more gets error 1040 at once.
        waiting_room: u32 {
            default: 10_000,
            range: 0..=1_000_000,
            reload: Restart
        }
        /// How long a client waits for a connection; then it gets error 1040, or 1226 where its user has its fill. A
        /// read waits for a replica's connection for no longer than the line there moves.
        wait_timeout: Duration {
            default: seconds(10),
            range: millis(1)..=seconds(600),
            flag: "--pool-wait-timeout" "DURATION",
            reload: Restart
        }
    }

    /// What clients may ask of Headgate.
    limits: Limits {
        /// Most clients at a time; one more gets error 1040.
        max_clients: u32 {
            default: 10_000,
            range: 1..=1_000_000,
            reload: Live
        }
        /// Most clients at a time from one address (IPv6: from one /64), those that are not logged in yet
        /// included; one more gets error 1040. 0: no limit of its own. Unix sockets are exempt.
        max_clients_per_address: u32 {
            default: 0,
            range: 0..=1_000_000,
            reload: Live
        }
        /// Most clients at a time that are logged in as one user, where `clients.users` says no other number;
        /// one more gets error 1226. 0: no limit.
        max_clients_per_user: u32 {
            default: 0,
            range: 0..=1_000_000,
            reload: Live
        }
        /// How long a client may take to log in.
        login_timeout: Duration {
            default: seconds(10),
            range: millis(100)..=seconds(600),
            reload: Live
        }
        /// How long a client may leave the rows it asked for unread before it is disconnected.
        client_write_timeout: Duration {
            default: seconds(60),
            range: millis(100)..=seconds(86_400),
            reload: Live
        }
        /// How long a statement may run before Headgate ends it, which the client is told with error 3024;
        /// `"off"`: as long as the servers let it. COMMIT and ROLLBACK take the time they take.
        statement_timeout: OnOff<Duration> {
            default: OnOff::Off,
            range: OnOff::On(millis(1))..=OnOff::Off,
            flag: "--statement-timeout" "DURATION",
            reload: Live
        }
        /// How long a client may say nothing before it is disconnected with error 4031, in a transaction or
        /// not; `"off"`: as long as the primary lets it (`wait_timeout`).
        client_idle_timeout: OnOff<Duration> {
            default: OnOff::Off,
            range: OnOff::On(millis(1))..=OnOff::Off,
            reload: Live
        }
        /// How long statements and transactions may go on after SIGTERM before they are cut with error 1053.
        drain_timeout: Duration {
            default: seconds(30),
            range: millis(0)..=seconds(3_600),
            reload: Live
        }
    }

    /// Which server gets a statement.
    routing: Routing {
        /// Send plain reads to replicas. When false everything goes to the primary.
        split: bool {
            default: true,
            reload: Live
        }
        /// A replica further behind the primary than this gets no reads.
        max_lag: Duration {
            default: seconds(10),
            range: millis(10)..=seconds(86_400),
            reload: Live
        }
        /// What a read on a replica may miss. `session`: nothing that its own session has written or seen.
        /// `process`: nor what any session of this Headgate had written when it arrived. `global`: nothing that the
        /// primary had when it arrived, whoever wrote it. `eventual`: whatever is younger than `max_lag`, a session's
        /// own writes included. docs/freshness.md says what each costs.
        consistency: Consistency {
            default: Consistency::Session,
            reload: Live
        }
        /// How long a read waits for a replica that lacks the proof that it is fresh enough, rather than the data;
        /// then the primary runs it. `0ms`: reads do not wait.
        freshness_wait: Duration {
            default: millis(50),
            range: millis(0)..=seconds(60),
            reload: Live
        }
        /// What becomes of a read while every replica is further behind than `max_lag`. `primary`: the primary runs
        /// it. `freshest`: the replica that is least behind runs it, if it has what the session has written and seen.
        /// `error`: it is refused with error 3168.
        when_lagging: WhenLagging {
            default: WhenLagging::Primary,
            reload: Live
        }
        /// Whether the primary takes plain reads. `last-resort`: those that no replica may run. `member`: a share like
        /// a replica's. `never`: none, so that a plain read which no replica may run is refused with error 3168; reads
        /// in transactions and whatever else needs the primary still run there.
        primary_reads: PrimaryReads {
            default: PrimaryReads::LastResort,
            reload: Live
        }
        /// Which of the replicas that are fresh enough gets a read. `two-choices`: of two that chance picks by weight,
        /// the one that is expected to answer first. `round-robin`: each in turn. `weighted`: each in turn, as often
        /// as its weight says. `least-connections`: whoever has the fewest statements to run, for its weight, those
        /// that wait for a connection among them.
        /// `client-address`: the same for all connections from one address.
        balance: Balance {
            default: Balance::TwoChoices,
            reload: Live
        }
        /// For how long a replica that was down gets less than its share, from a twentieth to all of it.
        warm_up: Duration {
            default: seconds(10),
            range: millis(0)..=seconds(3_600),
            reload: Live
        }
        /// Run a transaction begun with START TRANSACTION READ ONLY on a replica, as a whole. One that turns
        /// out to need the primary after its first read ends with error 1213, as after a deadlock.
        read_only_transactions: bool {
            default: true,
            reload: Live
        }
        /// Run the reads of a transaction on replicas, each by itself, for as long as it has done nothing but read,
        /// under REPEATABLE READ too. The transaction then has no snapshot until it does something else, and one read
        /// may show what the one before did not. Under READ COMMITTED, where that is so on the server itself, it is
        /// always done.
        lazy_transactions: bool {
            default: false,
            reload: Live
        }
    }

    /// How the servers are watched.
    health: Health {
        /// A table, as `schema.table`, to which Headgate writes now and then on the primary, to see whether writes get
        /// through: a server whose disk is full answers everything and lets commits wait for ever. docs/servers.md has
        /// the table and its grants. Not set: nothing is written.
        write_probe_table: Option<String> {
            default: None,
            reload: Restart
        }
        /// How often it writes there.
        write_probe_every: Duration {
            default: seconds(5),
            range: millis(100)..=seconds(3_600),
            reload: Restart
        }
        /// A write that has not ended after so long is stuck: the log and the console say so.
        write_probe_late: Duration {
            default: seconds(5),
            range: millis(100)..=seconds(3_600),
            reload: Restart
        }
        /// How often each server is asked how far it has come, while nothing moves and nobody waits for it.
        probe_every: Duration {
            default: millis(250),
            range: millis(20)..=seconds(60),
            reload: Restart
        }
        /// A server that has not answered for so long is suspect: it gets no new reads.
        late_after: Duration {
            default: millis(500),
            range: millis(20)..=seconds(60),
            reload: Restart
        }
        /// A server that has not answered for so long is down: reads that wait for it run elsewhere. One that refuses
        /// connections is down at once.
        down_after: Duration {
            default: seconds(1),
            range: millis(50)..=seconds(600),
            reload: Restart
        }
        /// How long a server must answer without a break before it gets reads again; twice as long with every further
        /// time that it was suspect within a minute, up to half a minute.
        steady_for: Duration {
            default: millis(500),
            range: millis(0)..=seconds(30),
            reload: Restart
        }
    }

    /// What happens when the primary fails.
    failover: Failover {
        /// What becomes of sessions. `outlive`: they wait for the next primary and go on there with all that can be
        /// carried. `close`: they are closed, and clients connect again. Not set: they outlive it where Headgate promotes
        /// (`failover.replication_user`), and are closed where it does not.
        sessions: Option<FailoverSessions> {
            default: None,
            flag: "--failover-sessions" "WORD",
            reload: Restart
        }
        /// How long a command waits for a primary before it is refused with error 3168.
        hold: Duration {
            default: seconds(10),
            range: millis(0)..=seconds(600),
            reload: Live
        }
        /// Who becomes the primary when it fails. `available`: the best candidate, and what it lacks is named. `safe`:
        /// the same, but only if it has every transaction that Headgate has told a client is committed. `external`:
        /// whoever something else makes writable; Headgate promotes nobody. `off`: nobody, unless an operator says so.
        /// Without `failover.replication_user`, or without the grants of docs/grants.md, it is off whatever is set
        /// here. docs/failover.md has more.
        mode: FailoverMode {
            default: FailoverMode::Available,
            flag: "--failover" "MODE",
            reload: Restart
        }
        /// The account with which replicas log in to their source.
        replication_user: Option<String> {
            default: None,
            flag: "--replication-user" "USER",
            reload: Restart
        }
        /// File that holds its password and nothing else; one line end at its end is ignored.
        replication_password_file: Option<PathBuf> {
            default: None,
            flag: "--replication-password-file" "FILE",
            reload: Restart
        }
        /// Servers that are never made the primary.
        candidates_never: Option<Vec<Endpoint>> {
            default: None,
            reload: Restart
        }
        /// No second failover begins by itself for so long after one.
        cooldown: Duration {
            default: seconds(60),
            range: millis(0)..=seconds(86_400),
            reload: Restart
        }
        /// Whether Headgate may set how often replicas hear from a primary without writes. `manage`: every half second,
        /// by restarting the receivers of those that have another value. `leave`: it stays as it is, and a host that
        /// falls silent counts as dead after twice that time (with the servers' default of 30 s, after a minute).
        heartbeat: HeartbeatChoice {
            default: HeartbeatChoice::Manage,
            reload: Restart
        }
        /// A primary on which the write of `health.write_probe_table` has not ended for so long is replaced, though it
        /// answers. 0: it stays, and the log and the console say so. A backup that locks all tables, and replicas that
        /// do not acknowledge, let writes wait as well: set it to more than those may take.
        stuck_writes_after: Duration {
            default: millis(0),
            range: millis(0)..=seconds(86_400),
            reload: Restart
        }
        /// Program that is run before anything is changed, with JSON on its standard input. A switchover is given up
        /// where it fails; a failover goes on.
        hook_before: Option<PathBuf> {
            default: None,
            reload: Restart
        }
        /// Program that is run once writes go to a new primary.
        hook_after: Option<PathBuf> {
            default: None,
            reload: Restart
        }
        /// How long such a program may run before it is killed, with all that it has started.
        hook_timeout: Duration {
            default: seconds(5),
            range: millis(100)..=seconds(600),
            reload: Restart
        }
    }

    /// The administration console.
    admin: Admin {
        /// File that holds the password of the console's user `admin` and nothing else; one line end at its
        /// end is ignored. Without it Headgate makes a password on the first start and keeps it in
        /// `admin-password` in the state directory.
        password_file: Option<PathBuf> {
            default: None,
            flag: "--admin-password-file" "FILE",
            reload: Restart
        }
        /// Most console sessions at a time; one more gets error 1040.
        max_sessions: u32 {
            default: 8,
            range: 1..=1_000,
            reload: Restart
        }
        /// How long a console session may say nothing before it is closed.
        idle_timeout: Duration {
            default: seconds(3_600),
            range: seconds(1)..=seconds(86_400),
            reload: Restart
        }
    }

    /// Threads.
    runtime: Runtime {
        /// How the work is laid out over the cores. ARCHITECTURE.md has the figures behind the default.
        model: RuntimeModel {
            default: RuntimeModel::MultiThread,
            flag: "--runtime" "MODEL",
            reload: Restart
        }
        /// Worker threads. 0: one for each core this process may use.
        workers: u32 {
            default: 0,
            range: 0..=1_024,
            flag: "--workers" "N",
            reload: Restart
        }
    }

    /// What Headgate keeps between two starts.
    state: State {
        /// Directory for the certificate and keys Headgate makes for itself. Without it the first of
        /// `$STATE_DIRECTORY` (set by systemd), `$XDG_STATE_HOME/headgate`, `$HOME/.local/state/headgate`
        /// and `./headgate-state` for which the variable is set.
        dir: Option<PathBuf> {
            default: None,
            flag: "--state-dir" "DIR",
            reload: Restart
        }
    }

    /// Log lines, written to standard error.
    log: Log {
        /// Which lines are written: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels
        /// by module, such as `info,headgate::monitor=debug`.
        filter: String {
            default: "info".to_owned(),
            flag: "--log" "FILTER",
            reload: Live
        }
        /// How lines are written.
        format: LogFormat {
            default: LogFormat::Text,
            flag: "--log-format" "FORMAT",
            reload: Restart
        }
    }
}
