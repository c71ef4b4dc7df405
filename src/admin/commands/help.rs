//! HELP.

use super::command::{COMMANDS, Command, find};
use crate::admin::answer::{Answer, ConsoleError, Value, nearest};
use crate::admin::request::Request;
use crate::admin::tables::{self, Table};
use crate::admin::view::View;

/// Lists the commands, or tells about one.
pub(super) struct Help;

impl Command for Help {
    fn names(&self) -> &'static [&'static str] {
        &["HELP", "SHOW HELP"]
    }

    fn usage(&self) -> &'static str {
        "HELP [command or table]"
    }

    fn meaning(&self) -> &'static str {
        "Lists the commands, or tells about one command or table. Command lines that keep a `help` of their \
         own to themselves are asked with SHOW HELP."
    }

    fn example(&self) -> &'static str {
        "HELP SHOW SESSIONS"
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        let rest = request.behind(if request.begins_with("SHOW HELP") { 2 } else { 1 });
        // Command lines put what follows their `help` in quotes.
        let topic = Request::unquote(rest).unwrap_or_else(|| rest.to_owned());
        let topic = topic.trim();
        if topic.is_empty() || topic.eq_ignore_ascii_case("contents") {
            return Ok(list());
        }
        about(&Request::read(topic, request.asker))
    }
}

fn list() -> Answer {
    let row = |command: &&dyn Command| vec![Value::text(command.usage()), Value::text(command.meaning())];
    let own = COMMANDS.iter().filter(|command| !command.for_clients());
    Answer::new(&["Command", "Meaning"], own.map(row).collect())
}

/// Three columns and one row: what the mysql command line expects of `help topic`.
fn about(topic: &Request<'_>) -> Result<Answer, ConsoleError> {
    let last = topic.tokens.len().saturating_sub(1);
    let table = topic.name(last).and_then(|name| tables::find(&name).ok());
    let command = find(topic).or_else(|| topic.tokens.len().eq(&1).then(|| of_first_word(topic)).flatten());
    let (name, mut text, example) = match (command, table) {
        (Some(command), _) => (command.usage(), command.meaning().to_owned(), command.example()),
        (None, Some(table)) => (table.name, String::new(), ""),
        (None, None) => {
            let names = COMMANDS.iter().flat_map(|command| command.names()).copied();
            let nearest = nearest(topic.text, names.chain(tables::TABLES.map(|table| table.name)));
            return Err(ConsoleError::UnknownCommand {
                word: topic.text.chars().take(64).collect(),
                nearest,
            });
        }
    };
    if let Some(table) = table {
        text.push_str(&columns(table));
    }
    let row = vec![Value::text(name), Value::text(text.trim()), Value::text(example)];
    Ok(Answer::new(&["Name", "Description", "Example"], vec![row]))
}

/// The first command whose name begins with a single word, such as EXPLAIN.
fn of_first_word(topic: &Request<'_>) -> Option<&'static dyn Command> {
    let word = topic.word(0)?;
    let begins = |name: &&'static str| name.split(' ').next() == Some(word.as_str());
    COMMANDS.iter().find(|command| command.names().iter().any(begins)).copied()
}

fn columns(table: &Table) -> String {
    let mut text = format!("\n\n{}\n", table.meaning);
    for column in table.columns {
        text.push_str(&format!("\n{} ({}): {}", column.name, column.kind.sql(), column.meaning));
    }
    text
}
