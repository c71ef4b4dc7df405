//! Compression towards clients: what is offered, what is asked of it, and that it takes place.
//! That replies are the same is `differential`'s to show, and `tests/clients`'.

use headgate::lab::Flavor;
use headgate::wire::capabilities::Capabilities;

use crate::client::{Compression, Options};
use crate::headgate::Headgate;
use crate::servers::{SCRIPT_USER, cluster};

const BOTH: Capabilities = Capabilities(Capabilities::COMPRESS.0 | Capabilities::ZSTD.0);

fn options(headgate: &Headgate) -> Options {
    let (user, password) = SCRIPT_USER;
    Options::new(headgate.address(), user, password)
}

async fn offered(headgate: &Headgate) -> Capabilities {
    let connection = options(headgate).connect().await.unwrap();
    let offered = connection.greeting.capabilities & BOTH;
    connection.quit().await.unwrap();
    offered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_offered_depends_on_the_family_and_the_setting() {
    let none = Capabilities::default();
    for (flavor, flags, expected) in [
        (Flavor::MySql, &[][..], BOTH),
        (Flavor::MySql, &["--set=listen.compression=zstd"][..], Capabilities::ZSTD),
        (Flavor::MariaDb, &[][..], Capabilities::COMPRESS),
        (Flavor::MariaDb, &["--set=listen.compression=zstd"][..], none),
    ] {
        let headgate = Headgate::start(cluster(flavor).await, flags).await.unwrap();
        assert_eq!(offered(&headgate).await, expected, "{flavor:?} {flags:?}");
    }
}

/// Megabytes that compress well are kilobytes on the network, both ways, with TLS and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn less_goes_over_the_network() {
    let headgate = Headgate::start(cluster(Flavor::MySql).await, &[]).await.unwrap();
    for compression in [None, Some(Compression::Zlib), Some(Compression::Zstd)] {
        for tls in [false, true] {
            let before = traffic(&headgate).await;
            let options = options(&headgate).tls(tls).compression(compression);
            let mut connection = options.connect().await.unwrap();
            let sql = format!("SELECT '{}', REPEAT('to the client', 200000)", "to headgate".repeat(100_000));
            assert_eq!(connection.query(&sql).await.unwrap().error, None);
            connection.quit().await.unwrap();
            let after = traffic(&headgate).await;
            for (what, bytes, long) in
                [("received", after.0 - before.0, 1_100_000.0), ("sent", after.1 - before.1, 3_700_000.0)]
            {
                let fits = if compression.is_some() { bytes < long / 10.0 } else { bytes > long };
                assert!(fits, "{compression:?}, TLS {tls}: {bytes} bytes {what}");
            }
        }
    }
}

/// Bytes from and to clients.
async fn traffic(headgate: &Headgate) -> (f64, f64) {
    let metrics = headgate.metrics().await.unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    (value("headgate_client_received_bytes_total"), value("headgate_client_sent_bytes_total"))
}

/// The server's own refusal, and where it does not look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_that_zstd_does_not_have_are_refused() {
    let cluster = cluster(Flavor::MySql).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    for (level, is_good) in [(0, false), (1, true), (22, true), (23, false), (255, false)] {
        let mut outcomes = Vec::new();
        for address in [cluster.primary().address(), headgate.address()] {
            let (user, password) = SCRIPT_USER;
            let options = Options::new(address, user, password).compression(Some(Compression::Zstd));
            outcomes.push(match options.zstd_level(level).login().await.unwrap() {
                Ok(mut connection) => {
                    let reply = connection.query("SELECT REPEAT('x', 100000)").await.unwrap();
                    assert_eq!(reply.error, None);
                    None
                }
                Err(refusal) => Some(refusal),
            });
        }
        assert_eq!(outcomes[0], outcomes[1], "level {level}");
        assert_eq!(outcomes[0].is_none(), is_good, "level {level}");
    }
}
