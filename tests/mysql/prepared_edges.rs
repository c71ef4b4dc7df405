//! What may go wrong where statements of the binary protocol leave their connection.

use headgate::lab::Flavor;
use headgate::wire::command::Command;

use crate::client::Param;
use crate::headgate::Headgate;
use crate::prepared::{PATIENCE, Scene, number, string, value};

/// MYSQL_TYPE_DOUBLE.
const DOUBLE: u8 = 5;

/// What a PREPARE has told of the columns holds for the execution that follows.
async fn columns_are_those_that_were_told(flavor: Flavor) {
    let scene = Scene::set_apart(flavor, "prepared_columns").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let stop = if flavor == Flavor::MySql { "STOP REPLICA SQL_THREAD" } else { "STOP SLAVE SQL_THREAD" };
    let start = if flavor == Flavor::MySql { "START REPLICA SQL_THREAD" } else { "START SLAVE SQL_THREAD" };
    scene.on_each_replica(stop).await;
    let alter = format!("ALTER TABLE {}.t ADD COLUMN late INT", scene.user);
    scene.cluster.primary().sql(alter).await.unwrap();
    let told = session.0.prepare(b"SELECT * FROM t").await.unwrap();
    let reply = session.execute(told.statement.unwrap(), &[]).await;
    scene.on_each_replica(start).await;
    assert_eq!(reply.types.len(), told.types.len());
    // Once the replicas have it, they answer.
    scene.cluster.wait_caught_up(PATIENCE).await.unwrap();
    let id = told.statement.unwrap();
    scene.until_moves(&mut session, id, &[]).await;
    scene.end().await;
}

/// MySQL keeps the types that a statement was once executed with, and converts values to them. Other sessions
/// must not feel it.
async fn types_of_others_do_not_count(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_types").await;
    for statement in [
        format!("CREATE TABLE {}.n (id BIGINT PRIMARY KEY, s VARCHAR(9))", scene.user),
        format!(
            "INSERT INTO {}.n VALUES (9007199254740992, '1'), (9007199254740993, '01'), (3, 'x')",
            scene.user
        ),
    ] {
        scene.cluster.primary().sql(statement).await.unwrap();
    }
    scene.cluster.wait_caught_up(PATIENCE).await.unwrap();
    let double = Param { kind: DOUBLE, value: Some(2.5_f64.to_le_bytes().to_vec()), ..number(0) };
    let check = async |text: &str, theirs: &Param, ours: &Param, expected: &str| {
        // Idle connections belong to workers, and either of them may serve a session.
        for _ in 0..4 {
            let mut other = scene.session().await;
            scene.until_split(&mut other).await;
            let id = other.prepare(text).await;
            for _ in 0..3 {
                other.execute(id, std::slice::from_ref(theirs)).await;
            }
        }
        for _ in 0..4 {
            let mut session = scene.session().await;
            scene.until_split(&mut session).await;
            let id = session.prepare(text).await;
            for _ in 0..3 {
                let reply = session.execute(id, std::slice::from_ref(ours)).await;
                assert_eq!(value(&reply), expected, "{text}: {:#?}", reply.lines);
            }
        }
    };
    check("SELECT COUNT(*) FROM n WHERE s = ?", &number(1), &string("1"), "1").await;
    check(
        "SELECT GREATEST(?, 2) FROM n LIMIT 1",
        &double,
        &number(9_007_199_254_740_993),
        "9007199254740993",
    )
    .await;
    check("SELECT COUNT(*) FROM n WHERE id = ?", &string("2.5e0"), &string("9007199254740993"), "1").await;
    if flavor == Flavor::MySql {
        let text = "SELECT ? + 0 FROM n LIMIT 1";
        check(text, &string("2.5e0"), &string("9007199254740993"), "9007199254740993").await;
    }
    scene.end().await;
}

/// Types that the client has sent once hold for an execution that is too long to be read.
async fn long_executions_have_their_types(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_long").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT LENGTH(?) FROM t LIMIT 1").await;
    scene.until_moves(&mut session, read, &[string("one")]).await;
    for len in [100, 300 * 1024, 3 * 1024 * 1024] {
        let mut bytes = Vec::new();
        headgate::wire::encode::put_lenenc_bytes(&mut bytes, &vec![b'x'; len]);
        assert_eq!(value(&session.execute_again(read, &bytes).await), len.to_string());
    }
    scene.end().await;
}

/// Why a replica would not prepare a statement is no other session's business.
async fn refusals_are_not_shown_to_others(flavor: Flavor) {
    let scene = Scene::set_apart(flavor, "prepared_leak").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a FROM t WHERE id = 1").await;
    let executed = async {
        for _ in 0..4 {
            session.execute(read, &[]).await;
        }
    };
    scene.while_replicas_prepare_nothing(executed).await;
    let mut other = scene.session().await;
    for _ in 0..4 {
        let reply = other.text("SELECT 1").await;
        let shown = other.text("SHOW WARNINGS").await;
        assert!(shown.results[0].is_empty(), "{:#?} {:#?}", reply.lines, shown.lines);
    }
    scene.end().await;
}

/// An execution that ends with its transaction has used up what was sent ahead for it.
async fn what_was_sent_ahead_is_sent_once(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_ahead").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT COUNT(*) FROM t WHERE s = ?").await;
    let nothing = Param { value: Some(Vec::new()), ..string("") };
    session.text("START TRANSACTION READ ONLY").await;
    session.text("SELECT COUNT(*) FROM t").await;
    session.0.send_long_data(read, 0, b"two").await.unwrap();
    let reply = session.0.execute(read, 0, std::slice::from_ref(&nothing), &[]).await.unwrap();
    assert_eq!(reply.error.map(|error| error.code), Some(1213));
    // Once more, as the error asks for.
    session.0.send_long_data(read, 0, b"two").await.unwrap();
    assert_eq!(value(&session.execute(read, &[nothing]).await), "1");
    scene.end().await;
}

/// What a statement is bound to counts where the character sets were not known when it was prepared.
async fn bound_to_character_sets_that_are_read_late(flavor: Flavor) {
    let mut scene = Scene::set(flavor, "prepared_charset").await;
    scene.headgate.stop().await.unwrap();
    let function = format!("CREATE FUNCTION {}.only_one() RETURNS INT DETERMINISTIC RETURN 1", scene.user);
    scene.cluster.primary().sql(function).await.unwrap();
    scene.cluster.wait_caught_up(PATIENCE).await.unwrap();
    scene.headgate = Headgate::start(scene.cluster, &[]).await.unwrap();
    let mut session = scene.session().await;
    let text = "SELECT CONCAT(HEX('a'), only_one()) FROM t LIMIT 1";
    let end = tokio::time::Instant::now() + PATIENCE;
    while !scene.moves(session.text(text)).await.1 {
        assert!(tokio::time::Instant::now() < end, "it calls only what is pure");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    session.text("SET character_set_connection = ucs2").await;
    let id = session.prepare(text).await;
    session.text("SET character_set_connection = utf8mb4").await;
    assert_eq!(value(&session.execute(id, &[]).await), "00611");
    scene.end().await;
}

/// The statement's types are those of its last execution, by whatever name it went.
async fn types_count_by_either_name(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_names").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a FROM t WHERE id = ?").await;
    scene.until_moves(&mut session, read, &[number(1)]).await;
    let reply = session.execute_again(u32::MAX, &i64::to_le_bytes(2)).await;
    assert_eq!(value(&reply), "20");
    scene.end().await;
}

/// MariaDB forgets which statement was prepared last when the next one cannot be.
async fn nothing_is_last_after_a_failure(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_failed").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT COUNT(*) FROM t WHERE s = ?").await;
    session.0.send_long_data(read, 0, b"two").await.unwrap();
    assert!(session.0.prepare(b"no statement").await.unwrap().error.is_some());
    let nothing = Param { value: Some(Vec::new()), ..string("") };
    let reply = session.0.execute(u32::MAX, 0, std::slice::from_ref(&nothing), &[]).await.unwrap();
    assert_eq!(reply.error.map(|error| error.code), Some(1243));
    assert_eq!(value(&session.execute(read, &[nothing]).await), "1", "what was sent ahead for it");
    session.0.statement_command(Command::StmtClose, u32::MAX).await.unwrap();
    scene.until_split(&mut session).await;
    scene.until_moves(&mut session, read, &[string("one")]).await;
    scene.end().await;
}

/// A PREPARE is a statement that SHOW ERRORS asks about, wherever the one before has run.
async fn errors_of_a_prepare_are_shown(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_errors").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    session.text("START TRANSACTION READ ONLY").await;
    session.text("SELECT COUNT(*) FROM t").await;
    assert!(session.0.prepare(b"no statement").await.unwrap().error.is_some());
    let shown = session.text("SHOW ERRORS").await;
    assert_eq!(shown.results[0].len(), 1, "{:#?}", shown.lines);
    session.text("COMMIT").await;
    scene.end().await;
}

/// Plain reads that are too many to be remembered are no reason to keep the session at the primary.
async fn too_many_are_no_harm(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_budget").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    for n in 0..6 {
        session.prepare(&format!("SELECT {n} FROM t /* {} */", "x".repeat(240 * 1024))).await;
    }
    scene.until_split(&mut session).await;
    scene.end().await;
}

/// What changes a session keeps its reads where it is, prepared or not.
async fn what_pins(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_pins").await;
    let texts: &[&str] = &["SET SESSION timestamp = 5", "SET ROLE NONE", "SET autocommit = 0"];
    for text in texts {
        let mut session = scene.session().await;
        scene.until_split(&mut session).await;
        let made = session.0.prepare(text.as_bytes()).await.unwrap();
        let Some(id) = made.statement else { continue };
        let reply = session.0.execute(id, 0, &[], &[]).await.unwrap();
        if reply.error.is_some() {
            println!("{flavor:?} {text}: {:?}", reply.error);
            continue;
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for _ in 0..3 {
            assert!(!scene.moves(session.text("SELECT COUNT(*) FROM t")).await.1, "{text}");
        }
    }
    scene.end().await;
}

/// What ties a session to the primary by a name, or sets what no plain read sees, leaves its other reads free.
async fn what_does_not_pin(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_free").await;
    for text in ["SELECT 1 INTO @b", "SELECT @c := 1", "CREATE TEMPORARY TABLE tt (a INT)"] {
        let mut session = scene.session().await;
        let id = session.0.prepare(text.as_bytes()).await.unwrap().statement.unwrap();
        let reply = session.0.execute(id, 0, &[], &[]).await.unwrap();
        assert!(reply.error.is_none(), "{text}: {:?}", reply.error);
        scene.until_split(&mut session).await;
    }
    scene.end().await;
}

on! { MySql on_mysql:
    columns_are_those_that_were_told types_of_others_do_not_count refusals_are_not_shown_to_others
    what_was_sent_ahead_is_sent_once long_executions_have_their_types errors_of_a_prepare_are_shown
    too_many_are_no_harm what_pins what_does_not_pin
}
on! { MariaDb on_mariadb:
    columns_are_those_that_were_told types_of_others_do_not_count refusals_are_not_shown_to_others
    what_was_sent_ahead_is_sent_once long_executions_have_their_types bound_to_character_sets_that_are_read_late
    types_count_by_either_name nothing_is_last_after_a_failure errors_of_a_prepare_are_shown
    too_many_are_no_harm what_pins what_does_not_pin
}
