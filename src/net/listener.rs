//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;

use tokio::net::{TcpListener, UnixListener};

use super::socket::Socket;
use crate::telemetry::http::Accept;
use crate::topology::Address;

/// Connections waiting to be accepted.
const BACKLOG: i32 = 4096;

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix; its file is removed when the listener is dropped.
    Unix(UnixListener, std::path::PathBuf),
}

/// Who may listen on the same TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else.
    Alone,
    /// More listeners of this process, of which this is the first; the kernel spreads connections over them
    /// (SO_REUSEPORT).
    First,
    /// One of the others.
    Next,
}

/// Why a listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address as configured.
    pub address: Address,
    /// What the system said.
    pub source: io::Error,
}

impl Listener {
    /// Binds every address of `address`.
    pub async fn bind(address: &Address, sharing: Sharing) -> Result<Vec<Self>, BindError> {
        let failed = |source| BindError { address: address.clone(), source };
        match address {
            Address::Unix(path) => {
                // A socket file that nobody serves any more is left over from a crash.
                let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
                let stale = std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
                    && tokio::net::UnixStream::connect(path).await.is_err_and(refused);
                if stale {
                    std::fs::remove_file(path).map_err(failed)?;
                }
                let listener = UnixListener::bind(path).map_err(failed)?;
                Ok(vec![Self::Unix(listener, path.clone())])
            }
            Address::Tcp { host, port } => {
                let found = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(failed)?;
                found.map(|at| bind_tcp(at, sharing).map_err(failed)).collect()
            }
        }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => Socket::tcp(listener.accept().await?.0),
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

impl Accept for Listener {
    type Stream = Socket;

    async fn accept(&self) -> io::Result<Socket> {
        Self::accept(self).await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Already gone is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn bind_tcp(at: SocketAddr, sharing: Sharing) -> io::Result<Listener> {
    if sharing == Sharing::First && at.port() != 0 {
        // Another process that shares the port would take half of the clients without a word.
        drop(bound(at, false)?);
    }
    let socket = bound(at, sharing != Sharing::Alone)?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Tcp(TcpListener::from_std(socket.into())?))
}

fn bound(at: SocketAddr, shared: bool) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if at.is_ipv6() {
        // `::` and `0.0.0.0` can then be listened on side by side, and mean the same on every system.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}
