//! A TCP relay whose faults can be set while connections run through it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::error::{LabError, Result};
use super::ports::Port;

/// What a link does to the connections through it, those that exist and those to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes pass.
    #[default]
    None,
    /// Connections are closed; new ones are refused by the kernel.
    Refuse,
    /// Connections stay open and new ones are accepted, but no byte moves, nor does the end of a
    /// connection. What was sent meanwhile arrives when the fault ends, as after a cut cable.
    Swallow,
    /// Every byte arrives this much later, in each direction; order and bandwidth are kept.
    Delay(Duration),
}

/// A relay from a port of its own to a server.
#[derive(Debug)]
pub struct Link {
    port: Port,
    wanted: watch::Sender<Fault>,
    applied: watch::Receiver<Fault>,
    relay: AbortHandle,
}

impl Link {
    /// Starts relaying to `target` on `runtime`.
    pub(super) async fn open(port: Port, target: SocketAddr, runtime: &Handle) -> Result<Self> {
        let address = port.address();
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| LabError::Spawn { program: format!("a relay on {address}"), source })?;
        let (wanted, faults) = watch::channel(Fault::None);
        let (applied_sender, applied) = watch::channel(Fault::None);
        let relay = Relay { address, target, faults, applied: applied_sender };
        let relay = runtime.spawn(relay.run(listener)).abort_handle();
        Ok(Self { port, wanted, applied, relay })
    }

    /// Where to connect instead of to the server itself.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Sets the fault and returns when it is in force: after [`Fault::Refuse`] nothing is open any
    /// more, after any other the port accepts.
    pub async fn set(&self, fault: Fault) {
        self.wanted.send_replace(fault);
        // Fails only when the cluster, and with it the relay, is gone.
        let _ = self.applied.clone().wait_for(|applied| *applied == fault).await;
    }

    /// The fault in force.
    pub fn fault(&self) -> Fault {
        *self.applied.borrow()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

struct Relay {
    address: SocketAddr,
    target: SocketAddr,
    faults: watch::Receiver<Fault>,
    applied: watch::Sender<Fault>,
}

impl Relay {
    async fn run(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        // Dropped with this task, and every connection with it.
        let mut connections = JoinSet::new();
        loop {
            let fault = *self.faults.borrow_and_update();
            if fault == Fault::Refuse {
                listener = None;
                connections.shutdown().await;
            } else if listener.is_none() {
                listener = Some(bind(self.address).await);
            }
            self.applied.send_replace(fault);
            tokio::select! {
                changed = self.faults.changed() => if changed.is_err() { return },
                Some(client) = accept(listener.as_ref()) => {
                    connections.spawn(carry(client, self.target, self.faults.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// The port is reserved, so only a socket that is just closing can be in the way.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    loop {
        match listener?.accept().await {
            Ok((client, _)) => return Some(client),
            // Out of descriptors, or the client has gone already.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn carry(client: TcpStream, target: SocketAddr, mut faults: watch::Receiver<Fault>) {
    passable(&mut faults).await;
    let Ok(server) = TcpStream::connect(target).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, faults.clone()) => {}
        () = pump(from_server, to_client, faults) => {}
    }
}

/// Waits while the link swallows; returns the delay in force.
async fn passable(faults: &mut watch::Receiver<Fault>) -> Duration {
    match faults.wait_for(|fault| *fault != Fault::Swallow).await.as_deref() {
        Ok(Fault::Delay(delay)) => *delay,
        _ => Duration::ZERO,
    }
}

/// Bytes on their way, and when they arrive.
struct Flight {
    due: Instant,
    bytes: Vec<u8>,
}

const CHUNK: usize = 64 * 1024;
/// Chunks in flight at most: 128 MiB, or 2,048 small packets a delay.
const IN_FLIGHT: usize = 2_048;

/// Moves one direction until it ends. Reading goes on while earlier bytes wait for their time.
async fn pump(from: OwnedReadHalf, to: OwnedWriteHalf, faults: watch::Receiver<Fault>) {
    let (departing, arriving) = mpsc::channel(IN_FLIGHT);
    tokio::join!(depart(from, departing, faults.clone()), arrive(to, arriving, faults));
}

async fn depart(
    mut from: OwnedReadHalf,
    departing: mpsc::Sender<Flight>,
    mut faults: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let delay = passable(&mut faults).await;
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            changed = faults.changed() => if changed.is_ok() { continue } else { 0 },
        };
        let bytes = buffer.get(..read).unwrap_or_default().to_vec();
        // The end of a stream, an empty flight, takes as long as its bytes.
        let ended = bytes.is_empty();
        if departing.send(Flight { due: Instant::now() + delay, bytes }).await.is_err() || ended {
            return;
        }
    }
}

async fn arrive(
    mut to: OwnedWriteHalf,
    mut arriving: mpsc::Receiver<Flight>,
    mut faults: watch::Receiver<Fault>,
) {
    while let Some(flight) = arriving.recv().await {
        // A timer takes a millisecond even where it is due.
        if flight.due > Instant::now() {
            sleep_until(flight.due).await;
        }
        passable(&mut faults).await;
        let written = to.write_all(&flight.bytes).await;
        if written.is_err() || flight.bytes.is_empty() {
            return;
        }
    }
}
