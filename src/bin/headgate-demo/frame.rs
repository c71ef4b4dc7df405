//! One picture of what goes where, as lines for a terminal of any size. Pure.

use crate::console::Example;
use crate::tally::Seen;

/// What is to be seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) title: String,
    /// What there is to try, each with its name.
    pub(crate) ways: Vec<(&'static str, String)>,
    pub(crate) servers: Vec<ServerRow>,
    /// The most frequent first.
    pub(crate) reasons: Vec<ReasonRow>,
    pub(crate) examples: Vec<Example>,
    pub(crate) seen: Seen,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ServerRow {
    pub(crate) name: String,
    pub(crate) role: String,
    /// A second.
    pub(crate) reads: u64,
    /// `None` where the server does not tell those of clients from those it replays.
    pub(crate) writes: Option<u64>,
    /// How old its data is, in milliseconds.
    pub(crate) age: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ReasonRow {
    pub(crate) target: &'static str,
    /// A second.
    pub(crate) rate: u64,
    /// Since the start.
    pub(crate) count: u64,
    pub(crate) words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Heading,
    Alarm,
}

pub(crate) type Line = (Style, String);

/// As many lines as fit, none wider than the terminal.
pub(crate) fn draw(frame: &Frame, size: Size) -> Vec<Line> {
    let mut lines = vec![(Style::Heading, frame.title.clone())];
    lines.extend(frame.ways.iter().map(|(name, way)| (Style::Plain, format!("  {name:<8} {way}"))));
    lines.push(blank());
    servers(&mut lines, frame, size.columns);
    lines.push(check(&frame.seen));
    lines.push(blank());
    // Examples are the first to go, then the rarest reasons.
    let left = size.rows.saturating_sub(lines.len() + 2);
    let wanted = frame.examples.len() + 2;
    let shown = left.saturating_sub(wanted).max(FEWEST_REASONS).min(frame.reasons.len());
    reasons(&mut lines, frame, shown);
    if left >= shown + 3 {
        lines.push(blank());
        examples(&mut lines, frame, size.columns, left - shown - 2);
    }
    lines.truncate(size.rows.saturating_sub(1));
    for (_, line) in &mut lines {
        cut(line, size.columns);
    }
    lines
}

/// Shown before the examples are thought of.
const FEWEST_REASONS: usize = 6;

fn servers(lines: &mut Vec<Line>, frame: &Frame, columns: usize) {
    // What the other columns leave, for two bars.
    let bar = (columns.saturating_sub(56) / 2).clamp(4, 30);
    let most = |of: fn(&ServerRow) -> u64| frame.servers.iter().map(of).max().unwrap_or(0);
    let (reads, writes) = (most(|server| server.reads), most(|server| server.writes.unwrap_or(0)));
    lines.push((
        Style::Heading,
        format!(
            "  {:<10} {:<8} {:>7} {:bar$}  {:>8} {:bar$}  {:>8}",
            "server", "role", "reads/s", "", "writes/s", "", "data age"
        ),
    ));
    for server in &frame.servers {
        let writes_now = server.writes.map_or_else(|| "-".to_owned(), |writes| writes.to_string());
        let age = server.age.map_or_else(|| "-".to_owned(), |age| format!("{age} ms"));
        lines.push((
            Style::Plain,
            format!(
                "  {:<10} {:<8} {:>7} {:bar$}  {:>8} {:bar$}  {age:>8}",
                server.name,
                server.role,
                server.reads,
                bar_of(server.reads, reads, bar),
                writes_now,
                bar_of(server.writes.unwrap_or(0), writes, bar),
            ),
        ));
    }
}

fn check(seen: &Seen) -> Line {
    let Seen { own_reads, stale, errors, .. } = *seen;
    let others = seen.wrong() - stale;
    let style = if seen.wrong() > 0 { Style::Alarm } else { Style::Plain };
    let text = format!(
        "  check      {own_reads} reads of own writes, stale: {stale}; other wrong answers: {others}; errors: {errors}"
    );
    (style, text)
}

fn reasons(lines: &mut Vec<Line>, frame: &Frame, shown: usize) {
    let total: u64 = frame.reasons.iter().map(|reason| reason.count).sum();
    let on_replicas: u64 =
        frame.reasons.iter().filter(|reason| reason.target == "replica").map(|reason| reason.count).sum();
    lines.push((
        Style::Heading,
        format!(
            "  {:<8} {:>6} {:>6}  why  (replicas {}, primary {} of all)",
            "to",
            "share",
            "now/s",
            percent(on_replicas, total),
            percent(total - on_replicas, total)
        ),
    ));
    for ReasonRow { target, rate, count, words } in frame.reasons.iter().take(shown) {
        let share = percent(*count, total);
        lines.push((Style::Plain, format!("  {target:<8} {share:>6} {rate:>6}  {words}")));
    }
}

fn examples(lines: &mut Vec<Line>, frame: &Frame, columns: usize, shown: usize) {
    lines.push((Style::Heading, "  for example (EXPLAIN ROUTE on the console tells more)".to_owned()));
    let longest = frame.examples.iter().map(|example| example.statement.chars().count()).max().unwrap_or(0);
    let width = longest.min(columns * 45 / 100);
    for Example { statement, target, why } in frame.examples.iter().take(shown) {
        let mut statement = (*statement).to_owned();
        cut(&mut statement, width);
        lines.push((Style::Plain, format!("  {statement:width$} > {target}: {why}")));
    }
}

fn blank() -> Line {
    (Style::Plain, String::new())
}

/// A bar of `width` characters at most, and of one at least where there is anything.
fn bar_of(count: u64, most: u64, width: usize) -> String {
    let width = u64::try_from(width).unwrap_or(0);
    let length = (count * width).div_ceil(most.max(1));
    "█".repeat(usize::try_from(length).unwrap_or(0))
}

fn percent(part: u64, whole: u64) -> String {
    format!("{} %", (part * 100 + whole / 2) / whole.max(1))
}

/// Shortens a text to a width; all its characters are one column wide.
fn cut(text: &mut String, width: usize) {
    if text.chars().count() > width {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        *text = if width == 0 { String::new() } else { kept + "…" };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let server = |name: &str, reads, writes, age| ServerRow {
            name: name.to_owned(),
            role: name.split('-').next().unwrap_or_default().to_owned(),
            reads,
            writes,
            age,
        };
        let reason =
            |target, rate, count, words: &str| ReasonRow { target, rate, count, words: words.to_owned() };
        Frame {
            title: "Headgate before MySQL 9.7.4, for 3 s".to_owned(),
            ways: vec![("clients", "mysql://app:lab-app@127.0.0.1:4306/shop".to_owned())],
            servers: vec![
                server("primary", 10, Some(40), None),
                server("replica-1", 300, Some(0), Some(12)),
                server("replica-2", 150, None, Some(7)),
            ],
            reasons: vec![
                reason("replica", 440, 800, "a plain read; the replica is fresh enough"),
                reason("primary", 40, 195, "it writes data"),
                reason("primary", 0, 5, "a comment asks for the primary"),
            ],
            examples: vec![Example {
                statement: "SELECT stock FROM products WHERE id = 7 FOR UPDATE",
                target: "primary".to_owned(),
                why: "it is not known to be a plain read".to_owned(),
            }],
            seen: Seen { own_reads: 17, ..Seen::default() },
        }
    }

    fn text(frame: &Frame, columns: usize, rows: usize) -> Vec<String> {
        draw(frame, Size { columns, rows }).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn everything_is_there() {
        let text = text(&frame(), 120, 40).join("\n");
        for part in [
            "primary    primary       10",
            "replica-1  replica      300 ██████████████████████████████ ",
            "replica-2  replica      150 ███████████████  ",
            "12 ms",
            "replica    80 %    440  a plain read",
            "primary    20 %     40  it writes data",
            "(replicas 80 %, primary 20 % of all)",
            "17 reads of own writes, stale: 0;",
            "FOR UPDATE > primary: it is not known to be a plain read",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn it_fits_every_terminal() {
        for columns in [0, 1, 20, 79, 80, 200] {
            for rows in [0, 1, 5, 10, 14, 24, 60] {
                let lines = text(&frame(), columns, rows);
                assert!(lines.len() < rows.max(1), "{columns}x{rows}: {} lines", lines.len());
                let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
                assert!(widest <= columns, "{columns}x{rows}: {widest}");
            }
        }
        let small = text(&frame(), 80, 14).join("\n");
        assert!(small.contains("it writes data") && !small.contains("for example"), "{small}");
    }

    #[test]
    fn what_is_wrong_stands_out() {
        let check = |seen, style| assert_eq!(check(&seen).0, style);
        check(Seen { own_reads: 3, errors: 1, ..Seen::default() }, Style::Plain);
        check(Seen { own_reads: 3, stale: 1, ..Seen::default() }, Style::Alarm);
        check(Seen { reports: 3, torn: 1, ..Seen::default() }, Style::Alarm);
    }
}
