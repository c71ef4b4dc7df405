//! TCP and Unix sockets behind one type.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::runtime::clock::{self, Late};
use crate::topology::Address;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP, without Nagle's delay.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

/// Why a server could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address, or the resolver failed.
    #[error("the name of {address} cannot be resolved: {source}")]
    Resolve {
        /// The address as configured.
        address: Address,
        /// What the resolver said.
        source: io::Error,
    },
    /// Every address of the name refused.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// The address as configured.
        address: Address,
        /// What the last attempt said.
        source: io::Error,
    },
    /// Nobody answered in time.
    #[error("{address} cannot be reached: {source}")]
    TimedOut {
        /// The address as configured.
        address: Address,
        /// How long was waited.
        source: Late,
    },
}

impl Socket {
    /// Connects within `limit`. Names are looked up each time, and each of their addresses is tried; where `only` says
    /// which addresses it may be, the name is not looked up, since somebody else may say by now where it leads.
    pub async fn connect(
        address: &Address,
        only: Option<&[IpAddr]>,
        limit: Duration,
    ) -> Result<Self, ConnectError> {
        clock::within(limit, Self::connect_unbounded(address, only))
            .await
            .unwrap_or_else(|late| Err(ConnectError::TimedOut { address: address.clone(), source: late }))
    }

    async fn connect_unbounded(address: &Address, only: Option<&[IpAddr]>) -> Result<Self, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable { address: address.clone(), source };
        match address {
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix).map_err(unreachable),
            Address::Tcp { host, port } => {
                let resolve = |source| ConnectError::Resolve { address: address.clone(), source };
                let found: Vec<SocketAddr> = match only {
                    Some(only) => only.iter().map(|ip| SocketAddr::new(*ip, *port)).collect(),
                    None => tokio::net::lookup_host((host.as_str(), *port)).await.map_err(resolve)?.collect(),
                };
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for candidate in found {
                    match TcpStream::connect(candidate).await {
                        Ok(stream) => return Self::tcp(stream).map_err(unreachable),
                        Err(error) => last = error,
                    }
                }
                Err(unreachable(last))
            }
        }
    }

    /// Takes a TCP stream in, set up for short packets and for peers that vanish without a word.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(Duration::from_secs(60))
            .with_interval(Duration::from_secs(10))
            .with_retries(6);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self::Tcp(stream))
    }

    /// Ready when bytes, the end or an error can be read.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// The peer's IP address, IPv4 always as such; nothing for Unix sockets.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            // Who has hung up already has no address any more, and is not local for that.
            Self::Tcp(stream) => Some(stream.peer_addr().map_or(NOWHERE, canonical)),
            Self::Unix(_) => None,
        }
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets have no buffer of their own to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
