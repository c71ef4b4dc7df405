//! docs/console.md, written from the tables of commands and tables.

use super::commands::{COMMANDS, Command};
use super::tables::TABLES;

const HEAD: &str = "\
# The console

*Written from the tables in `src/admin`; a test keeps the two equal.*

The console shows what Headgate knows and does, as SQL, on a port of its own (`listen.admin`, by default
127.0.0.1:4307). Any client of MySQL or MariaDB serves:

```sh
mysql -h 127.0.0.1 -P 4307 -u admin -p
```

The one user is `admin`. Its password is made on the first start and kept in `admin-password` in the state
directory, a file that only its owner may read; the log names the file. `admin.password_file` names one of your
own. TLS is offered with the certificate that clients see, and failed logins are slowed down as theirs are.

What comes in is bounded: 64 KiB for a statement, `admin.max_sessions` sessions, `admin.idle_timeout` for a
session that says nothing. A statement runs for 2 seconds at most, and shows at most 100,000 rows. Statements
cannot be prepared; drivers send them as text then. SHOW, SELECT, EXPLAIN ROUTE and HELP
change nothing; what the other commands change is said with each.
";

/// The whole of docs/console.md.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Commands\n");
    for command in COMMANDS.iter().filter(|command| !command.for_clients()) {
        let (usage, meaning, example) = (command.usage(), command.meaning(), command.example());
        page.push_str(&format!("\n### `{usage}`\n\n{meaning}\n\n```sql\n{example};\n```\n"));
    }
    page.push_str("\n### Sent by client programs\n\n| Command | Meaning |\n|---|---|\n");
    for command in COMMANDS.iter().filter(|command| command.for_clients()) {
        page.push_str(&row(*command));
    }
    page.push_str("\n## Tables\n");
    for table in TABLES {
        page.push_str(&format!(
            "\n### `{}`\n\n{}\n\n| Column | Type | In SHOW | Meaning |\n|---|---|---|---|\n",
            table.name, table.meaning
        ));
        for column in table.columns {
            let (name, kind) = (column.name, column.kind.sql());
            page.push_str(&format!("| `{name}` | {kind} | {} | {} |\n", column.title, column.meaning));
        }
    }
    page
}

fn row(command: &dyn Command) -> String {
    format!("| `{}` | {} |\n", command.usage().replace('|', "\\|"), command.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test --lib reference` writes the page instead of comparing it.
    #[test]
    fn the_reference_is_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/console.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page == reference(),
            "docs/console.md is out of date: UPDATE_DOCS=1 cargo test --lib reference"
        );
    }
}
