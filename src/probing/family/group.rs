//! Group Replication: who is in the group and who leads it.
//!
//! Sources: MySQL's manual, "The replication_group_members Table" and "Group Replication Server States"; and a group
//! of two on 9.7.4. There a secondary answers SHOW REPLICA STATUS with no row and is super_read_only; a switch to
//! several primaries makes every member PRIMARY and writable; a member that has the plugin but has not started has
//! one row, OFFLINE and without a role; MEMBER_HOST is empty where `report_host` is set to nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::topology::Address;
use crate::wire::answer::{Answer, Row};

/// One member as another one, or itself, sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `server_uuid`.
    pub uuid: String,
    /// Where clients reach it; nothing where the group does not say.
    pub address: Option<Address>,
    /// Its state.
    pub state: MemberState,
    /// It takes writes.
    pub primary: bool,
}

/// `MEMBER_STATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It has all that the group has.
    Online,
    /// It is catching up.
    Recovering,
    /// It has the plugin and is in no group.
    Offline,
    /// It has left after an error.
    Error,
    /// The others do not hear of it.
    Unreachable,
    /// A word that this version of Headgate does not know.
    Unknown,
}

impl Member {
    /// Whether it takes part in the group.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        matches!(self.state, MemberState::Online | MemberState::Recovering)
    }
}

impl MemberState {
    /// As the server writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Recovering => "RECOVERING",
            Self::Offline => "OFFLINE",
            Self::Error => "in state ERROR",
            Self::Unreachable => "UNREACHABLE",
            Self::Unknown => "in a state that is not known",
        }
    }
}

/// Reads the answer to [`crate::probing::discovery::queries::MEMBERS`].
#[must_use]
pub fn members(answer: &Answer) -> Vec<Member> {
    let member = |row: &Row| {
        let text = |column| answer.get(row, column).unwrap_or_default();
        let (uuid, host) = (text("MEMBER_ID").to_ascii_lowercase(), text("MEMBER_HOST"));
        let port: Option<u16> = text("MEMBER_PORT").parse().ok().filter(|port| *port != 0);
        let address =
            port.filter(|_| !host.is_empty()).map(|port| Address::Tcp { host: host.to_owned(), port });
        let state = match text("MEMBER_STATE") {
            "ONLINE" => MemberState::Online,
            "RECOVERING" => MemberState::Recovering,
            "OFFLINE" => MemberState::Offline,
            "ERROR" => MemberState::Error,
            "UNREACHABLE" => MemberState::Unreachable,
            _ => MemberState::Unknown,
        };
        let primary = text("MEMBER_ROLE") == "PRIMARY";
        (!uuid.is_empty()).then_some(Member { uuid, address, state, primary })
    };
    answer.rows.iter().filter_map(member).collect()
}

/// What one member says of its group.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// `server_uuid` of who says it.
    pub by: &'a str,
    /// The members.
    pub members: &'a [Member],
}

impl View<'_> {
    /// Whether it is the view of a member that is in touch with more than half of its group. A member that was cut
    /// off goes on calling itself ONLINE and, if it was the primary, PRIMARY, with the others UNREACHABLE; its
    /// writes wait for ever ("Network Partitioning" in the manual).
    #[must_use]
    pub fn counts(&self) -> bool {
        let there = self.members.iter().filter(|member| member.is_there()).count();
        let itself = self.members.iter().any(|member| member.uuid == self.by && member.is_there());
        itself && there * 2 > self.members.len()
    }
}

/// Why a group has no primary that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLeader {
    /// No server that answers is in touch with more than half of its group.
    NoQuorum,
    /// The group has no primary at the moment.
    Nobody,
    /// Members do not agree yet on who it is.
    Disagreement,
    /// Every member takes writes, and more than one of them is used.
    Several {
        /// How many of them.
        count: usize,
    },
}

impl fmt::Display for NoLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQuorum => {
                f.write_str("no member that answers is in touch with more than half of its replication group")
            }
            Self::Nobody => f.write_str("the replication group has no primary"),
            Self::Disagreement => f.write_str("members of the replication group name different primaries"),
            Self::Several { count } => write!(
                f,
                "{count} members of the replication group take writes; switch it to single-primary mode, or name one \
                 of them alone"
            ),
        }
    }
}

/// The `server_uuid` of the group's primary, as all views that count say.
///
/// `used` are the members that Headgate knows. Of a group in which all take writes the one that is used alone will do.
///
/// # Errors
/// Why there is none.
pub fn leader<'a>(views: &[View<'a>], used: &BTreeSet<&str>) -> Result<&'a str, NoLeader> {
    let mut agreed: Option<Result<&'a str, NoLeader>> = None;
    for view in views.iter().filter(|view| view.counts()) {
        let said = of_view(view, used);
        match &agreed {
            None => agreed = Some(said),
            Some(before) if *before == said => {}
            Some(_) => return Err(NoLeader::Disagreement),
        }
    }
    agreed.unwrap_or(Err(NoLeader::NoQuorum))
}

fn of_view<'a>(view: &View<'a>, used: &BTreeSet<&str>) -> Result<&'a str, NoLeader> {
    let online = |member: &&Member| member.primary && member.state == MemberState::Online;
    let primaries: Vec<&'a str> =
        view.members.iter().filter(online).map(|member| member.uuid.as_str()).collect();
    match primaries.as_slice() {
        [] => Err(NoLeader::Nobody),
        [one] => Ok(one),
        several => {
            let mut known = several.iter().filter(|uuid| used.contains(**uuid));
            match (known.next(), known.next()) {
                (Some(one), None) => Ok(one),
                _ => Err(NoLeader::Several { count: several.len() }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 5] = ["MEMBER_ID", "MEMBER_HOST", "MEMBER_PORT", "MEMBER_STATE", "MEMBER_ROLE"];

    fn read(rows: &[[&str; 5]]) -> Vec<Member> {
        members(&Answer {
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: rows.iter().map(|row| row.map(|text| Some(text.to_owned())).to_vec()).collect(),
            ..Answer::default()
        })
    }

    /// As the manual's page on the table shows it.
    fn three() -> Vec<Member> {
        read(&[
            ["d391e9ee-2691-11ec-bf61-00059a3c7a00", "example1", "4410", "ONLINE", "PRIMARY"],
            ["e059ce5c-2691-11ec-8632-00059a3c7a00", "example2", "4420", "ONLINE", "SECONDARY"],
            ["ecd9ad06-2691-11ec-91c7-00059a3c7a00", "example3", "4430", "ONLINE", "SECONDARY"],
        ])
    }

    /// UUID, state and role.
    type Told<'a> = (&'a str, &'a str, &'a str);

    fn named(rows: &[Told<'_>]) -> Vec<Member> {
        read(&rows.iter().map(|(uuid, state, role)| [*uuid, "db", "3306", *state, *role]).collect::<Vec<_>>())
    }

    #[test]
    fn answers_are_read() {
        let group = three();
        assert_eq!(group[1].address, "example2:4420".parse().ok());
        assert!(group[0].primary && !group[1].primary && group[2].is_there());
        // 9.7.4 with the plugin loaded and not started; and with report_host set to nothing.
        let offline = read(&[["3c8a7bac-ec4b-11f1-88fe-02fc00000001", "", "23995", "OFFLINE", ""]]);
        assert_eq!((offline[0].state, &offline[0].address), (MemberState::Offline, &None));
        assert!(!View { by: &offline[0].uuid, members: &offline }.counts());
    }

    #[test]
    fn the_primary_is_whom_a_majority_says() {
        let check = |views: &[(&str, &[Told<'_>])], used: &[&str], expected: Result<&str, NoLeader>| {
            let views: Vec<_> = views.iter().map(|(by, rows)| (*by, named(rows))).collect();
            let views: Vec<_> = views.iter().map(|(by, members)| View { by, members }).collect();
            assert_eq!(leader(&views, &used.iter().copied().collect()), expected);
        };
        let (on, off) = ("ONLINE", "UNREACHABLE");
        let (first, second) = ("PRIMARY", "SECONDARY");
        let healthy = [("a", on, first), ("b", on, second), ("c", on, second)];
        let moved = [("b", on, first), ("c", on, second)];
        let cut_off = [("a", on, first), ("b", off, second), ("c", off, second)];
        let several = [("a", on, first), ("b", on, first)];
        check(&[("a", &healthy), ("b", &healthy)], &[], Ok("a"));
        check(&[("a", &cut_off), ("b", &moved), ("c", &moved)], &[], Ok("b"));
        check(&[("a", &cut_off)], &[], Err(NoLeader::NoQuorum));
        check(&[("a", &healthy), ("b", &moved)], &[], Err(NoLeader::Disagreement));
        check(&[("x", &healthy)], &[], Err(NoLeader::NoQuorum));
        check(&[], &[], Err(NoLeader::NoQuorum));
        check(&[("b", &[("b", on, second), ("c", on, second)])], &[], Err(NoLeader::Nobody));
        check(&[("a", &several)], &["a", "b"], Err(NoLeader::Several { count: 2 }));
        check(&[("a", &several)], &["a"], Ok("a"));
        check(&[("a", &several)], &[], Err(NoLeader::Several { count: 2 }));
    }
}
