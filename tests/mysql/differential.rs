//! Every script directly on the primary and through Headgate: the packets must be the same.
//!
//! `HEADGATE_SCRIPTS=NAME` runs only scripts whose names contain it, `HEADGATE_SHOW=1` prints what the
//! server answers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use headgate::lab::{Cluster, Flavor};
use headgate::wire::capabilities::Capabilities;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::client::{Compression, Connection, Options, PLAIN_CLIENT};
use crate::headgate::Headgate;
use crate::interloper::Interloper;
use crate::script::Script;
use crate::servers::{SCRIPT_USER, cluster, root};
use crate::transcript::{Pass, Transcript, difference, run, run_on};

/// Pairs running at a time.
const WORKERS: usize = 6;

/// One way to be a client: capabilities that change the form of replies.
const FORMS: [Capabilities; 4] = [
    Capabilities(Capabilities::DEPRECATE_EOF.0 | Capabilities::SESSION_TRACK.0),
    Capabilities(0),
    Capabilities::DEPRECATE_EOF,
    Capabilities::SESSION_TRACK,
];

/// The two sides that a script's transcripts are compared of.
#[derive(Debug, Clone)]
struct Sides {
    direct: SocketAddr,
    flavor: Flavor,
    /// Sessions of the other side share connections to the primary.
    shares: bool,
    /// And another one has the only connection between any two statements.
    moves: bool,
    /// Name, address, whether TLS is used.
    others: Vec<(&'static str, SocketAddr, bool)>,
}

#[derive(Debug, Clone)]
struct Job {
    /// Begins the schema's name: two tests may run at a time.
    tag: char,
    script: Arc<Script>,
    pass: Pass,
    form: usize,
}

impl Job {
    /// Whether it runs by default where sessions share connections: scripts about what sessions set and write, as text.
    /// `HEADGATE_EVERY_SCRIPT=1` runs all of them, which takes minutes and a machine that does nothing else: who leaves
    /// its questions about a statement for half a second while others wait may be told 1235.
    fn is_short(&self) -> bool {
        const THEMES: [&str; 5] = ["move_var", "move_id", "move_tx", "move_user", "app_"];
        let every = std::env::var_os("HEADGATE_EVERY_SCRIPT").is_some();
        every || (self.pass == Pass::Text && THEMES.iter().any(|theme| self.script.name.starts_with(theme)))
    }

    /// Same name on every side, since it stands in column definitions.
    fn schema(&self) -> String {
        let pass = if self.pass == Pass::Text { 't' } else { 'b' };
        format!("d_{}{pass}{}_{}", self.tag, self.form, self.script.name)
    }

    fn options(&self, address: SocketAddr, tls: bool) -> Options {
        let (user, password) = SCRIPT_USER;
        let capabilities = (PLAIN_CLIENT | FORMS[self.form] | self.script.with).without(self.script.without);
        let options = Options::new(address, user, password).tls(tls).capabilities(capabilities);
        if self.script.without.contains(Capabilities::CONNECT_WITH_DB) {
            return options;
        }
        options.schema(&self.schema())
    }

    /// Compression wraps packets as TLS does: each script meets both kinds of it, and goes without as well. The
    /// primary is always asked without, so that what is compared is what is inside.
    fn compression(&self, flavor: Flavor, tls: bool) -> Option<Compression> {
        match (self.pass, self.form) {
            (Pass::Text, 0) if tls => Some(Compression::Zlib),
            (Pass::Text, 2) | (Pass::Binary, 0) if flavor == Flavor::MySql => Some(Compression::Zstd),
            (Pass::Text, 2) | (Pass::Binary, 0 | 2) => Some(Compression::Zlib),
            _ => None,
        }
    }

    /// TLS wraps packets whatever is in them, so not every form needs both ways: each value of each
    /// capability meets TLS and plain TCP.
    fn has_way(&self, tls: bool) -> bool {
        match (self.pass, self.form) {
            (Pass::Text, 0) => true,
            (Pass::Text, 1) | (Pass::Binary, 0) => tls,
            _ => !tls,
        }
    }

    /// Runs the script on each side in turn, in a fresh schema each time; says how they differ.
    async fn compare(&self, sides: &Sides, admin: &mut Connection) -> Result<Option<String>> {
        let title = format!("{} ({:?}, {:08x})", self.script.name, self.pass, FORMS[self.form].0);
        fresh_schema(admin, &self.schema()).await?;
        let direct = run(&self.script, self.pass, &self.options(sides.direct, false), &self.schema())
            .await
            .with_context(|| format!("{title}, direct"))?;
        if std::env::var_os("HEADGATE_SHOW").is_some() {
            println!("{title}, direct:\n{}", direct.lines.join("\n"));
        }
        if !direct.unexpected.is_empty() {
            let lines = direct.unexpected.join("\n  ");
            return Ok(Some(format!("{title}: the script does not do what it says:\n  {lines}")));
        }
        let others = sides.others.iter().filter(|(_, _, tls)| sides.others.len() == 1 || self.has_way(*tls));
        for (name, address, tls) in others {
            fresh_schema(admin, &self.schema()).await?;
            let options = self.options(*address, *tls);
            let options = options.compression(self.compression(sides.flavor, *tls));
            let other = self.run(sides, admin, &options).await.with_context(|| format!("{title}, {name}"))?;
            let (direct, other) = match sides.shares {
                true => (direct.without_metadata_changed(), other.without_metadata_changed()),
                false => (direct.clone(), other),
            };
            let Some(found) = difference(&direct, &other, ["direct", name]) else { continue };
            let found = format!("{title}, {name}:\n{found}");
            if *address == sides.direct || !self.server_answers_so(sides, admin, &other).await? {
                return Ok(Some(found));
            }
            eprintln!("the server itself answers either way:\n{found}");
        }
        admin.query(format!("DROP DATABASE `{}`", self.schema())).await?;
        Ok(None)
    }

    /// Runs the script on the other side.
    async fn run(&self, sides: &Sides, admin: &mut Connection, options: &Options) -> Result<Transcript> {
        if !sides.moves {
            return run(&self.script, self.pass, options, &self.schema()).await;
        }
        let schema = format!("{}_interloper", self.schema());
        fresh_schema(admin, &schema).await?;
        let connection = options.connect().await?;
        let mut interloper = Some(Interloper::start(&options.clone().schema(&schema)).await?);
        let transcript = run_on(connection, &self.script, self.pass, &self.schema(), &mut interloper).await?;
        if let Some(interloper) = interloper {
            MOVED.fetch_add(interloper.leave().await?, Ordering::Relaxed);
        }
        admin.query(format!("DROP DATABASE `{schema}`")).await?;
        Ok(transcript)
    }

    /// Whether the server itself answers so at another time: what MySQL says of its dictionary, plans and indexes
    /// depends on what others do meanwhile. A difference of Headgate's own is never an answer of the server.
    async fn server_answers_so(
        &self,
        sides: &Sides,
        admin: &mut Connection,
        other: &Transcript,
    ) -> Result<bool> {
        for _ in 0..3 {
            fresh_schema(admin, &self.schema()).await?;
            let options = self.options(sides.direct, false);
            let again = run(&self.script, self.pass, &options, &self.schema()).await?;
            let again = if sides.shares { again.without_metadata_changed() } else { again };
            if difference(&again, other, ["direct", "headgate"]).is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn fresh_schema(admin: &mut Connection, schema: &str) -> Result<()> {
    for statement in [
        format!("DROP DATABASE IF EXISTS `{schema}`"),
        format!("CREATE DATABASE `{schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"),
    ] {
        let mut reply = admin.query(&statement).await?;
        if reply.error.as_ref().is_some_and(|error| error.code == ER_DB_DROP_RMDIR) {
            sweep(admin, schema).await?;
            reply = admin.query(&statement).await?;
        }
        anyhow::ensure!(reply.error.is_none(), "{:?}", reply.error);
    }
    Ok(())
}

const ER_DB_DROP_RMDIR: u16 = 1010;

/// Takes away what MariaDB forgot. Where sessions create triggers at the same time, in whatever schemas, its
/// copy of a table's triggers from before may stay behind (`t.TRG-`; seen with 10.11.19, three of 480 schemas from
/// eight sessions), and DROP DATABASE fails from then on.
async fn sweep(admin: &mut Connection, schema: &str) -> Result<()> {
    let folder = admin.query("SELECT @@datadir").await?;
    let folder = folder.value().context("no @@datadir")?;
    for file in std::fs::read_dir(Path::new(&folder).join(schema))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "TRG-") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn jobs(flavor: Flavor, tag: char, forms: &[usize]) -> Vec<Job> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mysql/scripts");
    let scripts = Script::all(&folder).unwrap();
    assert!(scripts.len() >= 400, "only {} scripts in {}", scripts.len(), folder.display());
    let wanted = std::env::var("HEADGATE_SCRIPTS").unwrap_or_default();
    let mut jobs = Vec::new();
    for script in scripts {
        if script.flavor.is_some_and(|only| only != flavor) || !script.name.contains(&wanted) {
            continue;
        }
        let script = Arc::new(script);
        for (pass, has) in [(Pass::Text, script.text), (Pass::Binary, script.binary)] {
            // The form of the packets around rows does not depend on that of the rows, so two are
            // enough for the binary pass: with everything, and with nothing. Where there is no other pass, the
            // third is for zlib.
            let most = match pass {
                _ if script.once => 1,
                Pass::Text => forms.len(),
                Pass::Binary if script.text => 2.min(forms.len()),
                Pass::Binary => 3.min(forms.len()),
            };
            let forms = &forms[..most];
            jobs.extend(forms.iter().filter(|_| has).map(|form| Job {
                tag,
                script: Arc::clone(&script),
                pass,
                form: *form,
            }));
        }
    }
    jobs
}

/// Compares all jobs; fails with every difference found.
async fn compare_all(cluster: &'static Cluster, sides: Sides, jobs: Vec<Job>) {
    compare_by(cluster, sides, jobs, WORKERS).await;
}

async fn compare_by(cluster: &'static Cluster, sides: Sides, jobs: Vec<Job>, at_once: usize) {
    let count = jobs.len();
    let queue = Arc::new(Mutex::new(VecDeque::from(jobs)));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (queue, sides) = (Arc::clone(&queue), sides.clone());
        workers.spawn(async move {
            let mut admin = root(cluster).connect().await.unwrap();
            let mut failures = Vec::new();
            loop {
                let Some(job) = queue.lock().pop_front() else { return failures };
                let mut compared = job.compare(&sides, &mut admin).await;
                if let Ok(Some(once)) = &compared
                    && sides.others.iter().all(|(_, address, _)| *address == sides.direct)
                {
                    // Both sides are the same server, which other tests use as well and leave their traces
                    // in. A difference of its own counts when it shows again, and is told all the same; one
                    // between server and Headgate counts at once.
                    eprintln!("a difference, compared again:\n{once}");
                    compared = job.compare(&sides, &mut admin).await;
                }
                match compared {
                    Ok(None) => {}
                    Ok(Some(difference)) => failures.push(difference),
                    Err(error) => failures.push(format!("{error:#}")),
                }
            }
        });
    }
    let mut failures = workers.join_all().await.concat();
    failures.sort();
    assert!(failures.is_empty(), "{} of {count} differ:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// Shows that what is left out of the comparison is enough, and that the scripts do what they say.
async fn direct_against_direct(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let direct = cluster.primary().address();
    let sides = Sides { direct, flavor, shares: false, moves: false, others: vec![("again", direct, true)] };
    compare_all(cluster, sides, jobs(flavor, 'd', &[0])).await;
}

async fn headgate_against_direct(flavor: Flavor, tag: char, forms: &[usize], flags: &[&str]) {
    let cluster = cluster(flavor).await;
    let headgate = Headgate::start(cluster, flags).await.unwrap();
    let mut jobs = jobs(flavor, tag, forms);
    let shares = !flags.contains(&"session");
    if !(flags.is_empty() || flags == KEEPING) {
        jobs.retain(Job::is_short);
    }
    jobs.retain(|Job { script, .. }| !(script.differs || (shares && script.differs_sharing)));
    let sides = Sides {
        shares,
        moves: false,
        direct: cluster.primary().address(),
        flavor,
        others: vec![("headgate", headgate.address(), false), ("tls", headgate.address(), true)],
    };
    compare_all(cluster, sides, jobs).await;
    let ended = headgate.stop().await.unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_equals_itself() {
    direct_against_direct(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_equals_itself() {
    direct_against_direct(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headgate_equals_mysql() {
    headgate_against_direct(Flavor::MySql, 'h', &[0, 1, 2, 3], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headgate_equals_mariadb() {
    headgate_against_direct(Flavor::MariaDb, 'h', &[0, 1, 2, 3], &[]).await;
}

/// Sessions that keep their connections.
const KEEPING: &[&str] = &["--pool-mode", "session"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeping_sessions_equal_mysql() {
    headgate_against_direct(Flavor::MySql, 'k', &[0, 1], KEEPING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeping_sessions_equal_mariadb() {
    headgate_against_direct(Flavor::MariaDb, 'k', &[0, 1], KEEPING).await;
}

/// Sessions that share connections to the primary, more of them than connections.
const SHARING: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "2", "--pool-wait-timeout", "60s"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_sessions_equal_mysql() {
    headgate_against_direct(Flavor::MySql, 's', &[0, 1], SHARING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_sessions_equal_mariadb() {
    headgate_against_direct(Flavor::MariaDb, 's', &[0, 1], SHARING).await;
}

/// Sessions that keep their connections, and could go on on another primary at any time.
const OUTLIVING: &[&str] = &["--failover-sessions", "outlive", "--pool-mode", "session"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outliving_sessions_equal_mysql() {
    headgate_against_direct(Flavor::MySql, 'o', &[0, 1], OUTLIVING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outliving_sessions_equal_mariadb() {
    headgate_against_direct(Flavor::MariaDb, 'o', &[0, 1], OUTLIVING).await;
}

/// One connection, and who does not get it gives up at once.
const MOVING: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "250ms"];

/// Commands of scripts before which another session had their connection.
static MOVED: AtomicUsize = AtomicUsize::new(0);

/// Every statement runs on a connection that was another session's just before, unless its own session keeps it.
async fn moved_statements(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let mut jobs = jobs(flavor, 'm', &[0]);
    jobs.retain(Job::is_short);
    jobs.retain(|Job { script, .. }| !(script.differs || script.differs_sharing || script.differs_moving));
    let mut lanes: Vec<Vec<Job>> = vec![Vec::new(); LANES];
    for (number, job) in jobs.into_iter().enumerate() {
        lanes[number % LANES].push(job);
    }
    let mut running = JoinSet::new();
    for jobs in lanes {
        running.spawn(async move {
            let headgate = Headgate::start(cluster, MOVING).await.unwrap();
            let sides = Sides {
                shares: true,
                moves: true,
                direct: cluster.primary().address(),
                flavor,
                others: vec![("moved", headgate.address(), true)],
            };
            compare_by(cluster, sides, jobs, 1).await;
            let ended = headgate.stop().await.unwrap();
            assert!(ended.success(), "{ended}");
        });
    }
    running.join_all().await;
    let all = std::env::var_os("HEADGATE_SCRIPTS").is_none();
    assert!(!all || MOVED.load(Ordering::Relaxed) > 100, "hardly a statement moved");
}

/// Headgates at a time, each with one connection and one script.
const LANES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_statements_equal_mysql() {
    moved_statements(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_statements_equal_mariadb() {
    moved_statements(Flavor::MariaDb).await;
}
