//! The rules of ARCHITECTURE.md that the compiler cannot hold: one crate has no layers of its own.
//!
//! Reads the sources as text: who imports whom, what the pure layers must not touch, how long a file is,
//! what a `mod.rs` holds. Each failure names the file, the line and the way out.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and its layer. Imports point downward only.
const LAYERS: &[(u8, &[&str])] = &[
    (6, &["app"]),
    (5, &["frontend", "admin"]),
    (4, &["backend", "monitor", "net", "pool", "runtime", "telemetry", "failover", "cluster"]),
    (3, &["admission", "pooling", "probing", "routing", "election", "rolling"]),
    (2, &["session", "topology", "leadership"]),
    (1, &["auth", "config", "gtid", "sql", "wire"]),
];

/// Imports inside a layer that are permitted: from, to.
const SIDEWAYS: &[(&str, &str)] = &[
    // The languages of the protocol build on its bytes.
    ("auth", "wire"),
    ("sql", "wire"),
    // A session names the server that served it and the epoch it belongs to.
    ("session", "topology"),
    // The console stands behind the front end, and shows what sessions share.
    ("admin", "frontend"),
    // Shells that hold connections.
    ("pool", "backend"),
    ("monitor", "backend"),
    ("failover", "backend"),
    // What a server says of itself is told in the words of an election.
    ("probing", "election"),
    ("backend", "net"),
    ("pool", "net"),
    ("monitor", "net"),
];

/// What every shell may use.
const FOR_ALL_SHELLS: &[&str] = &["runtime", "telemetry"];

/// What a pure module must not name, and what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "pure modules do not wait; move it to a shell"),
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::now", "take the time as an argument"),
    ("std::fs", "let a shell read the file and pass its content"),
    ("std::env", "let app pass the value"),
    ("std::thread", "pure modules do not run anything"),
    ("TcpStream", "pure modules hold no sockets; move it to net"),
    ("UnixStream", "pure modules hold no sockets; move it to net"),
    ("tracing::", "return a value that says it, and let the shell log it"),
    ("metrics::", "return a value that says it, and let the shell count it"),
    ("arc_swap", "pure modules share nothing"),
    ("parking_lot", "pure modules share nothing"),
    ("static mut", "pure modules have no globals"),
    ("OnceLock", "pure modules have no globals"),
    ("LazyLock", "pure modules have no globals"),
    ("thread_local!", "pure modules have no globals"),
];

/// The files that may name `config`, besides it.
const CONFIG_READERS: &[&str] = &["app", "cli", "main"];

/// Lines a file may have before its tests.
const LONGEST_FILE: usize = 400;

/// The one file that is a table and nothing else: it is as long as the table.
const TABLE: &str = "src/config/keys.rs";

/// A source file outside tests: its place, and its text without comments, literals and tests.
struct Source {
    path: PathBuf,
    /// The top-level module it belongs to; for `src/cli.rs` it is `cli`.
    module: String,
    code: String,
    /// Lines before its tests, comments included.
    length: usize,
}

impl Source {
    fn is_module_root(&self) -> bool {
        self.path.ends_with("mod.rs")
    }

    /// Lines and their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    fn at(&self, line: usize) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        format!("{}:{line}", path.display())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    let sources: Vec<Source> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") && !is_test(path))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let text = without_tests(&text);
            let inside = path.strip_prefix(root().join("src")).unwrap();
            let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            Source { module, code: without_comments_and_literals(text), length: text.lines().count(), path }
        })
        .collect();
    assert!(sources.len() > 10, "the sources are under src/");
    sources
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// The text up to its unit tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.match_indices("#[cfg(test)]\n")
        .find(|(at, attribute)| {
            let after = &text[at + attribute.len()..];
            let item = after.lines().find(|line| !line.starts_with("#[")).unwrap_or_default();
            (text[..*at].is_empty() || text[..*at].ends_with('\n'))
                && item.starts_with("mod ")
                && item.ends_with('{')
        })
        .map_or(text, |(at, _)| &text[..at])
}

/// The code with comments, strings and characters blanked, each line where it was.
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len())
        } else if first == '"' {
            closing(rest, '"')
        } else if first == '\'' {
            // A character, or the tick of a lifetime.
            let mut after = rest[1..].chars();
            match (after.next(), after.next()) {
                (Some('\\'), _) => closing(rest, '\''),
                (Some(inner), Some('\'')) => 2 + inner.len_utf8(),
                _ => 1,
            }
        } else {
            0
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The number of hashes where a raw string begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a literal that begins with its quote.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The top-level modules named after `crate::` (or `headgate::`), with their lines.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for prefix in ["crate::", "headgate::"] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = source.code[..at].matches('\n').count() + 1;
            let after = &source.code[at + prefix.len()..];
            let modules = match after.strip_prefix('{') {
                Some(group) => heads(group),
                None => vec![identifier(after)],
            };
            found
                .extend(modules.into_iter().filter(|module| !module.is_empty()).map(|module| (line, module)));
        }
    }
    found
}

/// The first identifiers of a group such as `{a::b, c::{d, e}}`, whose opening brace has been read.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut fresh) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if fresh && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// Why a module may not import another, if it may not.
fn refusal(from: &str, to: &str) -> Option<String> {
    if to == "config" && !CONFIG_READERS.contains(&from) {
        return Some(
            "config is for app alone: define the setting in this module and let app::settings fill it in"
                .into(),
        );
    }
    let (Some(own), Some(other)) = (layer(from), layer(to)) else { return None };
    if other < own || from == to || SIDEWAYS.contains(&(from, to)) {
        return None;
    }
    if own == other && own == 4 && FOR_ALL_SHELLS.contains(&to) {
        return None;
    }
    let mut why = format!("{from} is in layer {own}, {to} in layer {other}: imports point downward only. ");
    why.push_str(if own < other {
        "Move what is needed down, or pass it in"
    } else {
        "Modules of a layer do not know each other; move what both need down, or let a higher module connect them"
    });
    Some(why)
}

#[track_caller]
fn none(rule: &str, broken: &[String]) {
    let mut text = String::new();
    for line in broken {
        writeln!(text, "  {line}").unwrap();
    }
    assert!(broken.is_empty(), "\n{rule}\n{text}");
}

#[test]
fn every_module_has_a_layer() {
    let outside = ["lib", "main", "cli", "lab", "bin"];
    let mut unknown: Vec<String> = sources().into_iter().map(|source| source.module).collect();
    unknown.retain(|module| layer(module).is_none() && !outside.contains(&module.as_str()));
    unknown.dedup();
    none("Give these modules a layer in tests/architecture.rs and in src/lib.rs:", &unknown);
}

#[test]
fn imports_point_downward() {
    let mut broken = Vec::new();
    for source in sources() {
        for (line, to) in imports(&source) {
            if let Some(why) = refusal(&source.module, &to) {
                broken.push(format!("{}: {why}", source.at(line)));
            }
            if to == "lab" && !["lab", "bin"].contains(&source.module.as_str()) {
                broken
                    .push(format!("{}: the lab is for tests, benches and its own programs", source.at(line)));
            }
        }
    }
    none("Imports against the layers:", &broken);
}

/// `super::` must not climb out of a top-level module, where the layers could not be seen.
#[test]
fn paths_out_of_a_module_begin_with_crate() {
    let mut broken = Vec::new();
    for source in sources() {
        let inside = source.path.strip_prefix(root().join("src")).unwrap();
        let depth = inside.iter().count() - usize::from(source.is_module_root());
        if depth == 0 || layer(&source.module).is_none() {
            continue;
        }
        let climb = "super::".repeat(depth);
        for (line, text) in source.lines().filter(|(_, text)| text.contains(&climb)) {
            broken.push(format!(
                "{}: `{}` leaves {}; write crate::",
                source.at(line),
                text.trim(),
                source.module
            ));
        }
    }
    none("Paths that climb out of their module:", &broken);
}

#[test]
fn pure_modules_are_pure() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| layer(&source.module).is_some_and(|layer| layer < 4)) {
        for (line, text) in source.lines() {
            for (name, instead) in IMPURE {
                if let Some(at) = text.find(name) {
                    let before = text[..at].chars().next_back();
                    if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                        broken.push(format!("{}: {name}: {instead}", source.at(line)));
                    }
                }
            }
        }
    }
    none("Layers 1 to 3 have no clock, no IO, no globals, no logs:", &broken);
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.length >= LONGEST_FILE && !source.path.ends_with(TABLE))
        .map(|source| format!("{}: {} lines before its tests", source.at(1), source.length))
        .collect();
    none(
        &format!("Files have fewer than {LONGEST_FILE} lines without tests; split by responsibility:"),
        &long,
    );
}

#[test]
fn module_roots_hold_docs_and_names_only() {
    let items = ["fn", "struct", "enum", "union", "trait", "impl", "const", "static", "type", "macro_rules!"];
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.is_module_root()) {
        for (line, text) in source.lines() {
            let mut words = text.split_whitespace().skip_while(|word| {
                word.starts_with("pub") || ["async", "unsafe", "extern", "default"].contains(word)
            });
            if words.next().is_some_and(|word| items.contains(&word) || word.starts_with("impl<")) {
                broken.push(format!("{}: `{}`", source.at(line), text.trim()));
            }
        }
    }
    none("A mod.rs holds docs, mod lines and re-exports; move these into files of their own:", &broken);
}

#[test]
fn modules_are_not_named_for_nothing() {
    let vague = ["util", "utils", "common", "manager", "helper", "helpers", "inner", "misc"];
    let broken: Vec<String> = sources()
        .iter()
        .filter(|source| {
            source.path.iter().any(|part| {
                let name = part.to_string_lossy();
                let name = name.trim_end_matches(".rs");
                vague.contains(&name) || name.ends_with("_impl")
            })
        })
        .map(|source| source.at(1))
        .collect();
    none("Name these for what they are:", &broken);
}

/// Paths of the machine a file was written on have no place in it.
#[test]
fn no_machine_paths() {
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/tmp", "/wt")];
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches", "docs", "fuzz/src", "fuzz/targets"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            collect(&folder, &mut paths);
        }
    }
    paths.extend(
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()),
    );
    let mut broken = Vec::new();
    for path in paths {
        if path.ends_with(".git") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (at, line) in text.lines().enumerate() {
            // The user `u` is nobody's: tests may give them a home.
            let line = line.replace(concat!("/ho", "me/u"), "");
            if homes.iter().any(|home| line.contains(home)) {
                let path = path.strip_prefix(root()).unwrap();
                broken.push(format!("{}:{}: `{}`", path.display(), at + 1, line.trim()));
            }
        }
    }
    none("Paths of somebody's machine:", &broken);
}

/// The rules themselves, tried on small texts.
#[test]
fn the_reader_reads() {
    let text = "use crate::sql; // crate::app\nlet a = \"crate::app\\\" crate::app\"; let b = 'x'; fn f<'a>() {}\n\
                use crate::{wire::{ok, err}, gtid};\nlet r = r#\"crate::app\"#;\n#[cfg(test)]\nmod tests {\n    use crate::app;\n}\n";
    let code = without_comments_and_literals(without_tests(text));
    let source = Source { path: root().join("src/session/x.rs"), module: "session".into(), code, length: 0 };
    let mut by_line: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (line, module) in imports(&source) {
        by_line.entry(line).or_default().push(module);
    }
    let expected =
        BTreeMap::from([(1, vec!["sql".to_owned()]), (3, vec!["wire".to_owned(), "gtid".to_owned()])]);
    assert_eq!(by_line, expected);
    for (from, to, permitted) in [
        ("routing", "session", true),
        ("session", "routing", false),
        ("sql", "wire", true),
        ("wire", "sql", false),
        ("gtid", "wire", false),
        ("pool", "backend", true),
        ("backend", "pool", false),
        ("net", "telemetry", true),
        ("routing", "telemetry", false),
        ("app", "config", true),
        ("frontend", "config", false),
        ("frontend", "app", false),
    ] {
        assert_eq!(refusal(from, to).is_none(), permitted, "{from} -> {to}");
    }
}
