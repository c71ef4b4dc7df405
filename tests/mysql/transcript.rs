//! Running a script over one connection, and comparing two such runs.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use headgate::wire::command::Command;

use crate::client::{CURSOR_READ_ONLY, Connection, Options, Reply};
use crate::interloper::Interloper;
use crate::script::{Action, Script, Step};

/// Which protocol a script's plain statements use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Text,
    Binary,
}

/// What one run of a script was answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    pub(crate) lines: Vec<String>,
    /// Steps that failed and should not have, or the other way round.
    pub(crate) unexpected: Vec<String>,
}

/// "This command is not supported in the prepared statement protocol yet".
const UNSUPPORTED_PREPARE: u16 = 1295;

/// Logs in and runs the script. `<schema>` in its statements becomes the schema's name.
pub(crate) async fn run(script: &Script, pass: Pass, options: &Options, schema: &str) -> Result<Transcript> {
    let connection = options.connect().await?;
    run_on(connection, script, pass, schema, &mut None).await
}

/// Runs the script on a connection. An interloper has its turn before each command.
pub(crate) async fn run_on(
    mut connection: Connection,
    script: &Script,
    pass: Pass,
    schema: &str,
    interloper: &mut Option<Interloper>,
) -> Result<Transcript> {
    let mut transcript = Transcript::default();
    transcript.lines.push(format!("agreed capabilities {:08x}", agreed(&connection)));
    transcript.lines.extend(connection.login_reply.iter().map(|line| normal(line, false)));
    let mut prepared = HashMap::new();
    for step in &script.steps {
        transcript.lines.push(format!("--- line {}: {}", step.line, head(&step.shown)));
        if let Some(interloper) = interloper {
            interloper.turn().await?;
        }
        let replies = perform(&mut connection, step, pass, schema, &mut prepared, interloper)
            .await
            .with_context(|| format!("line {}: {}", step.line, head(&step.shown)))
            .with_context(|| format!("so far:\n{}", tail(&transcript.lines)))?;
        for reply in &replies {
            transcript.lines.extend(reply.lines.iter().map(|line| normal(line, step.masked)));
        }
        let error = replies.last().and_then(|reply| reply.error.as_ref());
        let as_expected = match error {
            Some(error) => step.errors.contains(&error.code),
            None => step.errors.is_empty(),
        };
        if !as_expected {
            let found = error.map_or_else(|| "no error".to_owned(), ToString::to_string);
            transcript.unexpected.push(format!("line {}: {}: {found}", step.line, head(&step.shown)));
        }
    }
    connection.quit().await?;
    Ok(transcript)
}

/// Agreed capabilities. TLS and compression are left out: a pair may differ in them on purpose.
fn agreed(connection: &Connection) -> u64 {
    use headgate::wire::capabilities::Capabilities;
    let wrapping = Capabilities::SSL | Capabilities::COMPRESS | Capabilities::ZSTD;
    connection.capabilities.without(wrapping).0
}

/// A statement prepared by name: its id, and the columns of its open cursor.
#[derive(Debug, Clone, Default)]
struct Prepared {
    id: u32,
    types: Vec<(u8, bool)>,
}

async fn perform(
    connection: &mut Connection,
    step: &Step,
    pass: Pass,
    schema: &str,
    prepared: &mut HashMap<String, Prepared>,
    interloper: &mut Option<Interloper>,
) -> Result<Vec<Reply>> {
    // An unknown name stands for a statement that does not exist.
    let known = |prepared: &HashMap<String, Prepared>, name: &str| {
        prepared.get(name).cloned().unwrap_or(Prepared { id: 0x7777_7777, types: Vec::new() })
    };
    let reply = match &step.action {
        Action::Statement(sql) if pass == Pass::Binary => {
            return binary(connection, step, &with_schema(sql, schema), interloper).await;
        }
        Action::Statement(sql) | Action::Text(sql) => {
            connection.query_with(&with_schema(sql, schema), &step.attributes, &step.file).await?
        }
        Action::Prepare { name, sql } => {
            let reply = connection.prepare(sql).await?;
            if let Some(id) = reply.statement {
                prepared.insert(name.clone(), Prepared { id, types: reply.types.clone() });
            }
            reply
        }
        Action::Execute { name, cursor, params } => {
            let id = known(prepared, name).id;
            let flags = if *cursor { CURSOR_READ_ONLY } else { 0 };
            let reply = connection.execute(id, flags, params, &step.file).await?;
            if let Some(statement) = prepared.get_mut(name) {
                statement.types.clone_from(&reply.types);
            }
            reply
        }
        Action::Bulk { name, rows } => connection.execute_bulk(known(prepared, name).id, rows).await?,
        Action::Fetch { name, rows } => {
            let statement = known(prepared, name);
            connection.fetch(statement.id, *rows, &statement.types).await?
        }
        Action::LongData { name, parameter, data } => {
            connection.send_long_data(known(prepared, name).id, *parameter, data).await?
        }
        Action::Reset { name } => {
            connection.statement_command(Command::StmtReset, known(prepared, name).id).await?
        }
        Action::Close { name } => {
            connection.statement_command(Command::StmtClose, known(prepared, name).id).await?
        }
        Action::Send { payload, shape } => connection.command(payload, *shape).await?,
    };
    Ok(vec![reply])
}

fn with_schema(sql: &[u8], schema: &str) -> Vec<u8> {
    const MARK: &[u8] = b"<schema>";
    let mut out = Vec::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = memchr::memmem::find(rest, MARK) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(schema.as_bytes());
        rest = &rest[at + MARK.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Prepares, executes and closes; by COM_QUERY after all where the server cannot prepare it.
async fn binary(
    connection: &mut Connection,
    step: &Step,
    sql: &[u8],
    interloper: &mut Option<Interloper>,
) -> Result<Vec<Reply>> {
    let reply = connection.prepare(sql).await?;
    if let Some(interloper) = interloper {
        interloper.turn().await?;
    }
    let Some(id) = reply.statement else {
        let fallback = reply.error.as_ref().is_none_or(|error| error.code == UNSUPPORTED_PREPARE)
            || step.errors.is_empty();
        let mut replies = vec![reply];
        if fallback {
            replies.push(connection.query_with(sql, &step.attributes, &step.file).await?);
        }
        return Ok(replies);
    };
    let executed = connection.execute(id, 0, &[], &step.file).await?;
    connection.statement_command(Command::StmtClose, id).await?;
    Ok(vec![reply, executed])
}

/// Takes out of a line what differs between any two runs on the same server. Each rule has its reason.
fn normal(line: &str, masked: bool) -> String {
    let mut line = line.to_owned();
    // A pooled server connection goes on counting where its last session stopped.
    if let Some((before, after)) = line.split_once("prepared id=") {
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        line = format!("{before}prepared id=*{rest}");
    }
    // And so do the numbers in the errors for statements that are closed or have no cursor.
    for before_id in ["statement handler (", "The statement ("] {
        if let Some((before, after)) = line.split_once(before_id) {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            line = format!("{before}{before_id}*{rest}");
        }
    }
    // MySQL numbers the statements of the whole server.
    if let Some((before, after)) = line.split_once("\\x0cstatement_id") {
        let rest = after.trim_start_matches(|c: char| c != '"');
        line = format!("{before}\\x0cstatement_id *{rest}");
    }
    // Uptime, threads and counters move on.
    if let Some((before, after)) = line.split_once(" text ") {
        let shape: String = after.chars().filter(|c| !c.is_ascii_digit()).collect();
        line = format!("{before} text {shape}");
    }
    // A transaction's number; two runs are two transactions.
    if let Some((before, after)) = line.split_once("track 3:") {
        let rest = after.trim_start_matches(|c| c != ' ');
        line = format!("{before}track 3:*{rest}");
    }
    if let Some((before, after)) = line.split_once("last_gtid") {
        let rest = after.trim_start_matches(|c: char| c != '"');
        line = format!("{before}last_gtid *{rest}");
    }
    // The EOF behind columns has the flags and warnings of that moment. A server that was told
    // DEPRECATE_EOF, as Headgate's are, sends none there, so an old client gets the session's flags.
    for end in ["columns end, eof", "definitions end, eof"] {
        if let Some((before, _)) = line.split_once(end) {
            line = format!("{before}{end} *");
        }
    }
    // MySQL reports where explicit transactions begin and end although session_track_transaction_info
    // is OFF, and where one follows another announces a change and names none. Headgate goes by the
    // variable.
    if let Some((before, after)) = line.split_once(" track 5:\"") {
        let rest = after.split_once('"').map_or("", |(_, rest)| rest);
        line = format!("{before}{rest}");
    }
    let announced = line.contains("status=4") || line.contains("status=6");
    if announced && !line.contains(" track ") {
        line = line.replace(" info=\"\"", "");
        line = line.replace("status=4", "status=0").replace("status=6", "status=2");
    }
    // The order in which variables are reported is that of a hash of those tracked.
    if line.matches(" track 0:").count() > 1 {
        let (head, tracks) = line.split_once(" track ").unwrap_or((&line, ""));
        let mut tracks: Vec<&str> = tracks.split(" track ").collect();
        tracks.sort_unstable();
        line = format!("{head} track {}", tracks.join(" track "));
    }
    // The script says why.
    if masked {
        if let Some((before, after)) = line.split_once(" status=") {
            line = format!("{before} status=*{}", after.get(4..).unwrap_or_default());
        }
        if let Some((before, after)) = line.split_once(" column ") {
            // Flags and names of columns follow the plan.
            line = format!("{before} column {}", after.split('|').nth(4).unwrap_or_default());
        } else if let Some((before, _)) = line.split_once(" row ") {
            line = format!("{before} row *");
        } else if let Some((before, _)) = line.split_once(" error ") {
            line = format!("{before} error *");
        }
    }
    line
}

/// The first lines of what a step says, for people.
fn head(text: &str) -> String {
    text.chars().take(100).map(|c| if c == '\n' { ' ' } else { c }).collect()
}

fn tail(lines: &[String]) -> String {
    lines.iter().rev().take(12).rev().map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
}

impl Transcript {
    /// Without SERVER_STATUS_METADATA_CHANGED: where sessions share connections, it depends on who has prepared a
    /// statement there before (docs/differences.md).
    pub(crate) fn without_metadata_changed(&self) -> Self {
        let without = |line: &String| {
            let Some((before, after)) = line.split_once(" status=") else { return line.clone() };
            let (digits, rest) = after.split_at(after.len().min(4));
            match u16::from_str_radix(digits, 16) {
                Ok(flags) => format!("{before} status={:04x}{rest}", flags & !0x0400),
                Err(_) => line.clone(),
            }
        };
        Self { lines: self.lines.iter().map(without).collect(), unexpected: self.unexpected.clone() }
    }
}

/// How two transcripts differ, side by side around the first difference; nothing where they are equal.
pub(crate) fn difference(left: &Transcript, right: &Transcript, names: [&str; 2]) -> Option<String> {
    let length = left.lines.len().max(right.lines.len());
    let first = (0..length).find(|at| left.lines.get(*at) != right.lines.get(*at))?;
    let step = left.lines.iter().take(first + 1).rfind(|line| line.starts_with("---"));
    let mut out = String::new();
    if let Some(step) = step {
        let _ = writeln!(out, "{step}");
    }
    for at in first.saturating_sub(4)..(first + 5).min(length) {
        let (left, right) = (left.lines.get(at), right.lines.get(at));
        let shown = |line: Option<&String>| line.map_or("(nothing)", String::as_str).to_owned();
        if left == right {
            let _ = writeln!(out, "    both    {}", shown(left));
        } else {
            let _ = writeln!(out, " >> {:<8}{}", names[0], shown(left));
            let _ = writeln!(out, " >> {:<8}{}", names[1], shown(right));
        }
    }
    Some(out)
}

#[test]
fn a_difference_is_found_and_shown() {
    let transcript = |lines: &[&str]| Transcript {
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        unexpected: Vec::new(),
    };
    let left = transcript(&["--- line 1: SELECT 1", "  1 1 columns", "  2 row \"1\""]);
    let right = transcript(&["--- line 1: SELECT 1", "  1 1 columns", "  2 row \"2\""]);
    assert_eq!(difference(&left, &left, ["direct", "headgate"]), None);
    let shown = difference(&left, &right, ["direct", "headgate"]).unwrap();
    assert!(shown.contains("headgate  2 row \"2\"") && shown.contains("line 1"), "{shown}");
    assert!(difference(&left, &transcript(&["--- line 1: SELECT 1"]), ["a", "b"]).is_some());
}

#[test]
fn only_what_must_differ_is_normalised() {
    let check = |line: &str, masked: bool, expected: &str| assert_eq!(normal(line, masked), expected);
    check("  1 prepared id=17 columns=1", false, "  1 prepared id=* columns=1");
    check("  1 text Uptime: 12  Threads: 2", false, "  1 text Uptime:   Threads: ");
    check("  1 ok track 3:\"\\x00\\x05u:1-2\" track 1:\"x\"", false, "  1 ok track 3:* track 1:\"x\"");
    check("  3 eof status=0022 warnings=0", false, "  3 eof status=0022 warnings=0");
    check("  3 columns end, eof status=0022 warnings=0", false, "  3 columns end, eof *");
    check("  3 eof status=0022 warnings=0", false, "  3 eof status=0022 warnings=0");
    let begin = "  1 ok status=4003 warnings=0 info=\"\" track 5:\"\\x08T_______\"";
    check(begin, false, "  1 ok status=0003 warnings=0");
    check("  1 ok track 0:\"b\" track 0:\"a\"", false, "  1 ok track 0:\"a\" track 0:\"b\"");
    check("  3 row \"17\"", false, "  3 row \"17\"");
    check("  3 row \"17\"", true, "  3 row *");
}
