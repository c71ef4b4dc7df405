//! docs/configuration.md, written from the table of keys.

use super::key::{Key, Reload};
use super::keys::{KEYS, SECTIONS};

const HEAD: &str = "\
# Configuration

*Written from the table in `src/config/keys.rs`; a test keeps the two equal.*

Headgate reads the file given with `--config`; without it `/etc/headgate/headgate.toml`, or
`./headgate.toml` where that does not exist. A file is not needed: what has a flag can be given on the
command line, and any key with `--set KEY=VALUE`. The command line wins over the file, the file over the
defaults.

`headgate check` reads the configuration as `headgate run` would and prints everything that is wrong with
it, each problem with its line and what to write instead; with `--connect` it asks the servers as well. `headgate
init` writes a file for a running cluster. On SIGHUP Headgate reads its file again: keys
marked *live* are taken up, the others wait for the next start, and a file with a problem changes
nothing. Certificates and the password file are read again even where no key changed.

Durations are a whole number and a unit: `\"250ms\"`, `\"10s\"`, `\"5m\"`, `\"1h\"`. Addresses are `HOST:PORT`
(a name or an IPv4 address), `[IPV6]:PORT` or `unix:/path`. Passwords are never written in the file: it
names a file that holds the password.

```toml
[servers]
addresses = [\"db1.example.net:3306\", \"db2.example.net:3306\", \"db3.example.net:3306\"]

[control]
user = \"headgate\"
password_file = \"/etc/headgate/control.password\"
```
";

/// The whole of docs/configuration.md.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (section, doc) in SECTIONS {
        let about: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
        page.push_str(&format!("\n## [{section}]\n\n{}\n", about.join(" ")));
        for key in KEYS.iter().filter(|key| key.section() == *section) {
            page.push_str(&entry(key));
        }
    }
    page
}

fn entry(key: &Key) -> String {
    let mut facts = vec![key.kind()];
    if let Some(range) = key.range {
        facts.push(range());
    }
    facts.push(match key.default().as_deref() {
        None => "not set by default".to_owned(),
        Some("[]") => "must be given".to_owned(),
        Some(default) => format!("default `{default}`"),
    });
    if let Some((flag, value_name)) = key.flag {
        facts.push(format!("`{flag} {value_name}`"));
    }
    facts.push(match key.reload {
        Reload::Live => "live".to_owned(),
        Reload::Restart => "needs a restart".to_owned(),
    });
    format!("\n### `{}`\n\n{}.\n\n{}\n", key.name, facts.join("; "), key.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test reference` writes the page instead of comparing it.
    #[test]
    fn the_page_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page == reference(),
            "docs/configuration.md is out of date: UPDATE_DOCS=1 cargo test reference"
        );
    }

    #[test]
    fn every_key_is_described() {
        for key in KEYS {
            let meaning = key.meaning();
            assert!(meaning.ends_with('.') && meaning.len() > 10, "{}: {meaning:?}", key.name);
        }
    }
}
