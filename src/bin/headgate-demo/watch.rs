//! Looks once a second and shows what it saw: as a picture on a terminal, else as a line.

use std::time::Instant;

use anyhow::Result;
use headgate::lab::{Cluster, Flavor, Headgate, Node, Role};

use crate::console::{Console, Example};
use crate::counts::Counts;
use crate::frame::{Frame, ReasonRow, ServerRow};
use crate::invite::Invite;
use crate::screen::Screen;
use crate::summary::words;
use crate::tally::Tally;
use crate::{lines, stage};

pub(crate) struct Watch<'a> {
    cluster: &'a Cluster,
    headgate: &'a Headgate,
    invite: &'a Invite,
    first: Counts,
    last: Counts,
    begun: Instant,
    seconds: u64,
    /// `None` where there is no terminal.
    live: Option<Live>,
}

/// What only the picture needs.
struct Live {
    console: Console,
    examples: Vec<Example>,
    screen: Screen,
}

impl<'a> Watch<'a> {
    pub(crate) async fn begin(
        cluster: &'a Cluster,
        headgate: &'a Headgate,
        invite: &'a Invite,
    ) -> Result<Self> {
        let live = match Screen::take() {
            Some(screen) => {
                let mut console = Console::open(headgate).await?;
                let examples = console.examples().await?;
                Some(Live { console, examples, screen })
            }
            None => None,
        };
        let first = Counts::take(cluster, headgate).await?;
        Ok(Self {
            cluster,
            headgate,
            invite,
            last: first.clone(),
            first,
            begun: Instant::now(),
            seconds: 0,
            live,
        })
    }

    /// Shows what the last second brought.
    pub(crate) async fn second(&mut self, tally: &Tally) -> Result<()> {
        self.seconds += 1;
        let now = Counts::take(self.cluster, self.headgate).await?;
        let since = now.since(&self.last);
        match &mut self.live {
            None => lines::show(self.seconds, &since, self.cluster),
            Some(_) => self.draw(&now, &since, tally).await?,
        }
        self.last = now;
        Ok(())
    }

    /// Ends the picture. Returns how many seconds were watched, and what they brought.
    pub(crate) async fn end(&mut self) -> Result<(u64, Counts)> {
        self.live = None;
        let now = Counts::take(self.cluster, self.headgate).await?;
        Ok((self.begun.elapsed().as_secs(), now.since(&self.first)))
    }

    async fn draw(&mut self, now: &Counts, since: &Counts, tally: &Tally) -> Result<()> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let shown = live.console.servers().await?;
        let millis = now.at.duration_since(self.last.at).as_millis().max(1);
        let rate = |count: u64| u64::try_from(u128::from(count) * 1000 / millis).unwrap_or(u64::MAX);
        let servers = self.cluster.nodes().iter().zip(since.reads.iter().zip(&since.writes));
        let servers = servers.map(|(node, (reads, writes))| {
            let server = shown.get(&node.address().to_string());
            ServerRow {
                name: node.name().to_owned(),
                role: server.map_or_else(String::new, |server| server.role.clone()),
                reads: rate(*reads),
                writes: told_apart(node).then(|| rate(*writes)),
                age: server.and_then(|server| server.age),
            }
        });
        let frame = Frame {
            title: format!(
                "Headgate before {} {}, for {} s (Ctrl-C ends it and leaves nothing behind)",
                stage::name(self.cluster.flavor()),
                self.cluster.version(),
                self.begun.elapsed().as_secs()
            ),
            ways: self.invite.ways(),
            servers: servers.collect(),
            reasons: reasons(&now.since(&self.first), since, rate),
            examples: live.examples.clone(),
            seen: tally.seen(),
        };
        live.screen.show(&frame);
        Ok(())
    }
}

/// Whether a server's count of writes is one of what clients sent.
fn told_apart(node: &Node) -> bool {
    node.role() == Role::Primary || node.flavor() == Flavor::MySql
}

/// The most frequent first.
fn reasons(so_far: &Counts, since: &Counts, rate: impl Fn(u64) -> u64) -> Vec<ReasonRow> {
    let row = |target: &'static str, reason: &str, count| {
        let now = since.reasons.get(&(target.to_owned(), reason.to_owned()));
        ReasonRow { target, rate: rate(now.copied().unwrap_or(0)), count, words: words(reason) }
    };
    let mut rows: Vec<ReasonRow> = ["replica", "primary"]
        .into_iter()
        .flat_map(|target| so_far.of(target).into_iter().map(move |(reason, count)| (target, reason, count)))
        .map(|(target, reason, count)| row(target, reason, count))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}
