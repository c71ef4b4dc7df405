//! Many sessions on few connections, with procedures that set a variable and fail: the ERR hides that, and whatever comes
//! before the server may tell, nothing undoes it. Above all no connection is brought to what it was when a statement was
//! prepared, and back.

use headgate::lab::Flavor;
use headgate::wire::command::Command;
use tokio::task::JoinSet;

use crate::client::{Connection, Options, Shape};
use crate::headgate::Headgate;
use crate::servers::{SCRIPT_USER, cluster, root};

const FLAGS: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "4", "--pool-wait-timeout", "60s"];
const CLIENTS: u64 = 40;
const SESSIONS: u32 = 2;
const ACTIONS: u32 = 40;

const FURNITURE: &[&str] = &[
    "DROP DATABASE IF EXISTS d_hidden",
    "CREATE DATABASE d_hidden",
    "CREATE TABLE d_hidden.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)",
    "CREATE PROCEDURE d_hidden.fails(m INT) BEGIN SET SESSION group_concat_max_len = 1000 + m; \
     SET SESSION time_zone = '+07:00'; START TRANSACTION; INSERT INTO d_hidden.t (a) VALUES (m); COMMIT; \
     SIGNAL SQLSTATE '45000'; END",
];

/// xorshift.
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

/// One session: what it has set, and what it has done.
struct Guest {
    connection: Connection,
    prepared: u32,
    length: u64,
    trail: Vec<String>,
}

impl Guest {
    async fn arrive(options: &Options) -> Self {
        let mut connection = options.connect().await.unwrap();
        let sql = b"/* headgate: primary */ SELECT a FROM t WHERE id = 1";
        let prepared = connection.prepare(sql).await.unwrap().statement.unwrap();
        Self { connection, prepared, length: 0, trail: Vec::new() }
    }

    async fn act(&mut self, seed: &mut u64) {
        let text = match draw(seed, 10) {
            0 | 1 => {
                let m = draw(seed, 9);
                self.length = 1000 + m;
                format!("CALL fails({m})")
            }
            2 => "SHOW WARNINGS".to_owned(),
            3 => "INSERT INTO t (a) VALUES (1)".to_owned(),
            4 => "INSERT INTO t (id, a) VALUES (1, 1), (1, 2)".to_owned(),
            5 => "SET sql_mode = 'ANSI_QUOTES'".to_owned(),
            6 => "COM_INIT_DB".to_owned(),
            7 | 8 => "COM_STMT_EXECUTE".to_owned(),
            _ => {
                let on = if draw(seed, 2) == 0 { "primary" } else { "replica" };
                format!("/* headgate: {on} */ SELECT @@session.group_concat_max_len")
            }
        };
        let reply = match text.as_str() {
            "COM_INIT_DB" => {
                let command = [&[Command::InitDb as u8][..], b"d_hidden"].concat();
                self.connection.command(&command, Shape::Query).await
            }
            "COM_STMT_EXECUTE" => self.connection.execute(self.prepared, 0, &[], &[]).await,
            sql => self.connection.query(sql).await,
        };
        let reply = reply.unwrap();
        if text.contains("@@session") {
            assert_eq!(reply.value(), Some(self.length.to_string()), "{text} after {:?}", self.trail);
        }
        self.trail.push(text);
    }
}

async fn what_an_error_hides_is_not_undone(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let mut admin = root(cluster).connect().await.unwrap();
    for sql in FURNITURE {
        let reply = admin.query(sql).await.unwrap();
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    }
    let length = "SELECT @@global.group_concat_max_len";
    let default: u64 = admin.query(length).await.unwrap().value().unwrap().parse().unwrap();
    cluster.wait_caught_up(std::time::Duration::from_secs(60)).await.unwrap();
    let headgate = Headgate::start(cluster, FLAGS).await.unwrap();
    let (user, password) = SCRIPT_USER;
    let mut guests = JoinSet::new();
    for number in 1..=CLIENTS {
        let options = Options::new(headgate.address(), user, password).tls(true).schema("d_hidden");
        guests.spawn(async move {
            let mut seed = 0x9E37_79B9_7F4A_7C15 ^ (number * 7919);
            for _ in 0..SESSIONS {
                let mut guest = Guest { length: default, ..Guest::arrive(&options).await };
                for _ in 0..ACTIONS {
                    guest.act(&mut seed).await;
                }
                guest.connection.quit().await.unwrap();
            }
        });
    }
    while let Some(ended) = guests.join_next().await {
        ended.unwrap();
    }
    headgate.stop().await.unwrap();
}

on!(MySql on_mysql: what_an_error_hides_is_not_undone);
on!(MariaDb on_mariadb: what_an_error_hides_is_not_undone);
