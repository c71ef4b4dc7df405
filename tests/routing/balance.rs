//! Reads go where they have the least to wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headgate::lab::{Flavor, Headgate};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Options;
use crate::stage::{PATIENCE, Stage, counted, run, stage, through};

const READERS: usize = 8;

/// A plain read.
const QUICK: &str = "SELECT COUNT(*) FROM held";

/// One that takes a while.
const SLOW: &str = "SELECT COUNT(*) FROM held a, held b, held c WHERE a.id + b.id < c.id";

/// Readers that ask one thing after another, and how often each has been answered.
struct Readers {
    answers: Arc<[AtomicU64; READERS]>,
    tasks: JoinSet<()>,
}

impl Readers {
    async fn start(client: &Options, sql: &'static str) -> Self {
        let answers: Arc<[AtomicU64; READERS]> = Arc::default();
        let mut tasks = JoinSet::new();
        for reader in 0..READERS {
            let mut session = client.connect().await.unwrap();
            let answers = Arc::clone(&answers);
            tasks.spawn(async move {
                loop {
                    run(&mut session, sql).await.unwrap();
                    answers[reader].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { answers, tasks }
    }

    /// How many are answered at least once within a time.
    async fn moving(&self, within: Duration) -> usize {
        let counts = || self.answers.each_ref().map(|answers| answers.load(Ordering::Relaxed));
        let before = counts();
        tokio::time::sleep(within).await;
        counts().iter().zip(before).filter(|(after, before)| **after > *before).count()
    }

    /// Waits until all of them end what they are at, and stops them.
    async fn stop(mut self) {
        for _ in 0..100 {
            if self.moving(Duration::from_millis(100)).await == READERS {
                self.tasks.shutdown().await;
                return;
            }
        }
        panic!("not all readers are answered again");
    }
}

/// Which part of what is read without a pause for two seconds the primary has.
async fn share_of_the_primary(headgate: &Headgate, stage: &Stage) -> f64 {
    let readers = Readers::start(&through(headgate, stage.cluster.accounts().app), QUICK).await;
    let before = counted(headgate);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = counted(headgate);
    readers.stop().await;
    let (primary, replicas) = (after.0 - before.0, after.1 - before.1);
    primary / (primary + replicas)
}

/// On one replica a table is locked, so that no read of it ends there. It takes as many readers as it has connections;
/// nobody waits there for another.
async fn a_stuck_replica_does_not_take_everybody(flavor: Flavor, stage: &Stage, balance: &str) {
    let headgate = stage
        .headgate(&[
            "--pool-mode=transaction",
            "--max-connections-per-server=2",
            "--pool-wait-timeout=60s",
            &format!("--set=routing.balance={balance}"),
            "--set=routing.consistency=eventual",
        ])
        .await;
    let root = stage.cluster.accounts().root;
    let stuck = stage.cluster.replicas()[0].address();
    let mut admin = Options::new(stuck, root.user, root.password).connect().await.unwrap();
    let readers = Readers::start(&through(&headgate, stage.cluster.accounts().app), QUICK).await;
    assert_eq!(readers.moving(Duration::from_secs(1)).await, READERS, "{flavor}, {balance}: before");
    if flavor == Flavor::MySql {
        run(&mut admin, "SET GLOBAL super_read_only = OFF").await.unwrap();
    }
    run(&mut admin, "LOCK TABLES app.held WRITE").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let moving = readers.moving(Duration::from_secs(1)).await;
    run(&mut admin, "UNLOCK TABLES").await.unwrap();
    if flavor == Flavor::MySql {
        run(&mut admin, "SET GLOBAL super_read_only = ON").await.unwrap();
    }
    readers.stop().await;
    admin.quit().await.unwrap();
    assert!(moving >= READERS - 2, "{flavor}, {balance}: {moving} readers go on");
}

/// Who finds all connections to a replica in use waits for one: reads that the replicas are too few for do not come
/// down on the primary.
async fn busy_replicas_keep_their_reads(flavor: Flavor, stage: &Stage) {
    let headgate = stage
        .headgate(&[
            "--pool-mode=transaction",
            "--max-connections-per-server=1",
            "--pool-wait-timeout=60s",
            "--set=routing.consistency=eventual",
        ])
        .await;
    let share = share_of_the_primary(&headgate, stage).await;
    assert!(share < 0.05, "{flavor}: {share:.2} of the reads on the primary");
}

/// Who waits for too long is told so, and its session goes on.
async fn a_wait_for_a_replica_has_an_end(flavor: Flavor, stage: &Stage) {
    let headgate = stage
        .headgate(&[
            "--pool-mode=transaction",
            "--max-connections-per-server=1",
            "--pool-wait-timeout=300ms",
            "--set=routing.consistency=eventual",
        ])
        .await;
    let client = through(&headgate, stage.cluster.accounts().app);
    let before = counted(&headgate);
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(client.connect().await.unwrap());
    }
    let mut sessions = JoinSet::new();
    for mut session in clients {
        sessions.spawn(async move {
            let told = session.query(SLOW).await.unwrap().error;
            if let Some(told) = &told {
                let text = String::from_utf8_lossy(&told.message).into_owned();
                assert_eq!(told.code, 1040, "{text}");
                assert!(text.contains("pool.max_connections_per_server"), "{text}");
            }
            (session, told.is_some())
        });
    }
    let mut told = 0;
    for (mut session, was_told) in sessions.join_all().await {
        told += usize::from(was_told);
        // One after the other, since the primary's one connection is waited for no longer either.
        run(&mut session, "/* headgate: primary */ SELECT 1").await.unwrap();
    }
    assert!((5..40).contains(&told), "{flavor}: {told} of 40 were told");
    let primary = counted(&headgate).0 - before.0;
    // Each has logged in and asked once.
    assert!(primary <= 85.0, "{flavor}: {primary} statements on the primary");
}

/// Where the primary is to be spared, reads wait for slow replicas, however slow, and nobody is refused.
async fn a_forbidden_primary_gets_nothing(flavor: Flavor, stage: &Stage) {
    let headgate = stage
        .headgate(&[
            "--pool-mode=transaction",
            "--max-connections-per-server=1",
            "--pool-wait-timeout=60s",
            "--set=routing.primary_reads=never",
            "--set=routing.consistency=eventual",
        ])
        .await;
    let client = through(&headgate, stage.cluster.accounts().app);
    let (before, mut sessions) = (counted(&headgate), JoinSet::new());
    for _ in 0..6 {
        let mut session = client.connect().await.unwrap();
        sessions.spawn(async move {
            run(&mut session, SLOW).await.unwrap();
        });
    }
    sessions.join_all().await;
    let end = Instant::now() + PATIENCE;
    while counted(&headgate).1 - before.1 < 6.0 {
        assert!(
            Instant::now() < end,
            "{flavor}: not all on replicas, but {:?} after {before:?}",
            counted(&headgate)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The primary as one of those that read has as much to do as the others, and not all of it.
async fn the_primary_takes_its_share(flavor: Flavor, stage: &Stage, balance: &str, pool: &[&str]) {
    let balance_by = format!("--set=routing.balance={balance}");
    let flags = ["--set=routing.primary_reads=member", &balance_by, "--set=routing.consistency=eventual"];
    let headgate = stage.headgate(&[&flags, pool].concat()).await;
    let share = share_of_the_primary(&headgate, stage).await;
    assert!(
        (0.15..0.55).contains(&share),
        "{flavor}, {balance}, {pool:?}: {share:.2} of the reads on the primary"
    );
}

async fn by_what_there_is_to_do(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.held", "CREATE TABLE app.held (id INT PRIMARY KEY)"]).await;
    busy_replicas_keep_their_reads(flavor, &stage).await;
    let rows: Vec<String> = (1..=120).map(|id| format!("({id})")).collect();
    stage.prepare([format!("INSERT INTO app.held VALUES {}", rows.join(","))]).await;
    a_wait_for_a_replica_has_an_end(flavor, &stage).await;
    a_forbidden_primary_gets_nothing(flavor, &stage).await;
    for balance in ["two-choices", "least-connections"] {
        a_stuck_replica_does_not_take_everybody(flavor, &stage, balance).await;
        for pool in
            [&["--pool-mode=session"][..], &["--pool-mode=transaction", "--max-connections-per-server=1"]]
        {
            the_primary_takes_its_share(flavor, &stage, balance, pool).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_by_what_there_is_to_do_on_mysql() {
    by_what_there_is_to_do(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_by_what_there_is_to_do_on_mariadb() {
    by_what_there_is_to_do(Flavor::MariaDb).await;
}
