//! Servers that are told who the clients are.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, Flavor, Headgate, Node};
use headgate::wire::proxy_protocol::{Announced, header};
use tokio::runtime::Runtime;

use crate::client::{Client, PATIENCE};

const PASSWORD: &str = "doors-pw";
/// Two clients of one user, who is another account from each of their addresses.
const FIRST: &str = "127.0.0.5";
const SECOND: &str = "127.0.0.6";
const PROXY: &str = "127.0.0.2";

/// Hours of work, and nothing but a read.
const LONG_READ: &str = "SELECT COUNT(*) FROM app.numbers a, app.numbers b, app.numbers c, app.numbers d WHERE a.n * b.n * c.n < d.n - 901";

struct Place {
    headgate: Headgate,
    cluster: Cluster,
    runtime: Runtime,
}

impl Place {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let builder = Cluster::builder(Flavor::MariaDb).replicas(1).relays(false);
        let builder = builder.server_option("proxy-protocol-networks=127.0.0.1");
        let cluster = runtime.block_on(builder.start()).unwrap();
        let file = cluster.folder().join("headgate.toml");
        let keys = format!(
            "[servers]\nproxy_protocol = \"v2\"\n[listen]\nproxy_protocol_from = [\"{PROXY}\"]\n\
             [pool]\nidle_timeout = \"10m\""
        );
        fs::write(&file, keys).unwrap();
        let servers: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
        let options = Options::default().argument(format!("--config={}", file.display()));
        let headgate =
            Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), &servers, &options).unwrap();
        let place = Self { headgate, cluster, runtime };
        for sql in [
            format!("CREATE USER told@'{FIRST}' IDENTIFIED BY '{PASSWORD}'"),
            format!("CREATE USER told@'{SECOND}' IDENTIFIED BY '{PASSWORD}'"),
            "CREATE TABLE app.open AS SELECT 1 AS a".to_owned(),
            "CREATE TABLE app.closed AS SELECT 2 AS a".to_owned(),
            "CREATE TABLE app.numbers AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900) \
             SELECT n FROM r"
                .to_owned(),
            format!("GRANT SELECT ON app.* TO told@'{FIRST}'"),
            format!("GRANT SELECT ON app.open TO told@'{SECOND}'"),
        ] {
            place.runtime.block_on(place.cluster.primary().sql(sql)).unwrap();
        }
        place.runtime.block_on(place.cluster.wait_caught_up(PATIENCE)).unwrap();
        place
    }

    fn login(&self, from: &str) -> Result<Client, u16> {
        Client::login(from, self.headgate.address(), "told", PASSWORD).map_err(|error| error.code)
    }

    /// Logs in from each address in turn, reads, and looks who it is everywhere.
    #[track_caller]
    fn round(&self) {
        for from in [FIRST, SECOND] {
            let mut client = self.login(from).unwrap();
            let who = format!("told@{from}, told@{from}");
            let asks = "SELECT CONCAT(USER(), ', ', CURRENT_USER())";
            assert_eq!(client.query(asks), Ok(who.clone()), "on the primary");
            self.reads(&mut client, "SELECT a FROM app.open");
            // On the connection that has just served the read.
            let asks = format!("/* headgate: replica */ {asks}");
            assert_eq!(client.query(&asks), Ok(who), "on the replica");
            self.reads(&mut client, "SELECT a FROM app.open");
            let closed = client.query("SELECT a FROM app.closed").map_err(|error| error.code);
            assert_eq!(closed, if from == FIRST { Ok("2".to_owned()) } else { Err(1142) });
        }
    }

    /// Runs a read until the replica has served one; it takes a moment to be known as fresh enough.
    #[track_caller]
    fn reads(&self, client: &mut Client, sql: &str) {
        let before = self.on_replicas();
        self.becomes("a read runs on the replica", || {
            client.query(sql).unwrap();
            self.on_replicas() > before
        });
    }

    fn on_replicas(&self) -> f64 {
        self.sum("headgate_statements_total", ("target", "replica"))
    }

    fn sum(&self, name: &str, (label, value): (&str, &str)) -> f64 {
        let metrics = self.headgate.metrics().unwrap();
        let of = metrics.iter().filter(|sample| sample.name == name && sample.label(label) == value);
        of.map(|sample| sample.value).sum()
    }

    /// A KILL reaches a replica in the name of the account that its client has there.
    #[track_caller]
    fn kill_on_the_replica(&self) {
        let replica = &self.cluster.nodes()[1];
        let (mut slow, mut killer) = (self.login(FIRST).unwrap(), self.login(FIRST).unwrap());
        self.reads(&mut slow, "SELECT a FROM app.open");
        let id = slow.id();
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || slow.query(LONG_READ));
            self.becomes("it runs on the replica", || {
                let sql = "SELECT ID FROM information_schema.PROCESSLIST \
                           WHERE USER = 'told' AND INFO LIKE '%numbers d%'";
                !self.runtime.block_on(replica.sql(sql)).unwrap().is_empty()
            });
            assert_eq!(killer.query(&format!("KILL QUERY {id}")), Ok(String::new()));
            assert_eq!(reading.join().unwrap().unwrap_err().code, 1317);
        });
    }

    #[track_caller]
    fn becomes(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}\n{}", self.headgate.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Connections opened to the replica so far.
    fn opened(&self) -> f64 {
        let replica = self.cluster.nodes()[1].address().to_string();
        self.sum("headgate_server_connections_total", ("server", &replica))
    }

    /// The hosts that a server shows for the user's connections, in order.
    fn hosts(&self, node: &Node) -> Vec<String> {
        let sql = "SELECT DISTINCT SUBSTRING_INDEX(HOST, ':', 1) FROM information_schema.PROCESSLIST \
                   WHERE USER = 'told' ORDER BY 1";
        let rows = self.runtime.block_on(node.sql(sql)).unwrap();
        rows.iter().map(|row| row.at(0).unwrap().to_owned()).collect()
    }
}

#[test]
fn a_server_sees_each_client_where_it_is() {
    let place = Place::new();
    let replica = &place.cluster.nodes()[1];
    place.round();
    let opened = place.opened();
    assert_eq!(place.hosts(replica), [FIRST, SECOND], "both are kept for their next clients");
    for _ in 0..3 {
        place.round();
    }
    // Each round spends the connections that a hint has used, and no others: what is warm is used again.
    let spent = 2.0 * 3.0;
    assert!(place.opened() <= opened + spent, "{} and {opened}", place.opened());
    assert_eq!(place.login("127.0.0.7").err(), Some(1045), "there is no such account");

    place.kill_on_the_replica();

    // A proxy in front is not who is announced behind.
    let announced = header(Announced::Client(format!("{FIRST}:40000").parse().unwrap()));
    let address = place.headgate.address();
    let mut client = Client::login_announced(PROXY, address, &announced, "told", PASSWORD).unwrap();
    assert_eq!(client.query("SELECT USER()"), Ok(format!("told@{FIRST}")));
    let mut beside = place.login(SECOND).unwrap();
    assert_eq!(beside.query("SELECT USER()"), Ok(format!("told@{SECOND}")));
    assert_eq!(place.hosts(place.cluster.primary()), [FIRST, SECOND]);
    drop(client);
    assert_eq!(place.hosts(place.cluster.primary()), [FIRST, SECOND], "kept for the next from there");
    // Headgate's own questions come from where it is, by whichever name the server knows that.
    let own = "SELECT COUNT(*) > 0, MAX(SUBSTRING_INDEX(HOST, ':', 1) NOT IN ('127.0.0.1', 'localhost')) \
               FROM information_schema.PROCESSLIST WHERE USER = 'headgate'";
    let rows = place.runtime.block_on(place.cluster.primary().sql(own)).unwrap();
    assert_eq!(rows[0].values(), [Some("1".to_owned()), Some("0".to_owned())]);
}

/// MySQL takes the header for a broken packet.
#[test]
fn a_server_that_takes_no_header_is_named_with_the_setting() {
    let address = crate::place::server();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headgate"));
    command.args(["explain", "--control-user=headgate", "SELECT 1"]).arg(format!("--server={address}"));
    command.args(["--set=servers.proxy_protocol=v2", "--set=servers.connect_timeout=1s"]);
    let output = command.env("HEADGATE_CONTROL_PASSWORD", "lab-control").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("servers.proxy_protocol"), "{said}");
}
