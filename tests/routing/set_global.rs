//! A client that runs SET GLOBAL and begins anew, with a login or with a reset, has what it has set, wherever its
//! statements run.

use std::time::Duration;

use headgate::lab::Flavor;
use headgate::wire::command::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Connection, Shape};
use crate::stage::{run, stage, through};

/// So often each is changed.
const ROUNDS: u32 = 40;

const BEGINS: u32 = 1024;

async fn length(connection: &mut Connection, on: &str) -> u32 {
    let sql = format!("/* headgate: {on} */ SELECT @@group_concat_max_len");
    let reply = run(connection, &sql).await.unwrap();
    reply.value().unwrap().parse().unwrap()
}

async fn reaches_who_begins_anew(flavor: Flavor, mode: &str) {
    let stage = stage(flavor).await;
    let headgate =
        stage.headgate(&[&format!("--pool-mode={mode}"), "--set=routing.consistency=eventual"]).await;
    let client = through(&headgate, stage.cluster.accounts().root);
    let mut setting = client.connect().await.unwrap();
    let mut resetting = client.connect().await.unwrap();
    for round in 0..ROUNDS {
        let wanted = BEGINS + round;
        run(&mut setting, &format!("SET GLOBAL group_concat_max_len = {wanted}")).await.unwrap();
        let mut newcomer = client.connect().await.unwrap();
        resetting.command(&[Command::ResetConnection as u8], Shape::Query).await.unwrap();
        for (who, session) in [("newcomer", &mut newcomer), ("after a reset", &mut resetting)] {
            for on in ["replica", "primary"] {
                let found = length(session, on).await;
                assert_eq!(found, wanted, "{flavor}, {mode}, round {round}: {who}, {on}");
            }
        }
        newcomer.quit().await.unwrap();
    }
    setting.quit().await.unwrap();
    resetting.quit().await.unwrap();
}

/// GRANT changes no defaults: nobody who logs in has to wait for it.
async fn grants_hold_nobody_up(flavor: Flavor) {
    let stage = stage(flavor).await;
    let headgate = stage.headgate(&[]).await;
    let client = through(&headgate, stage.cluster.accounts().root);
    let mut granting = client.connect().await.unwrap();
    let app = stage.cluster.accounts().app.user;
    let mut storm = JoinSet::new();
    storm.spawn(async move {
        loop {
            run(&mut granting, &format!("GRANT SELECT ON *.* TO {app}@'%'")).await.unwrap();
        }
    });
    let begun = Instant::now();
    for _ in 0..LOGINS {
        client.connect().await.unwrap().quit().await.unwrap();
    }
    let took = begun.elapsed();
    assert!(storm.try_join_next().is_none(), "nothing was granted meanwhile");
    storm.shutdown().await;
    assert!(took < Duration::from_secs(LOGINS / 2), "{LOGINS} logins took {took:?}");
}

const LOGINS: u64 = 20;

async fn reaches(flavor: Flavor) {
    for mode in ["session", "transaction"] {
        reaches_who_begins_anew(flavor, mode).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaches_who_begins_anew_on_mysql() {
    reaches(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaches_who_begins_anew_on_mariadb() {
    reaches(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_hold_nobody_up_on_mysql() {
    grants_hold_nobody_up(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_hold_nobody_up_on_mariadb() {
    grants_hold_nobody_up(Flavor::MariaDb).await;
}
