//! The families' own command lines.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use headgate::lab::{Flavor, tools};

use super::place::{Place, place};
use super::{everything, succeed};

#[test]
fn mysql_pipe_of_ten_thousand_statements() {
    let place = place(Flavor::MySql);
    pipe(place, "mysql_pipe", || tools::mysql().unwrap());
}

#[test]
fn mariadb_pipe_of_ten_thousand_statements() {
    let place = place(Flavor::MariaDb);
    pipe(place, "mariadb_pipe", || tools::mariadb().unwrap());
}

/// MariaDB's client library has caching_sha2_password too, with habits of its own.
#[test]
fn mariadb_pipe_to_mysql() {
    let place = place(Flavor::MySql);
    pipe(place, "cross_pipe", || tools::mariadb().unwrap());
}

#[test]
fn mysql_load_data_local() {
    load_data_local(place(Flavor::MySql), "mysql_load", || tools::mysql().unwrap());
}

#[test]
fn mariadb_load_data_local() {
    load_data_local(place(Flavor::MariaDb), "mariadb_load", || tools::mariadb().unwrap());
}

/// `--force`, so that errors are part of what is compared.
fn pipe(place: &Place, name: &str, program: impl Fn() -> Command) {
    let script = script();
    place.compare(name, |address, schema| {
        let mut command = program();
        connect(&mut command, place, address, schema);
        everything(command.args(["--batch", "--force", "--show-warnings"]), script.as_bytes())
    });
}

/// Writes, reads of what was written, plain reads, transactions, warnings and errors, over and over.
pub(super) fn script() -> String {
    let mut script = String::from(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(12,3), note TEXT) CHARACTER SET utf8mb4;\n",
    );
    let mut count = 1;
    let mut id = 0;
    while count < 10_000 {
        id += 1;
        let round = [
            format!("INSERT INTO t VALUES ({id}, 'name {id}', {id}.125, NULL)"),
            format!("SELECT * FROM t WHERE id = {id}"),
            format!("UPDATE t SET note = REPEAT('né', {}) WHERE id = {id}", id % 50),
            format!("SELECT id, CHAR_LENGTH(note), note FROM t WHERE id = {id}"),
            "SELECT COUNT(*), SUM(amount), MAX(id) FROM t".to_owned(),
            format!("INSERT IGNORE INTO t VALUES ({id}, 'twice', 0, '')"),
            format!("SELECT name FROM t WHERE id BETWEEN {} AND {id} ORDER BY id", id - 3),
            "START TRANSACTION".to_owned(),
            format!("DELETE FROM t WHERE id = {id}"),
            format!("SELECT COUNT(*) FROM t WHERE id = {id}"),
            if id % 3 == 0 { "COMMIT" } else { "ROLLBACK" }.to_owned(),
            format!("SELECT name FROM t WHERE id = {id}"),
            format!("SET @last = {id}"),
            "SELECT @last, ROW_COUNT()".to_owned(),
            format!("SELECT nothing FROM t_{}", id % 7),
            format!("SELECT 1 + {id} AS sum, 'text' AS word, NULL AS nil, X'4142' AS bytes"),
        ];
        for statement in round {
            // Writing to a String cannot fail.
            let _ = writeln!(script, "{statement};");
            count += 1;
        }
    }
    script
}

fn load_data_local(place: &Place, name: &str, program: impl Fn() -> Command) {
    let file = place.folder(name).join("rows.csv");
    let rows: String = (1..=50_000).map(|id| format!("{id},\"row, number {id}\",{}.5\n", id * 3)).collect();
    fs::write(&file, rows).unwrap();
    let script = format!(
        "CREATE TABLE l (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(12,1));\n\
         LOAD DATA LOCAL INFILE '{file}' INTO TABLE l FIELDS TERMINATED BY ',' ENCLOSED BY '\"';\n\
         SELECT COUNT(*), SUM(amount), MIN(name), MAX(name) FROM l;\n\
         LOAD DATA LOCAL INFILE '{file}' IGNORE INTO TABLE l FIELDS TERMINATED BY ',' (id, name);\n\
         SHOW COUNT(*) WARNINGS;\n\
         LOAD DATA LOCAL INFILE '{file}.missing' INTO TABLE l;\n\
         SELECT COUNT(*) FROM l;\n",
        file = file.display(),
    );
    place.compare(name, |address, schema| {
        let mut command = program();
        connect(&mut command, place, address, schema);
        everything(command.args(["--batch", "--force", "--local-infile=1", "-vv"]), script.as_bytes())
    });
    let rows = place.sql(&format!("SELECT COUNT(*), SUM(amount) FROM app_{name}.l"));
    assert_eq!(rows, [Some("50000".to_owned()), Some("3750100000.0".to_owned())], "all rows arrived");
}

/// Statements typed by a person: the command line asks for the version and the schemas by itself.
#[test]
fn interactive_beginnings() {
    for (flavor, program) in [(Flavor::MySql, tools::mysql as fn() -> _), (Flavor::MariaDb, tools::mariadb)] {
        let place = place(flavor);
        place.compare("interactive", |address, schema| {
            let mut command: Command = program().unwrap();
            connect(&mut command, place, address, schema);
            let statements = format!(
                "USE {schema}; CREATE TABLE i (a INT); INSERT INTO i VALUES (1),(2); SELECT * FROM i; DESCRIBE i; \
                 SHOW TABLES; SHOW CREATE TABLE i"
            );
            succeed(command.args(["--table", "-vv", "-e", &statements]), b"")
                // Times of statements differ from run to run.
                .lines()
                .map(|line| line.split(" (").next().unwrap_or(line))
                .collect::<Vec<_>>()
                .join("\n")
        });
    }
}

pub(super) fn connect(command: &mut Command, place: &Place, address: SocketAddr, schema: &str) {
    let account = place.cluster.accounts().app;
    command
        // Unpacked by the laboratory: the machine's own option files are not for it.
        .arg("--no-defaults")
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--user={}", account.user))
        .arg(format!("--password={}", account.password))
        .arg("--default-character-set=utf8mb4")
        .arg(format!("--database={schema}"));
}
