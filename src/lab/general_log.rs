//! Reading a server's general query log.

/// One entry of a general log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The id of the connection on that server.
    pub connection: u64,
    /// What the client sent: `Connect`, `Query`, `Prepare`, `Execute`, `Quit`, `Init DB`, …
    pub command: String,
    /// Its text; line breaks kept.
    pub argument: String,
}

/// Reads a log. Its lines are `[TIME]\t`, spaces, `ID COMMAND\tARGUMENT`; an argument of several
/// lines goes on in lines that do not look so. MariaDB leaves the time out when it did not change.
pub(super) fn parse(text: &str) -> Vec<LogEntry> {
    let mut entries: Vec<LogEntry> = Vec::new();
    for line in text.lines() {
        if let Some(entry) = entry(line) {
            entries.push(entry);
        } else if let Some(last) = entries.last_mut() {
            last.argument.push('\n');
            last.argument.push_str(line);
        }
    }
    entries
}

fn entry(line: &str) -> Option<LogEntry> {
    let (time, rest) = line.split_once('\t')?;
    if !time.is_empty() && !time.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start_matches(['\t', ' ']);
    let (head, argument) = rest.split_once('\t').unwrap_or((rest, ""));
    let (id, command) = head.split_once(' ')?;
    let connection = id.parse().ok()?;
    command.starts_with(|first: char| first.is_ascii_uppercase()).then(|| LogEntry {
        connection,
        command: command.trim().to_owned(),
        argument: argument.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u64, &str, &str)]) {
        let entries = parse(text);
        let found: Vec<_> =
            entries.iter().map(|e| (e.connection, e.command.as_str(), e.argument.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_what_mysql_writes() {
        check(
            "/r/mysqld, Version: 9.7.4 (Debian). started with:\nTcp port: 1  Unix socket: s\n\
             Time                 Id Command    Argument\n\
             2026-11-21T05:45:12.000000Z\t   11 Connect\troot@localhost on  using Socket\n\
             2026-11-21T05:45:12.100000Z\t   11 Query\tSELECT 1,\n  2\n\
             2026-11-21T05:45:12.200000Z\t   11 Quit\t\n",
            &[
                (11, "Connect", "root@localhost on  using Socket"),
                (11, "Query", "SELECT 1,\n  2"),
                (11, "Quit", ""),
            ],
        );
    }

    #[test]
    fn reads_what_mariadb_writes() {
        check(
            "Time\t\t    Id Command\tArgument\n\
             261121  5:45:12\t     3 Connect\troot@localhost on  using Socket\n\
             \t\t     3 Query\tSELECT\t1\n\
             261121  5:45:13\t     3 Init DB\tapp\n",
            &[
                (3, "Connect", "root@localhost on  using Socket"),
                (3, "Query", "SELECT\t1"),
                (3, "Init DB", "app"),
            ],
        );
    }
}
