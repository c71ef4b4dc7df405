//! The words of the classifier against the servers: whatever it takes for built in or for grammar, no stored
//! function may stand behind, and whatever acts as a function without parentheses, it must know.
//!
//! A stored function that nobody expects can change anything, so a wrong word here is a wrong route. Each word
//! is tried; a server that looks for a stored function says so (1305, 1630).

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::BTreeSet;

use headgate::lab::{Cluster, Flavor, Node};
use headgate::sql::{Class, Dialect, Kind, LexMode, Lexer, Unclear, classify};

/// Every word the classifier has a list for, read from its source.
fn vocabulary() -> BTreeSet<String> {
    let source = concat!(include_str!("../src/sql/vocabulary.rs"), include_str!("../src/sql/words.rs"));
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let words = code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let word = |word: &&str| {
        word.len() > 1
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && !word.contains(char::is_lowercase)
    };
    words.filter(word).map(str::to_owned).collect()
}

/// Gone from MySQL 9.7. They run on the primary wherever they are, see src/sql/vocabulary.rs.
const NO_LONGER_BUILT_IN: &[&str] = &["MD5", "SHA", "SHA1"];

/// Constants and clocks.
const WITHOUT_PARENTHESES: &[&str] = &[
    "NULL",
    "TRUE",
    "FALSE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

fn mode(flavor: Flavor) -> LexMode {
    let dialect = match flavor {
        Flavor::MySql => Dialect::MySql,
        Flavor::MariaDb => Dialect::MariaDb,
    };
    LexMode::new("", "utf8mb4", dialect)
}

/// What the server answers, if it is an error.
async fn error(node: &Node, statement: &str) -> Option<String> {
    node.sql(statement).await.err().map(|error| format!("{error:?}"))
}

async fn check(flavor: Flavor) {
    let cluster = Cluster::builder(flavor).replicas(0).start().await.unwrap();
    let node = cluster.primary();
    let mut words = vocabulary();
    assert!(words.len() > 500 && words.contains("SUBSTRING"));
    for row in node.sql("SELECT WORD FROM information_schema.KEYWORDS").await.unwrap() {
        words.insert(row.at(0).unwrap().to_owned());
    }
    words.retain(|word| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && word != "SLEEP"
    });
    let mode = mode(flavor);
    let mut wrong = Vec::new();
    for word in &words {
        // With and without a space, since some names are functions only where the parenthesis touches them.
        for call in
            [format!("SELECT {word}()"), format!("SELECT {word} ()"), format!("SELECT 1 + {word}(1, 2)")]
        {
            match classify(call.as_bytes(), mode).class {
                Class::Other(Unclear::Function) | Class::Calls => continue,
                Class::PrimaryRead(_) if NO_LONGER_BUILT_IN.contains(&word.as_str()) => continue,
                _ => {}
            }
            let answer = error(node, &call).await.unwrap_or_default();
            if answer.contains("1305") || answer.contains("1630") {
                wrong.push(format!("{call}: a stored function may stand behind it"));
            }
        }
        let bare = format!("SELECT {word} FROM (SELECT 1 AS no_such_word) AS t");
        if !WITHOUT_PARENTHESES.contains(&word.as_str())
            && classify(bare.as_bytes(), mode).class == Class::PlainRead
            && error(node, &bare).await.is_none()
        {
            wrong.push(format!("{bare}: it is a function without parentheses"));
        }
    }
    assert!(wrong.is_empty(), "{flavor} {}:\n{}", cluster.version(), wrong.join("\n"));
}

#[tokio::test]
async fn no_stored_function_stands_behind_a_word_known_of_mysql() {
    check(Flavor::MySql).await;
}

#[tokio::test]
async fn no_stored_function_stands_behind_a_word_known_of_mariadb() {
    check(Flavor::MariaDb).await;
}

/// Texts with version comments. `{0}` stands for the server's own version, `{1}` for the next.
const VERSION_COMMENTS: &[&str] = &[
    "SELECT 1 /*!50101 + 1 */",
    "SELECT 1 /*!50101+1*/",
    "SELECT 1 /*!40000 + 1 */ + 1",
    "SELECT 1 /*! + 1 */",
    "SELECT 1 /*!+1*/",
    "SELECT 1 /*!*/",
    "SELECT 1 /*!50101*/",
    "/*!50101SELECT 1*/",
    "/*!50101 SELECT*/ 1",
    "SELECT /*!50000 '*/' */",
    "SELECT 1 /*!00000 + 1 */",
    "SELECT 1 /*!50699 + 1 */",
    "SELECT 1 /*!50700 + 1 */",
    "SELECT 1 /*!80000 + 1 */",
    "SELECT 1 /*!90000 + 1 */",
    "SELECT 1 /*!99999 + 1 */",
    "SELECT 1 /*!100000 + 1 */",
    "SELECT 1 /*!100100 + 1 */",
    "SELECT 1 /*!100600 + 1 */",
    "SELECT 1 /*!101100 + 1 */",
    "SELECT 1 /*!999999 + 1 */",
    "SELECT 1 /*!050101 + 1 */",
    "SELECT 1 /*!{0} + 1 */",
    "SELECT 1 /*!{1} + 1 */",
    "SELECT 1 /*!{0}+1*/",
    "SELECT 1 /*M! + 1 */",
    "SELECT 1 /*M!50101 + 1 */",
    "SELECT 1 /*M!50700 + 1 */",
    "SELECT 1 /*M!80000 + 1 */",
    "SELECT 1 /*M!100100 + 1 */",
    "SELECT 1 /*M!{0} + 1 */",
    "SELECT 1 /*M!{1} + 1 */",
    "SELECT 1 /*m!50101 + 1 */",
    "SELECT 1 /* !50101 + 1 */",
    "SELECT 1 /*! 50101 + 1 */",
    "SELECT 1 /*!5010 + 1 */",
    "SELECT 1 /*!50101a + 1 */",
    "SELECT 1 AS n/*!50101a */",
    "SELECT 1 /*!5010111 + 1 */",
    "SELECT 1 /*!50101 + 1",
    "SELECT 1 /*!99999 + 1",
    "SELECT 1 /*!50101 /* x */ + 1 */",
    "SELECT 1 /*!99999 /* x */ + 1 */",
    "SELECT 1 /*!99999 /*/ + 1 */ + 1 */",
    "SELECT 1 /*!99999 '*/ + 1",
    "SELECT 1 /*!99999 -- */ + 1",
    "SELECT 1 /*!50101 -- */\n + 1",
    "SELECT 1 /*!50101 # */\n + 1 */",
    "SELECT 1 /*!50101 + 1 /*!50101 + 1 */ */",
    "SELECT 2 /*!50101 * */ 3",
    "SELECT 6 /*!50101 */ / 3",
    "SELECT COUNT/*!50101 (1) */",
    "SELECT 'a' /*!50101 'b' */",
];

/// What the lexer reads, written without comments, means the same to the server as the text itself.
async fn check_version_comments(flavor: Flavor) {
    let cluster = Cluster::builder(flavor).replicas(0).start().await.unwrap();
    let node = cluster.primary();
    let number: Vec<u32> = cluster.version().split(['.', '-']).map_while(|part| part.parse().ok()).collect();
    let version = number[0] * 10_000 + number[1] * 100 + number[2];
    let mode = LexMode { version, ..mode(flavor) };
    let answer = async |statement: &str| match node.sql(statement).await {
        Ok(rows) => rows.first().and_then(|row| row.at(0).map(str::to_owned)).unwrap_or_default(),
        Err(_) => "an error".to_owned(),
    };
    let (mut wrong, mut read) = (Vec::new(), 0);
    for text in VERSION_COMMENTS {
        let text = text.replace("{0}", &version.to_string()).replace("{1}", &(version + 1).to_string());
        let tokens: Vec<_> = Lexer::new(text.as_bytes(), mode).collect();
        if tokens.iter().any(|token| token.kind == Kind::VersionComment) {
            continue;
        }
        read += 1;
        let plain: Vec<_> = tokens.iter().map(|token| String::from_utf8_lossy(token.text)).collect();
        let broken = tokens.iter().any(|token| token.kind == Kind::Broken);
        let expected = if broken { "an error".to_owned() } else { answer(&plain.join(" ")).await };
        let found = answer(&text).await;
        if expected != found {
            wrong.push(format!("{text}: {found}; read as {}: {expected}", plain.join(" ")));
        }
    }
    assert!(read > 35, "{read} are read");
    assert!(wrong.is_empty(), "{flavor} {version}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn version_comments_are_read_as_mysql_does() {
    check_version_comments(Flavor::MySql).await;
}

#[tokio::test]
async fn version_comments_are_read_as_mariadb_does() {
    check_version_comments(Flavor::MariaDb).await;
}
