//! The laboratory does what it says: tests that stand on it need not doubt it.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headgate::lab::{Builder, Cluster, Fault, Flavor, Node, Role, Tls};

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(builder: Builder) -> Cluster {
    let since = now();
    let cluster = builder.start().await.unwrap();
    let count = cluster.nodes().len();
    println!("{} {}: {count} nodes in {:?}", cluster.flavor(), cluster.version(), since.elapsed());
    cluster
}

#[allow(clippy::disallowed_methods, reason = "these tests measure real servers in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Polls until `done`; false when patience ends first.
async fn becomes(done: impl AsyncFn() -> bool) -> bool {
    let end = now() + PATIENCE;
    while now() < end {
        if done().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

async fn value(node: &Node, statement: &str) -> String {
    let rows = node.sql(statement).await.unwrap();
    rows.first().and_then(|row| row.at(0)).unwrap_or_default().to_owned()
}

/// Reads the server's greeting: its first packet is sent before the client says anything.
fn greeting(address: SocketAddr, patience: Duration) -> std::io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let mut bytes = vec![0; 256];
    let read = stream.read(&mut bytes)?;
    bytes.truncate(read);
    Ok((stream, bytes))
}

fn greets(address: SocketAddr) -> bool {
    greeting(address, Duration::from_secs(5)).is_ok_and(|(_, bytes)| bytes.get(4) == Some(&10))
}

async fn write_row(cluster: &Cluster, number: u32) {
    cluster.primary().sql(format!("INSERT INTO app.t VALUES ({number})")).await.unwrap();
}

async fn has_row(node: &Node, number: u32) -> bool {
    value(node, &format!("SELECT COUNT(*) FROM app.t WHERE a = {number}")).await == "1"
}

async fn with_table(builder: Builder) -> Cluster {
    let cluster = start(builder).await;
    cluster.primary().sql("CREATE TABLE app.t (a INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    cluster
}

async fn replicates(flavor: Flavor) {
    let cluster = with_table(Cluster::builder(flavor)).await;
    assert_eq!(cluster.replicas().len(), 2);
    write_row(&cluster, 1).await;
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    for replica in cluster.replicas() {
        assert_eq!(replica.role(), Role::Replica);
        assert!(has_row(replica, 1).await);
        assert_eq!(value(replica, "SELECT @@GLOBAL.read_only").await, "1");
    }
    assert_eq!(value(cluster.primary(), "SELECT @@GLOBAL.read_only").await, "0");
    let identity = match flavor {
        Flavor::MySql => "SELECT @@server_uuid",
        Flavor::MariaDb => "SELECT @@server_id",
    };
    let mut identities = Vec::new();
    for node in cluster.nodes() {
        identities.push(value(node, identity).await);
    }
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), 3, "each node is someone else");
}

#[tokio::test]
async fn mysql_starts_and_replicates() {
    replicates(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_starts_and_replicates() {
    replicates(Flavor::MariaDb).await;
}

/// The accounts, as the clients of the same family see them.
async fn accounts_work(flavor: Flavor) {
    let cluster = start(Cluster::builder(flavor).replicas(1).tls(Tls::Ca)).await;
    let ca = cluster.ca().unwrap().display().to_string();
    let client = || match flavor {
        Flavor::MySql => headgate::lab::tools::mysql().unwrap(),
        Flavor::MariaDb => headgate::lab::tools::mariadb().unwrap(),
    };
    let verify = match flavor {
        Flavor::MySql => "--ssl-mode=VERIFY_IDENTITY",
        Flavor::MariaDb => "--ssl-verify-server-cert",
    };
    let accounts = cluster.accounts();
    let ask = |account: headgate::lab::Account, statement: &str| {
        let output = client()
            .args(["--no-defaults", "-h127.0.0.1", "-N", "-B", verify])
            .arg(format!("--ssl-ca={ca}"))
            .arg(format!("-P{}", cluster.primary().address().port()))
            .args([format!("-u{}", account.user), format!("-p{}", account.password)])
            .args(["-e", statement])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned(), errors)
    };
    for account in [accounts.root, accounts.app, accounts.control, accounts.replication] {
        let (ok, text, errors) = ask(account, "SELECT CURRENT_USER(); SHOW STATUS LIKE 'Ssl_cipher'");
        assert!(ok, "{errors}");
        assert!(text.starts_with(&format!("{}@", account.user)), "{text}");
        assert!(text.contains("TLS_"), "the certificate was verified on an encrypted connection: {text}");
    }
    assert!(ask(accounts.app, "CREATE TABLE app.mine (a INT); INSERT INTO app.mine VALUES (1)").0);
    assert!(!ask(accounts.app, "SELECT * FROM mysql.user").0, "an application owns its database only");
    let needed = "SHOW REPLICA STATUS; SELECT user FROM mysql.user WHERE user = 'app'";
    let (ok, text, errors) = ask(accounts.control, needed);
    assert!(ok && text.contains("app"), "{errors}");
    assert!(!ask(accounts.control, "SELECT * FROM app.mine").0, "control reads no data");
}

#[tokio::test]
async fn mysql_accounts_and_certificates_work() {
    accounts_work(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_accounts_and_certificates_work() {
    accounts_work(Flavor::MariaDb).await;
}

/// Stop, kill, freeze and come back.
async fn lives_and_dies(flavor: Flavor) {
    let cluster = with_table(Cluster::builder(flavor).replicas(1)).await;
    let (primary, replica) = (cluster.primary(), &cluster.replicas()[0]);

    replica.stop().await.unwrap();
    assert!(!replica.is_running());
    assert!(fs::read_to_string(replica.error_log()).unwrap().contains("Shutdown complete"), "in order");
    assert!(greeting(replica.direct_address(), PATIENCE).is_err());
    assert!(replica.stop().await.is_err(), "a stopped server cannot be stopped");
    write_row(&cluster, 1).await;
    replica.start().await.unwrap();
    assert!(replica.start().await.is_err(), "a running server cannot be started");
    assert!(becomes(async || has_row(replica, 1).await).await, "it replicates again by itself");

    let pid = replica.process_id().unwrap();
    replica.pause().await.unwrap();
    assert!(replica.is_running());
    assert_eq!(process_state(pid), Some('T'));
    let silent = greeting(replica.address(), Duration::from_millis(300)).unwrap_err();
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
    replica.resume().unwrap();
    assert!(greets(replica.address()));

    primary.kill();
    assert!(!primary.is_running());
    assert_eq!(process_state(pid).is_some(), replica.is_running(), "only the primary");
    assert!(greeting(primary.direct_address(), PATIENCE).is_err());
    primary.start().await.unwrap();
    assert!(has_row(primary, 1).await, "it recovered its data");
    primary.restart().await.unwrap();
    assert!(has_row(primary, 1).await);

    primary.pause().await.unwrap();
    primary.kill();
    assert!(!primary.is_running(), "a frozen server dies too");
}

fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[tokio::test]
async fn mysql_lives_and_dies() {
    lives_and_dies(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_lives_and_dies() {
    lives_and_dies(Flavor::MariaDb).await;
}

#[tokio::test]
async fn a_client_link_refuses_swallows_and_delays() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(0)).await;
    let node = cluster.primary();
    let link = node.link().unwrap();
    let (mut open, _) = greeting(link.address(), PATIENCE).unwrap();

    link.set(Fault::Refuse).await;
    assert_eq!(link.fault(), Fault::Refuse);
    let ended = open.read(&mut [0; 64]);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(greeting(link.address(), PATIENCE).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(greets(node.direct_address()), "the server itself is well");

    link.set(Fault::Swallow).await;
    let silent = greeting(link.address(), Duration::from_millis(300)).unwrap_err();
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
    let mut waiting = TcpStream::connect(link.address()).unwrap();
    link.set(Fault::None).await;
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(waiting.read(&mut [0; 64]).unwrap() > 5, "what was held arrives when the fault ends");

    link.set(Fault::Delay(Duration::from_millis(200))).await;
    let since = now();
    assert!(greets(link.address()));
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(200), "one way: {took:?}");
    assert!(took < Duration::from_millis(390), "one way only: {took:?}");
}

/// The link stops moving bytes of a connection that is in use, and loses none.
#[tokio::test]
async fn a_swallowed_connection_goes_on_where_it_was() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(0)).await;
    let link = cluster.primary().link().unwrap();
    let (mut stream, _) = greeting(link.address(), PATIENCE).unwrap();
    link.set(Fault::Swallow).await;
    // Not a login request: the server answers with an error and closes.
    stream.write_all(&[1, 0, 0, 1, 0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(stream.read(&mut [0; 64]).is_err(), "no byte moves");
    link.set(Fault::None).await;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.get(4), Some(&0xff), "the error arrived: {answer:?}");
}

/// A delay is a longer line, not a narrower one.
#[tokio::test]
async fn a_delay_keeps_bandwidth_and_order() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(0)).await;
    let node = cluster.primary();
    let account = cluster.accounts().root;
    let rows = 40_000;
    let statement = format!("SELECT seq, REPEAT('x', 1000) FROM mysql.seq_1_to_{rows}");
    let load = || {
        let since = now();
        let output = headgate::lab::tools::mariadb()
            .unwrap()
            .args(["--no-defaults", "--skip-ssl", "--quick", "-h127.0.0.1", "-N", "-B"])
            .arg(format!("-P{}", node.address().port()))
            .args([format!("-u{}", account.user), format!("-p{}", account.password)])
            .args(["-e", &statement])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers = text.lines().map(|line| line.split('\t').next().unwrap().parse::<u32>().unwrap());
        assert!(numbers.eq(1..=rows), "every row, in order: {}", String::from_utf8_lossy(&output.stderr));
        since.elapsed()
    };
    let plain = load();
    node.link().unwrap().set(Fault::Delay(Duration::from_millis(100))).await;
    let delayed = load();
    println!("40 MB: {plain:?}, over a line of 100 ms {delayed:?}");
    // Login and statement are some five round trips of 200 ms; 40 MB in chunks slept for one by one
    // would take a minute.
    assert!(delayed >= Duration::from_millis(600), "{delayed:?}");
    assert!(delayed < plain * 3 + Duration::from_secs(4), "{delayed:?}");
}

async fn replication_links_fail_alone(flavor: Flavor) {
    let cluster = with_table(Cluster::builder(flavor)).await;
    let [cut, whole] = cluster.replicas() else { panic!("two replicas") };
    let link = cut.replication_link().unwrap();
    assert!(cluster.primary().replication_link().is_err());

    link.set(Fault::Swallow).await;
    write_row(&cluster, 1).await;
    assert!(becomes(async || has_row(whole, 1).await).await);
    assert!(!has_row(cut, 1).await, "a swallowing link brings nothing");
    let status = cut.sql("SHOW REPLICA STATUS").await.unwrap();
    let running = status[0].get("Replica_IO_Running").or(status[0].get("Slave_IO_Running"));
    assert_eq!(running, Some("Yes"), "the replica does not notice before its time-out");
    link.set(Fault::None).await;
    assert!(becomes(async || has_row(cut, 1).await).await);

    let delay = Duration::from_millis(700);
    link.set(Fault::Delay(delay)).await;
    write_row(&cluster, 2).await;
    let written = now();
    assert!(becomes(async || has_row(whole, 2).await).await);
    assert!(written.elapsed() < delay, "the other link is as quick as before: {:?}", written.elapsed());
    assert!(becomes(async || has_row(cut, 2).await).await);
    assert!(written.elapsed() >= delay - Duration::from_millis(100), "{:?}", written.elapsed());

    link.set(Fault::Refuse).await;
    let is_broken = async || {
        let status = cut.sql("SHOW REPLICA STATUS").await.unwrap();
        status[0].get("Replica_IO_Running").or(status[0].get("Slave_IO_Running")) == Some("Connecting")
    };
    assert!(becomes(is_broken).await);
}

#[tokio::test]
async fn mysql_replication_links_fail_alone() {
    replication_links_fail_alone(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_replication_links_fail_alone() {
    replication_links_fail_alone(Flavor::MariaDb).await;
}

/// Every option of the builder reaches the servers, and what was not asked for is left alone.
async fn options_reach_servers(flavor: Flavor) {
    let builder = Cluster::builder(flavor)
        .replicas(1)
        .semi_sync(true)
        .general_log(true)
        .relays(false)
        .tls(Tls::Off)
        .performance_schema(false)
        .max_connections(77)
        .server_option("sort_buffer_size=65536");
    let cluster = with_table(builder).await;
    let primary = cluster.primary();
    assert_eq!(primary.address(), primary.direct_address());
    assert!(primary.link().is_none());
    assert_eq!(value(primary, "SELECT @@GLOBAL.max_connections").await, "77");
    assert_eq!(value(primary, "SELECT @@GLOBAL.sort_buffer_size").await, "65536");
    assert_eq!(value(primary, "SELECT @@GLOBAL.performance_schema").await, "0");
    let tls = primary.sql("SHOW GLOBAL STATUS LIKE 'Ssl_server_not_after'").await.unwrap();
    assert!(tls.first().and_then(|row| row.at(1)).unwrap_or_default().is_empty(), "{tls:?}");
    let clients = match flavor {
        Flavor::MySql => "Rpl_semi_sync_source_clients",
        Flavor::MariaDb => "Rpl_semi_sync_master_clients",
    };
    let status = primary.sql(format!("SHOW GLOBAL STATUS LIKE '{clients}'")).await.unwrap();
    assert_eq!(status[0].at(1), Some("1"));

    let replica = &cluster.replicas()[0];
    let heartbeat = match flavor {
        Flavor::MySql => {
            "SELECT HEARTBEAT_INTERVAL FROM performance_schema.replication_connection_configuration"
        }
        Flavor::MariaDb => "SHOW GLOBAL STATUS LIKE 'Slave_heartbeat_period'",
    };
    let period = replica.sql(heartbeat).await.unwrap();
    let period: f64 = period[0].values().last().unwrap().as_deref().unwrap().parse().unwrap();
    assert!((period - 30.0).abs() < f64::EPSILON, "the servers' default: {period}");

    replica.sql("SELECT 'seen',\n 1").await.unwrap();
    let log = replica.general_log().unwrap();
    assert!(
        log.iter().any(|entry| entry.command == "Query" && entry.argument == "SELECT 'seen',\n 1"),
        "{log:?}"
    );
}

#[tokio::test]
async fn mysql_options_reach_servers() {
    options_reach_servers(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_options_reach_servers() {
    options_reach_servers(Flavor::MariaDb).await;
}

/// Servers whose data is below a folder.
fn servers_in(folder: &Path) -> usize {
    let needle = format!("--datadir={}/", folder.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|command| String::from_utf8_lossy(command).contains(&needle))
        .count()
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(1)).await;
    let folder = cluster.folder().to_owned();
    assert_eq!(servers_in(&folder), 2);
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(move || {
        cluster.nodes().get(99).expect("no such node: this panic is part of the test");
    }));
    assert!(panicked.is_err());
    assert_eq!(servers_in(&folder), 0);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_killed_owner_leaves_nothing_behind() {
    for frozen in [false, true] {
        let mut owner = Command::new(env!("CARGO_BIN_EXE_headgate-lab"))
            .args(["up", "--flavor=mariadb", "--replicas=1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        let socket =
            lines.find_map(|line| line.unwrap().trim().strip_prefix("socket").map(str::to_owned)).unwrap();
        let folder = PathBuf::from(socket.trim()).parent().unwrap().parent().unwrap().to_owned();
        assert_eq!(servers_in(&folder), 2);
        if frozen {
            // A server that does not answer must go too.
            let pid = fs::read_to_string(folder.join("n0/pid")).unwrap();
            assert!(Command::new("kill").args(["-STOP", pid.trim()]).status().unwrap().success());
        }
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(becomes(async || servers_in(&folder) == 0 && !folder.exists()).await, "{}", folder.display());
    }
}

#[tokio::test]
async fn an_interrupted_owner_leaves_nothing_behind() {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_headgate-lab"))
        .args(["up", "--flavor=mariadb", "--replicas=1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let socket =
        lines.find_map(|line| line.unwrap().trim().strip_prefix("socket").map(str::to_owned)).unwrap();
    let folder = PathBuf::from(socket.trim()).parent().unwrap().parent().unwrap().to_owned();
    // The rest must find a reader.
    let reading = std::thread::spawn(move || lines.count());
    assert!(Command::new("kill").args(["-INT", &owner.id().to_string()]).status().unwrap().success());
    assert!(owner.wait().unwrap().success());
    reading.join().unwrap();
    assert_eq!(servers_in(&folder), 0, "gone before the command returns");
    assert!(!folder.exists());
}

/// A folder whose owner and watchdog are both dead is found by the next start.
#[tokio::test]
async fn the_next_start_sweeps() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(0)).await;
    let base = cluster.folder().parent().unwrap().to_owned();
    let stale = base.join("0-0");
    fs::create_dir_all(stale.join("n0")).unwrap();
    fs::write(stale.join("owner"), "").unwrap();
    let other = start(Cluster::builder(Flavor::MariaDb).replicas(0)).await;
    assert!(!stale.exists());
    assert!(cluster.folder().exists() && other.folder().exists(), "living clusters stay");
    assert_eq!(value(cluster.primary(), "SELECT 1").await, "1");
}

/// A caller who pauses time neither stops a link nor breaks a start.
#[tokio::test(start_paused = true)]
async fn a_callers_clock_may_stand_still() {
    let cluster = start(Cluster::builder(Flavor::MariaDb).replicas(1)).await;
    cluster.primary().sql("CREATE TABLE app.t (a INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    cluster.primary().restart().await.unwrap();
    assert!(greets(cluster.primary().address()));
}
