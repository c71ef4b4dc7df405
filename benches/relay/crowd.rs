//! Many clients from one thread: point selects, or statements that wait at the server, each client one at a time.
//!
//! sysbench gives every client a thread, so that with thousands of them the machine is busy with the clients. Here a
//! client costs one read and one write a statement, as many as it must. What share of the machine they take all the
//! same is part of the figures.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use headgate::lab::{Cluster, DATABASE, Node};
use headgate::wire::err::ErrPacket;
use headgate::wire::frame::{HEADER, put_packet, split_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::client::Client;
use super::contestant::{Contestant, Field};
use super::meter::Meter;
use super::options::{Options, Protocol};
use super::sysbench::ROWS;

/// What the clients of a crowd ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Point(Protocol),
    /// [`WAITING`], as text: the connections are busy, and the processors are not.
    Wait,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Point(protocol) => protocol.name(),
            Self::Wait => "waits",
        }
    }
}

/// Point selects in the protocols that are wanted.
pub(crate) fn points(options: &Options) -> Vec<Work> {
    options.protocols().into_iter().map(Work::Point).collect()
}

/// One load: what is asked for, and a number of clients.
pub(crate) struct Load {
    pub(crate) work: Work,
    pub(crate) clients: u32,
    /// By contestant, in the order of the field.
    pub(crate) figures: Vec<Figures>,
}

/// One contestant under one load; a value for each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Statements a second.
    pub(crate) rate: Vec<f64>,
    /// Milliseconds.
    pub(crate) median: Vec<f64>,
    /// Milliseconds.
    pub(crate) p99: Vec<f64>,
    /// Processor time for each statement, in microseconds: of the proxy, of all servers, of the clients.
    pub(crate) proxy: Vec<f64>,
    pub(crate) servers: Vec<f64>,
    pub(crate) crowd: Vec<f64>,
}

pub(crate) fn measure(
    field: &Field,
    cluster: &Cluster,
    options: &Options,
    works: &[Work],
) -> Result<Vec<Load>> {
    let mut loads: Vec<Load> = Vec::new();
    for &work in works {
        for &clients in &options.crowd {
            let figures = vec![Figures::default(); field.contestants.len()];
            loads.push(Load { work, clients, figures });
        }
    }
    for round in 0..options.rounds() {
        eprintln!("a crowd of clients, round {} of {}", round + 1, options.rounds());
        for (index, contestant) in field.order(round) {
            for load in &mut loads {
                let (work, clients) = (load.work, load.clients);
                let Some(figures) = load.figures.get_mut(index) else { continue };
                figures.add(contestant, cluster, work, clients, options.seconds()).with_context(|| {
                    format!("{}, {clients} clients, {}", contestant.kind.name(), work.name())
                })?;
            }
        }
    }
    Ok(loads)
}

impl Figures {
    fn add(
        &mut self,
        contestant: &Contestant,
        cluster: &Cluster,
        work: Work,
        clients: u32,
        seconds: u32,
    ) -> Result<()> {
        let crowd = Crowd::gather(contestant.address, cluster, work, clients)?;
        let books = Books::of(contestant, cluster);
        let run = crowd.run(&books, Duration::from_secs(seconds.into()))?;
        self.rate.push(run.answers / run.seconds);
        self.median.push(run.percentile(50));
        self.p99.push(run.percentile(99));
        self.proxy.push(run.used.proxy / run.answers);
        self.servers.push(run.used.servers / run.answers);
        self.crowd.push(run.used.crowd / run.answers);
        Ok(())
    }
}

/// Of the loads of one kind that with the fewest clients.
pub(crate) fn fewest(loads: &[Load], work: Work) -> Option<&Load> {
    loads.iter().filter(|load| load.work == work).min_by_key(|load| load.clients)
}

/// Whose processor time is read.
struct Books {
    proxy: Option<Meter>,
    servers: Vec<Meter>,
    crowd: Meter,
}

/// Processor time in microseconds.
#[derive(Clone, Copy)]
struct Used {
    proxy: f64,
    servers: f64,
    crowd: f64,
}

impl Books {
    fn of(contestant: &Contestant, cluster: &Cluster) -> Self {
        let servers = cluster.nodes().iter().filter_map(Node::process_id).map(Meter::of).collect();
        Self { proxy: contestant.meter, servers, crowd: Meter::of(std::process::id()) }
    }

    fn read(&self) -> Result<Used> {
        let mut servers = 0.0;
        for server in &self.servers {
            servers += server.cpu_micros()?;
        }
        let proxy = self.proxy.map_or(Ok(f64::NAN), Meter::cpu_micros)?;
        Ok(Used { proxy, servers, crowd: self.crowd.cpu_micros()? })
    }
}

/// Clients that have logged in.
struct Crowd(Vec<Asker>);

/// What a run has shown.
struct Run {
    answers: f64,
    seconds: f64,
    /// Of every answer, in microseconds, in order.
    latencies: Vec<u32>,
    used: Used,
}

/// Kept by all clients of a crowd together.
#[derive(Default)]
struct Tally {
    latencies: RefCell<Vec<u32>>,
    over: Cell<bool>,
}

impl Crowd {
    fn gather(to: SocketAddr, cluster: &Cluster, work: Work, clients: u32) -> Result<Self> {
        let asker = |number: u32| {
            let mut client = Client::connect(to, cluster.accounts().app, DATABASE)
                .with_context(|| format!("client {number}"))?;
            let asks = match work {
                Work::Point(Protocol::Text) => Asks::Text,
                Work::Point(Protocol::Binary) => {
                    Asks::Prepared(client.prepare("SELECT c FROM sbtest1 WHERE id=?")?)
                }
                Work::Wait => Asks::Wait,
            };
            Ok(Asker { stream: client.into_stream()?, asks, draw: Draw::of(number) })
        };
        (1..=clients).map(asker).collect::<Result<_>>().map(Self)
    }

    fn run(self, books: &Books, during: Duration) -> Result<Run> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        let tally = Rc::new(Tally::default());
        local.block_on(&runtime, async move {
            let asking: Vec<_> = self
                .0
                .into_iter()
                .map(|asker| tokio::task::spawn_local(asker.ask(Rc::clone(&tally))))
                .collect();
            // Connections are opened, and caches filled, in the first moments.
            tokio::time::sleep(WARM_UP).await;
            let before = books.read()?;
            tally.latencies.borrow_mut().clear();
            let start = Instant::now();
            tokio::time::sleep(during).await;
            let mut latencies = tally.latencies.take();
            let seconds = start.elapsed().as_secs_f64();
            let after = books.read()?;
            tally.over.set(true);
            for asker in asking {
                tokio::time::timeout(LAST_ANSWER, asker).await.context("a client waits in vain")???;
            }
            ensure!(!latencies.is_empty(), "nobody was answered");
            latencies.sort_unstable();
            let used = Used {
                proxy: after.proxy - before.proxy,
                servers: after.servers - before.servers,
                crowd: after.crowd - before.crowd,
            };
            #[allow(clippy::cast_precision_loss, reason = "some hundred thousand")]
            let answers = latencies.len() as f64;
            Ok(Run { answers, seconds, latencies, used })
        })
    }
}

impl Run {
    /// Milliseconds within which so many of a hundred answers came.
    fn percentile(&self, part: usize) -> f64 {
        let at = (self.latencies.len() * part / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().map_or(f64::NAN, |micros| f64::from(micros) / 1000.0)
    }
}

/// What a client sends.
#[derive(Clone, Copy)]
enum Asks {
    Text,
    /// This statement, in the binary protocol.
    Prepared(u32),
    Wait,
}

/// One client.
struct Asker {
    stream: std::net::TcpStream,
    asks: Asks,
    draw: Draw,
}

impl Asker {
    /// Asks until the run is over.
    async fn ask(self, tally: Rc<Tally>) -> Result<()> {
        let Self { stream, asks, mut draw } = self;
        let mut stream = TcpStream::from_std(stream)?;
        let mut command = Vec::new();
        let mut room = vec![0; ROOM];
        while !tally.over.get() {
            put_command(&mut command, asks, draw.next() % ROWS + 1);
            let begun = Instant::now();
            stream.write_all(&command).await?;
            let mut filled = 0;
            while !is_whole(room.get(..filled).unwrap_or_default())? {
                let read = stream.read(room.get_mut(filled..).unwrap_or_default()).await?;
                ensure!(read > 0, "the connection was closed, or the reply is too long");
                filled += read;
            }
            let micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
            tally.latencies.borrow_mut().push(micros);
        }
        Ok(())
    }
}

fn put_command(out: &mut Vec<u8>, asks: Asks, row: u32) {
    let payload = match asks {
        Asks::Text => format!("\x03SELECT c FROM sbtest1 WHERE id={row}").into_bytes(),
        Asks::Wait => format!("\x03{WAITING}").into_bytes(),
        // COM_STMT_EXECUTE without a cursor: no parameter is NULL, and the one there is is an INT.
        Asks::Prepared(id) => {
            [&[0x17], &id.to_le_bytes()[..], &[0, 1, 0, 0, 0, 0, 1, 3, 0], &row.to_le_bytes()].concat()
        }
    };
    out.clear();
    put_packet(out, &mut 0, &payload);
}

/// Whether a reply with one row has come whole. Anything else than that is an error.
fn is_whole(mut bytes: &[u8]) -> Result<bool> {
    let (mut columns, mut rows) = (None, 0);
    loop {
        let Some((header, payload)) = split_packet(bytes, ROOM)? else { return Ok(false) };
        let first = payload.first().copied().context("an empty packet")?;
        match (first, columns) {
            (0xFF, _) => bail!("{:?}", ErrPacket::parse(payload)),
            (count, None) => columns = Some(count),
            (0xFE, Some(0)) => {
                ensure!(rows == 1, "{rows} rows");
                return Ok(true);
            }
            (_, Some(0)) => rows += 1,
            (_, Some(more)) => columns = Some(more - 1),
        }
        bytes = bytes.get(HEADER + header.len..).unwrap_or_default();
    }
}

/// Numbers without a pattern that matters here, and cheap (xorshift).
struct Draw(u32);

impl Draw {
    fn of(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// Two milliseconds: 20 connections serve at most 10,000 of them a second, a part of what two cores can do.
const WAITING: &str = "SELECT SLEEP(0.002)";

/// More than a reply takes, so that one read empties the socket.
const ROOM: usize = 1024;
const WARM_UP: Duration = Duration::from_secs(1);
const LAST_ANSWER: Duration = Duration::from_secs(20);
