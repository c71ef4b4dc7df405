//! mysqlbinlog and mariadb-binlog: what they read through Headgate is what they read directly, byte for byte.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use headgate::lab::{Flavor, tools};

use super::place::{Place, becomes};

#[test]
fn mysqlbinlog_reads_the_same() {
    let place = Place::start(Flavor::MySql, 0);
    write(&place);
    same(&place, &["--raw", "--to-last-log"], &["binlog.000001"]);
    same(&place, &["--to-last-log", "--verbose"], &["binlog.000001"]);
    same(
        &place,
        &["--raw", "--to-last-log", "--read-from-remote-source=BINLOG-DUMP-GTIDS"],
        &["binlog.000001"],
    );
    same(&place, &["--start-position=158", "--stop-position=4000", "--verbose"], &["binlog.000001"]);
    fails_the_same(&place);
    goes_on(&place);
}

#[test]
fn mariadb_binlog_reads_the_same() {
    let place = Place::start(Flavor::MariaDb, 0);
    write(&place);
    same(&place, &["--raw", "--to-last-log"], &["binlog.000001"]);
    same(&place, &["--to-last-log", "--verbose"], &["binlog.000001"]);
    fails_the_same(&place);
    goes_on(&place);
}

/// Two logs: small events, and one of several packets.
fn write(place: &Place) {
    place.sql(
        place.primary(),
        &[
            "CREATE TABLE app.read (id INT PRIMARY KEY AUTO_INCREMENT, c LONGTEXT)",
            "INSERT INTO app.read (c) VALUES ('a'), ('b'), (NULL)",
            "INSERT INTO app.read (c) SELECT x.c FROM app.read x, app.read y, app.read z",
            "INSERT INTO app.read (c) VALUES (REPEAT('x', 20 << 20))",
            "FLUSH BINARY LOGS",
            "DELETE FROM app.read WHERE id < 3",
        ],
    );
}

fn reader(place: &Place, address: SocketAddr) -> Command {
    let mut command = match place.cluster.flavor() {
        Flavor::MySql => tools::mysqlbinlog().unwrap(),
        Flavor::MariaDb => tools::mariadb_binlog().unwrap(),
    };
    let account = place.cluster.accounts().replication;
    command
        .arg("--no-defaults")
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--user={}", account.user))
        .arg(format!("--password={}", account.password));
    command
}

/// Everything that a run prints and writes.
fn outcome(place: &Place, address: SocketAddr, options: &[&str], logs: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = place.cluster.folder().join(format!("read-{}", address.port()));
    fs::create_dir_all(&folder).unwrap();
    let mut command = reader(place, address);
    if !options.iter().any(|option| option.starts_with("--read-from")) {
        command.arg("--read-from-remote-server");
    }
    let output = command.current_dir(&folder).args(options).args(logs).output().unwrap();
    let mut files = vec![
        ("status".to_owned(), output.status.to_string().into_bytes()),
        ("printed".to_owned(), output.stdout),
        ("errors".to_owned(), output.stderr),
    ];
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        files.push((path.file_name().unwrap().display().to_string(), fs::read(&path).unwrap()));
    }
    fs::remove_dir_all(&folder).unwrap();
    files
}

#[track_caller]
fn same(place: &Place, options: &[&str], logs: &[&str]) {
    let direct = compare(place, options, logs);
    let errors = String::from_utf8_lossy(&direct[2].1).into_owned();
    assert!(String::from_utf8_lossy(&direct[0].1).contains("status: 0"), "{options:?}: {errors}");
    let all: usize = direct.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(all > 1000, "{options:?}: nothing was read");
}

/// Compares with what is read directly both before and after: servers add to a log by themselves for a while after
/// it was begun, as MariaDB does with the event that says from where a recovery would start.
#[track_caller]
fn compare(place: &Place, options: &[&str], logs: &[&str]) -> Vec<(String, Vec<u8>)> {
    let read = |address| outcome(place, address, options, logs);
    let mut direct = read(place.primary().address());
    for _ in 0..20 {
        let through = read(place.headgate.address());
        let again = read(place.primary().address());
        if direct == again {
            assert_same(options, &direct, &through);
            return direct;
        }
        direct = again;
    }
    panic!("{options:?}: the server does not leave its log alone");
}

#[track_caller]
fn assert_same(options: &[&str], direct: &[(String, Vec<u8>)], through: &[(String, Vec<u8>)]) {
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(direct), names(through), "{options:?}");
    for ((name, direct), (_, through)) in direct.iter().zip(through) {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..300).unwrap_or(bytes)).into_owned();
        let (left, right) = (shown(direct), shown(through));
        let at = direct.iter().zip(through).take_while(|(left, right)| left == right).count();
        assert!(
            direct == through,
            "{options:?}: {name} differs from byte {at} on, of {} and {}:\n{left}\n---\n{right}",
            direct.len(),
            through.len()
        );
    }
}

#[track_caller]
fn fails_the_same(place: &Place) {
    let direct = compare(place, &[], &["binlog.000099"]);
    assert!(!String::from_utf8_lossy(&direct[0].1).contains("status: 0"));
}

/// A reader that never ends gets what is written while it waits, and leaves nothing behind when it is killed.
#[track_caller]
fn goes_on(place: &Place) {
    let folder = place.cluster.folder().join("goes-on");
    fs::create_dir_all(&folder).unwrap();
    let mut command = reader(place, place.headgate.address());
    command
        .args(["--read-from-remote-server", "--raw", "--stop-never", "binlog.000002"])
        .current_dir(&folder)
        .stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let log = folder.join("binlog.000002");
    let own = place.primary().data_folder().join("binlog.000002");
    let reads_all = || same_bytes(&log, &own);
    becomes("the log is read", reads_all);
    place.sql(place.primary(), &["INSERT INTO app.read (c) VALUES ('later')"]);
    becomes("the log is read on", reads_all);
    child.kill().unwrap();
    child.wait().unwrap();
    becomes("Headgate has let go", || sessions(place) == 0.0);
    let readers = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
    becomes("the primary has let go", || {
        // It notices when an event cannot be sent.
        place.sql(place.primary(), &["INSERT INTO app.read (c) VALUES ('last')"]);
        place.value(place.primary(), readers) == "0"
    });
    assert!(!place.headgate.log().contains("WARN"), "{}", place.headgate.log());
}

fn sessions(place: &Place) -> f64 {
    let metrics = place.headgate.metrics().unwrap();
    metrics.iter().find(|sample| sample.name == "headgate_sessions_open").unwrap().value
}

/// Whether a copy has all that is in a log. Logs say in their header that they are in use until they are closed.
fn same_bytes(copy: &Path, log: &Path) -> bool {
    const IN_USE: usize = 4 + 17;
    let read = |path| fs::read(path).unwrap_or_default();
    let (mut copy, mut log) = (read(copy), read(log));
    for bytes in [&mut copy, &mut log] {
        if let Some(flag) = bytes.get_mut(IN_USE) {
            *flag = 0;
        }
    }
    copy.len() > 100 && copy == log
}
