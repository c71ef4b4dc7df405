//! The demonstration, brought up, and what somebody who tries it would look at.

use std::process::Command;
use std::time::Duration;

use headgate::lab::tools;

use super::engine::{Engine, end_of};
use super::images::{self, Database};
use super::{becomes, now, run, succeed};

/// The passwords that docker-compose.yml has for a demonstration.
const ROOT_PASSWORD: &str = "demo-root";
const SHOP_PASSWORD: &str = "demo-shop";

const SERVICES: [&str; 5] = ["primary", "replica1", "replica2", "headgate", "shop"];
pub(crate) const SERVERS: [&str; 3] = ["primary", "replica1", "replica2"];

/// How long `docker-compose` may take, starting three servers on a busy machine included.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);
/// How long one question may take.
pub(crate) const QUESTION: Duration = Duration::from_secs(40);
/// How long something that happens every second may be waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Demo {
    database: &'static Database,
    engine: Engine,
}

impl Demo {
    /// Makes the images and starts everything.
    pub(crate) fn up(database: &'static Database) -> Self {
        let since = now();
        let engine = Engine::start();
        images::make(&engine, database);
        println!("engine and images: {:?}", since.elapsed());
        let demo = Self { database, engine };
        demo.start();
        demo
    }

    fn start(&self) {
        let since = now();
        succeed(self.compose(LIMIT).args(["up", "-d"]));
        for service in SERVICES {
            self.becomes_healthy(service);
        }
        println!("up and healthy: {:?}", since.elapsed());
    }

    pub(crate) fn becomes_healthy(&self, service: &str) {
        let mut state = String::new();
        let healthy = becomes(PATIENCE, || {
            state = self.inspect(service, "{{.State.Status}} {{.State.Health.Status}}").unwrap();
            state == "running healthy"
        });
        assert!(healthy, "{service} is {state}");
    }

    /// Everything goes and comes again, on the data that was there.
    pub(crate) fn survives_down_and_up(&self) {
        let (before, primary) = (self.orders(), self.primary());
        let since = now();
        succeed(self.compose(LIMIT).arg("down"));
        let left = succeed(self.engine.docker(QUESTION).args(["ps", "--all", "--quiet"]));
        assert_eq!(left, "", "containers that `down` left");
        println!("down: {:?}", since.elapsed());
        self.start();
        assert!(self.orders() >= before, "orders were lost");
        assert_eq!(self.primary(), primary, "another server is the primary");
        self.works();
        succeed(self.compose(LIMIT).args(["down", "--volumes"]));
    }

    /// Nothing is published to a network.
    pub(crate) fn is_only_on_loopback(&self) {
        let format = "{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}}:{{.HostPort}} {{end}}{{end}}";
        let published: Vec<String> =
            SERVICES.iter().map(|service| self.inspect(service, format).unwrap()).collect();
        let mut places: Vec<&str> = published.iter().flat_map(|ports| ports.split_whitespace()).collect();
        places.sort_unstable();
        assert_eq!(places, ["127.0.0.1:4306", "127.0.0.1:4307", "127.0.0.1:4308"]);
    }

    /// The shop sells, replicas get what is written and answer reads, and all have the same accounts.
    pub(crate) fn works(&self) {
        let orders = self.orders();
        let sells = becomes(PATIENCE, || self.orders() > orders);
        assert!(sells, "the shop has not sold anything more than {orders} orders");

        self.through("INSERT INTO orders (item, pieces) VALUES ('our own', 1)");
        let ours = "SELECT COUNT(*) FROM shop.orders WHERE item = 'our own'";
        let primary = self.primary();
        let wanted = self.ask(primary, ours);
        assert_ne!(wanted, "0", "what was written through Headgate is not on the primary");
        let replicas = SERVERS.into_iter().filter(|server| *server != primary);
        for replica in replicas.clone() {
            let arrived = becomes(PATIENCE, || self.ask(replica, ours) == wanted);
            assert!(arrived, "what was written through Headgate does not arrive on {replica}");
        }

        // From here on nobody but the shop asks.
        let reads = self.reads_on_replicas();
        let read = becomes(PATIENCE, || self.reads_on_replicas() >= reads + 3);
        assert!(read, "the shop's reads do not run on replicas: {reads} before, and not three more since");
        let log = succeed(self.compose(QUESTION).args(["logs", "--no-color", "--tail=5", "shop"]));
        assert!(log.contains("in all"), "the shop does not say what it sees:\n{log}");

        let accounts = "SELECT GROUP_CONCAT(user, '@', host ORDER BY user, host) FROM mysql.user";
        let on_primary = self.ask(primary, accounts);
        for replica in replicas {
            assert_eq!(self.ask(replica, accounts), on_primary, "accounts on {replica}");
        }
    }

    /// The one server that takes writes.
    pub(crate) fn primary(&self) -> &'static str {
        let writable = |server: &&str| self.ask(server, "SELECT @@GLOBAL.read_only") == "0";
        let writable: Vec<_> = SERVERS.into_iter().filter(writable).collect();
        assert_eq!(writable.len(), 1, "servers that take writes: {writable:?}");
        writable[0]
    }

    /// The answer of one of the servers, asked as root inside its container.
    pub(crate) fn ask(&self, service: &str, statement: &str) -> String {
        let client = self.database.client;
        let mut command = self.engine.docker(QUESTION);
        command.args(["exec", "--env", &format!("MYSQL_PWD={ROOT_PASSWORD}")]);
        command.args([&self.container(service).unwrap(), client]);
        command.args(["--user=root", "--batch", "--skip-column-names", "--raw", "--execute", statement]);
        succeed(&mut command).replace('\n', "")
    }

    /// Through Headgate's published port, as the shop's account.
    pub(crate) fn through(&self, statement: &str) -> String {
        self.at_port(4306, "shop", SHOP_PASSWORD, &["--database=shop"], statement)
    }

    /// Asks the console, at its published port.
    pub(crate) fn console(&self, statement: &str) -> String {
        let container = self.container("headgate").unwrap();
        let file = "/var/lib/headgate/admin-password";
        let password = succeed(self.engine.docker(QUESTION).args(["exec", &container, "cat", file]));
        self.at_port(4307, "admin", &password, &[], statement)
    }

    /// What a command line on this machine is told at one of the published ports.
    fn at_port(&self, port: u16, user: &str, password: &str, options: &[&str], statement: &str) -> String {
        let mut client = tools::program(self.database.package, self.database.client).unwrap();
        client.args(["--no-defaults", "--host=127.0.0.1", &format!("--port={port}")]);
        client.arg(format!("--user={user}")).args(options);
        client.args(["--batch", "--skip-column-names", "--execute", statement]);
        client.env("MYSQL_PWD", password);
        succeed(&mut self.engine.beside(QUESTION, &client))
    }

    pub(crate) fn orders(&self) -> u64 {
        self.through("SELECT COUNT(*) FROM orders").parse().unwrap()
    }

    /// What /metrics counts, at its published port.
    fn reads_on_replicas(&self) -> u64 {
        let mut client = Command::new("bash");
        client.args([
            "-c",
            r"exec 3<>/dev/tcp/127.0.0.1/4308
              printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
              cat <&3",
        ]);
        let page = succeed(&mut self.engine.beside(QUESTION, &client));
        assert!(page.contains("headgate_statements_total"), "this is not /metrics:\n{page}");
        let samples = page.lines().filter(|line| line.starts_with("headgate_statements_total{"));
        let replicas = samples.filter(|line| line.contains(r#"target="replica""#));
        replicas.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// The container of a service. Both versions of Compose set this label; their names differ.
    fn container(&self, service: &str) -> Result<String, String> {
        let label = format!("label=com.docker.compose.service={service}");
        run(self.engine.docker(QUESTION).args(["ps", "--all", "--quiet", "--filter", &label]))
    }

    pub(crate) fn inspect(&self, service: &str, format: &str) -> Result<String, String> {
        let container = self.container(service)?;
        let mut docker = self.engine.docker(QUESTION);
        run(docker.args(["inspect", &format!("--format={format}"), &container]))
    }

    pub(crate) fn compose(&self, limit: Duration) -> Command {
        let mut command = self.engine.compose(limit);
        command.env("DB_IMAGE", self.database.image).env_remove("DB_VERSION");
        command
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for service in SERVICES {
                let health = self.inspect(service, "{{.State.Status}} {{json .State.Health}}");
                eprintln!("--- {service}: {}", health.unwrap_or_else(|failure| failure));
                let logs = run(self.compose(QUESTION).args(["logs", "--no-color", "--tail=60", service]));
                eprintln!(
                    "--- the end of the log of {service}\n{}",
                    end_of(&logs.unwrap_or_else(|failure| failure))
                );
            }
        }
    }
}
