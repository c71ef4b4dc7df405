//! A dump through Headgate, and its reload.

use std::net::SocketAddr;
use std::process::Command;

use headgate::lab::{Flavor, tools};

use super::place::{Place, place};
use super::{assert_same, succeed};

#[test]
fn mysqldump_and_reload() {
    dump_and_reload(
        Flavor::MySql,
        || tools::mysqldump().unwrap(),
        || tools::mysql().unwrap(),
        &["--set-gtid-purged=OFF"],
    );
}

#[test]
fn mariadb_dump_and_reload() {
    dump_and_reload(Flavor::MariaDb, || tools::mariadb_dump().unwrap(), || tools::mariadb().unwrap(), &[]);
}

fn dump_and_reload(
    flavor: Flavor,
    dump: impl Fn() -> Command,
    command_line: impl Fn() -> Command,
    options: &[&str],
) {
    let place = place(flavor);
    let original = place.schema("dump_original");
    let copy = place.schema("dump_copy");
    let load = |address, schema: &str, script: &str| {
        let mut command = command_line();
        account(&mut command, place, address);
        succeed(command.arg("--binary-mode").arg(schema), script.as_bytes());
    };
    load(place.direct(), &original, &contents());
    let dumped = |address| {
        let mut command = dump();
        account(&mut command, place, address);
        command.args(["--single-transaction", "--routines", "--triggers", "--no-tablespaces", "--hex-blob"]);
        succeed(
            command.args(["--skip-dump-date", "--max-allowed-packet=64M"]).args(options).arg(&original),
            b"",
        )
    };
    let direct = dumped(place.direct());
    assert!(direct.contains("CREATE TABLE `words`"), "the dump has the tables");
    let through = dumped(place.through());
    assert_same("the dump", &direct, &through);

    load(place.through(), &copy, &through);
    for table in ["numbers", "words", "large"] {
        let checksum = |schema: &str| place.sql(&format!("CHECKSUM TABLE {schema}.{table}")).last().cloned();
        let expected = checksum(&original);
        assert!(matches!(expected, Some(Some(_))), "{table} has a checksum");
        assert_eq!(checksum(&copy), expected, "{table}");
    }
    let called = place.sql(&format!("SELECT {copy}.double_it(21)"));
    assert_eq!(called, [Some("42".to_owned())], "the function came along");
}

/// Tables of many rows, of awkward values, and of a row larger than the relay's buffers.
fn contents() -> String {
    let mut script = String::from(
        "CREATE TABLE numbers (id INT PRIMARY KEY AUTO_INCREMENT, i BIGINT UNSIGNED, d DECIMAL(20,6), f DOUBLE, b BIT(9), \
         y YEAR, t DATETIME(6), j JSON);\n\
         CREATE TABLE words (id INT PRIMARY KEY, plain VARCHAR(200), latin VARCHAR(50) CHARACTER SET latin1, bytes BLOB, \
         e ENUM('a','b','c'), KEY (plain)) CHARACTER SET utf8mb4;\n\
         CREATE TABLE large (id INT PRIMARY KEY, body LONGTEXT);\n\
         CREATE VIEW some_words AS SELECT id, plain FROM words WHERE id < 5;\n\
         CREATE FUNCTION double_it(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;\n\
         CREATE TRIGGER before_words BEFORE INSERT ON words FOR EACH ROW SET NEW.e = COALESCE(NEW.e, 'c');\n",
    );
    for block in 0..20 {
        let rows: Vec<String> = (1..=250)
            .map(|row| {
                let id = block * 250 + row;
                format!("({id}, {id}000000007, {id}.000001, 1e{}, b'1011', 2024, '2024-02-29 23:59:59.{id:06}', '{{\"k\": {id}}}')", id % 300)
            })
            .collect();
        script += &format!("INSERT INTO numbers VALUES {};\n", rows.join(","));
    }
    script += "INSERT INTO words VALUES (1, 'quote '' and \\\\ and \\n', 'caf\u{e9}', X'00FF1A27225C0A', 'a'), \
               (2, NULL, NULL, NULL, NULL), (3, '', '', '', 'b'), (4, '\u{1F30A} \u{6C34}', 'x', REPEAT('\\0', 300), 'c');\n";
    // A statement has 16 MiB at most by default on MariaDB, so the large row is made by the server.
    script += "INSERT INTO large VALUES (1, REPEAT('0123456789', 400000)), (2, NULL);\n";
    script
}

fn account(command: &mut Command, place: &Place, address: SocketAddr) {
    let account = place.cluster.accounts().app;
    command
        .arg("--no-defaults")
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--user={}", account.user))
        .arg(format!("--password={}", account.password))
        .arg("--default-character-set=utf8mb4");
}
