//! The words of the classifier against the servers: whatever it takes for built in or for grammar, no stored
//! function may stand behind, and whatever acts as a function without parentheses, it must know.
//!
//! A stored function that nobody expects can change anything, so a wrong word here is a wrong route. Each word
//! is tried; a server that looks for a stored function says so (1305, 1630).

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::BTreeSet;

use headgate::lab::{Cluster, Flavor, Node};
use headgate::sql::{Class, Dialect, LexMode, Unclear, classify};

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
                Class::Other(Unclear::Function) => continue,
                Class::PrimaryRead(_) if NO_LONGER_BUILT_IN.contains(&word.as_str()) => continue,
                _ => {}
            }
            let answer = error(node, &call).await.unwrap_or_default();
            if answer.contains("1305") || answer.contains("1630") {
                wrong.push(format!("{call}: a stored function may stand behind it"));
            }
        }
        let bare = format!("SELECT {word} FROM (SELECT 1 AS no_such_word) AS t");
        let constant = ["NULL", "TRUE", "FALSE"].contains(&word.as_str());
        if !constant
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
