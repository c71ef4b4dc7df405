//! One cluster a flavor for every test of this binary.
//!
//! They live in statics, which nothing drops: the laboratory's watchdog ends them with the process.

use headgate::lab::{Cluster, Flavor, Tls};
use tokio::sync::OnceCell;

use crate::client::Options;

/// The account that runs scripts: everything in its own schemas, nothing elsewhere.
pub(crate) const SCRIPT_USER: (&str, &str) = ("diff", "diff-pw");

/// What new sessions begin with on the first replica, and neither on the primary nor on the other.
pub(crate) const OTHER_DEFAULTS: &[&str] = &[
    "sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'",
    "time_zone = '+03:00'",
    "collation_server = latin1_german1_ci",
    "lc_time_names = de_DE",
    "lc_messages = de_DE",
    "group_concat_max_len = 10",
    "div_precision_increment = 9",
    "default_week_format = 3",
];

/// One of each flavor, started when it is first asked for.
struct Clusters {
    mysql: OnceCell<Cluster>,
    mariadb: OnceCell<Cluster>,
}

impl Clusters {
    const fn none() -> Self {
        Self { mysql: OnceCell::const_new(), mariadb: OnceCell::const_new() }
    }

    async fn of(&'static self, flavor: Flavor) -> &'static Cluster {
        let cell = match flavor {
            Flavor::MySql => &self.mysql,
            Flavor::MariaDb => &self.mariadb,
        };
        cell.get_or_init(|| start(flavor)).await
    }
}

/// A primary and two replicas, as a user has them; only what scripts need is switched on.
pub(crate) async fn cluster(flavor: Flavor) -> &'static Cluster {
    static CLUSTERS: Clusters = Clusters::none();
    CLUSTERS.of(flavor).await
}

/// Another one, which no scripts write to: its replicas have what they need at once.
pub(crate) async fn quiet_cluster(flavor: Flavor) -> &'static Cluster {
    static CLUSTERS: Clusters = Clusters::none();
    CLUSTERS.of(flavor).await
}

async fn start(flavor: Flavor) -> Cluster {
    let cluster = Cluster::builder(flavor)
        .relays(false)
        .tls(Tls::Ca)
        .performance_schema(false)
        .max_connections(400)
        .server_option("max_allowed_packet=64M")
        .server_option("local_infile=ON")
        // Thousands of schemas are made and dropped, and nobody pulls the plug.
        .server_option("sync_binlog=0")
        .server_option("innodb_flush_log_at_trx_commit=0")
        .server_option("innodb_doublewrite=OFF")
        // How long a statement takes on a busy machine must not show in its status flags.
        .server_option("long_query_time=3600")
        .server_option("log_bin_trust_function_creators=ON")
        .start()
        .await
        .unwrap();
    let (user, password) = SCRIPT_USER;
    for statement in [
        format!("CREATE USER {user}@'%' IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON `d\\_%`.* TO {user}@'%'"),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(std::time::Duration::from_secs(30)).await.unwrap();
    // No script may tell which of the two it read from (HAZARDS 4).
    for default in OTHER_DEFAULTS {
        cluster.replicas()[0].sql(format!("SET GLOBAL {default}")).await.unwrap();
    }
    cluster
}

/// Root, directly at the primary.
pub(crate) fn root(cluster: &Cluster) -> Options {
    let root = cluster.accounts().root;
    Options::new(cluster.primary().address(), root.user, root.password).tls(true)
}
