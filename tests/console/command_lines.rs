//! The mysql and mariadb command lines.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use headgate::lab::{Flavor, tools};

use super::place::{Place, place, run, succeed};

/// A program, and what it is told about its way in.
type Way = (fn() -> Command, &'static [&'static str]);

/// Both command lines and all their ways in.
fn programs() -> [Way; 5] {
    let mysql: fn() -> Command = || tools::mysql().unwrap();
    let mariadb: fn() -> Command = || tools::mariadb().unwrap();
    [
        (mysql, &["--ssl-mode=REQUIRED"]),
        (mysql, &["--ssl-mode=DISABLED", "--get-server-public-key"]),
        (mysql, &["--ssl-mode=DISABLED", "--get-server-public-key", "headgate"]),
        (mariadb, &["--skip-ssl"]),
        (mariadb, &["--ssl"]),
    ]
}

fn logs_in(place: &Place) {
    let password = place.headgate.console_password().unwrap();
    for (program, arguments) in programs() {
        let mut command = place.console_login(program(), &password);
        command.args(arguments).args(["--table", "-e", "SHOW SERVERS"]);
        // Twice: nothing of the first login is needed for the second.
        for _ in 0..2 {
            let servers = succeed(&mut command, "");
            for node in place.cluster.nodes() {
                assert!(servers.contains(&node.address().to_string()), "{arguments:?}\n{servers}");
            }
            assert!(servers.contains("Data age (ms)"), "{servers}");
        }
    }
}

#[test]
fn log_in_with_tls_and_without_before_mysql() {
    logs_in(place(Flavor::MySql));
}

#[test]
fn log_in_with_tls_and_without_before_mariadb() {
    logs_in(place(Flavor::MariaDb));
}

/// A place of its own: failed logins slow others of the same address down.
#[test]
fn who_has_not_the_password_stays_out() {
    let place = Place::start(Flavor::MySql, Default::default());
    let password = place.headgate.console_password().unwrap();
    // Each costs a delay: every way in once, and every kind of wrong once.
    let wrong = ["", "wrong", &password[1..], "lab-control", "wrong"];
    for ((program, arguments), wrong) in programs().into_iter().zip(wrong) {
        let mut command = place.console_login(program(), wrong);
        let output = run(command.args(arguments).args(["-e", "SHOW SERVERS"]), "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains("ERROR 1045"), "{wrong}: {errors}");
    }
    // Not even with the right password, and in the same words.
    for user in ["--user=root", "--user=app", "--user=ADMIN"] {
        let output = run(place.mysql().args([user, "-e", "SHOW SERVERS"]), "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            errors.contains("ERROR 1045 (28000): headgate: access denied; the console"),
            "{user}: {errors}"
        );
    }
    assert!(place.ask("SHOW SERVERS").contains("primary"), "the right password still opens");
    let log = place.headgate.log();
    assert!(!log.contains(&password), "the password is in the log:\n{log}");
    assert!(log.contains("login to the console refused"), "{log}");
}

#[test]
fn the_password_is_the_owners_alone_and_the_log_says_where_it_is() {
    let place = place(Flavor::MySql);
    let path = place.headgate.console_password_file();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let log = place.headgate.log();
    assert!(log.contains(&path.display().to_string()), "{log}");
    let port = place.headgate.console_address().port();
    assert!(log.contains(&format!("mysql -h 127.0.0.1 -P {port} -u admin -p")), "{log}");
    assert!(!log.contains(&place.headgate.console_password().unwrap()), "{log}");
}

/// What the command lines ask by themselves when a person sits before them.
#[test]
fn typed_sessions_work() {
    let place = place(Flavor::MySql);
    let password = place.headgate.console_password().unwrap();
    let script = "select @@version_comment, database(), user() limit 1;\nUSE headgate;\nSHOW DATABASES;\nSHOW TABLES;\nDESCRIBE routes;\n\
                  SELECT count(*) AS servers FROM servers;\nSHOW WARNINGS;\nUSE mysql;\n";
    for program in [tools::mysql, tools::mariadb] {
        let mut command = place.console_login(program().unwrap(), &password);
        let output = run(command.args(["--force", "--table", "-vv", "--unbuffered"]), script);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let parts =
            ["Headgate console", "admin@127.0.0.1", "headgate", "| sessions", "| explanation", "| servers |"];
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}\n{errors}");
        }
        assert!(errors.contains("ERROR 1049") && errors.contains("no schema `mysql`"), "{errors}");
        assert!(!errors.contains("2014"), "out of step: {errors}");
    }
}

#[test]
fn mysqladmin_pings() {
    let place = place(Flavor::MySql);
    let password = place.headgate.console_password().unwrap();
    let mut command = place.console_login(tools::mysqladmin().unwrap(), &password);
    assert!(succeed(command.arg("ping"), "").contains("mysqld is alive"));
    let mut command = place.console_login(tools::mysqladmin().unwrap(), &password);
    assert!(succeed(command.arg("status"), "").contains("Uptime"));
}
