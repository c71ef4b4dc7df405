//! The same clients, compressing: directly and through Headgate.

use std::fs;
use std::path::Path;
use std::process::Command;

use headgate::lab::{Flavor, tools};

use super::command_lines::{connect, script};
use super::place::{Place, place};
use super::{everything, node, python, succeed};

#[test]
fn mysql_zlib() {
    let options = ["--compression-algorithms=zlib", "--commands"];
    command_line(place(Flavor::MySql), "mysql_zlib", &options, tools::mysql);
}

#[test]
fn mysql_zstd() {
    let options = ["--compression-algorithms=zstd", "--zstd-compression-level=19", "--commands"];
    command_line(place(Flavor::MySql), "mysql_zstd", &options, tools::mysql);
}

#[test]
fn mariadb_compress() {
    command_line(place(Flavor::MariaDb), "mariadb_compress", &["--compress"], tools::mariadb);
}

#[test]
fn mariadb_compress_to_mysql() {
    command_line(place(Flavor::MySql), "cross_compress", &["--compress"], tools::mariadb);
}

#[test]
fn mysql2_compress() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        node::script(flavor, "mysql2_compress", &["compress"]);
    }
}

#[test]
fn connector_python_compress() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        python::script(flavor, "connector_compress", "connector_client.py", &["compress"]);
    }
}

/// Statements of all kinds, a file of several packets, and a statement and a result of more than one.
fn command_line<E: std::fmt::Debug>(
    place: &Place,
    name: &str,
    options: &[&str],
    program: impl Fn() -> Result<Command, E>,
) {
    let file = place.folder(name).join("rows.csv");
    fs::write(&file, rows()).unwrap();
    let statements: String = script().split_inclusive('\n').take(400).collect();
    let statements = format!(
        "{statements}{load}SELECT LENGTH('{long}');\nSELECT REPEAT('long ', 1000000), REPEAT('row ', 4200000);\n\
         SELECT 'the end';\n",
        load = load(&file),
        long = "x".repeat(3_000_000),
    );
    place.compare(name, |address, schema| {
        let mut command = program().unwrap();
        connect(&mut command, place, address, schema);
        command.args(options).args(["--local-infile=1", "--max-allowed-packet=64M"]);
        let mut status = program().unwrap();
        connect(&mut status, place, address, schema);
        let status = succeed(status.args(options).args(["-e", "\\s"]), b"");
        assert!(status.contains("Compressed"), "the client compresses: {status}");
        everything(command.args(["--batch", "--force", "--show-warnings"]), statements.as_bytes())
    });
}

fn rows() -> String {
    (1..=30_000).map(|id| format!("{id},row number {id}\n")).collect()
}

/// Two files in one text: the second is asked for after replies have been counted.
fn load(file: &Path) -> String {
    let file = file.display();
    format!(
        "CREATE TABLE f (id INT PRIMARY KEY, name VARCHAR(40));\n\
         DELIMITER //\n\
         SELECT 1; LOAD DATA LOCAL INFILE '{file}' INTO TABLE f FIELDS TERMINATED BY ','; SELECT COUNT(*) FROM f; \
         LOAD DATA LOCAL INFILE '{file}' IGNORE INTO TABLE f FIELDS TERMINATED BY ','; SELECT COUNT(*) FROM f //\n\
         DELIMITER ;\n"
    )
}
