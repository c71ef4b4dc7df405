//! The door: where a client is, whether it may come in, and the places it takes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::caller::{Caller, LoginError};
use super::context::{Admission, Shared};
use super::tally::Place;
use crate::admission::Refusal;
use crate::auth::throttle::household;
use crate::net::link::Link;
use crate::net::socket::Socket;
use crate::pooling::Mode;
use crate::routing::Preferences;
use crate::wire::Malformed;
use crate::wire::proxy_protocol::{self, Announced, Progress};

/// What holds for those who come in at one address, where it is not what holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entrance {
    /// Their pool mode.
    pub pool: Option<Mode>,
    /// What their reads may miss.
    pub reads: Preferences,
}

/// A client at the door, and inside for as long as this lives.
pub(super) struct Visit {
    /// Where it is, by its proxy's word where that counts; nothing for Unix sockets.
    pub(super) client: Option<SocketAddr>,
    /// A proxy has said so.
    pub(super) elsewhere: bool,
    /// Where it has come in.
    pub(super) entrance: Entrance,
    /// A proxy has connected, which may say in a header who its client is.
    proxied: bool,
    shared: Arc<Shared>,
    _place: Admission,
    _at_address: Option<Place<IpAddr>>,
}

impl Visit {
    /// Somebody has connected. What can be decided by then is decided.
    pub(super) fn begin(socket: &Socket, entrance: Entrance, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let place =
            Admission::take(shared).ok_or_else(|| Refusal::Full { limit: shared.limits().clients })?;
        let client = socket.peer();
        let proxied = shared.rules().believes(client.map(|client| client.ip()));
        let shared = Arc::clone(shared);
        let mut visit =
            Self { client, elsewhere: false, entrance, proxied, shared, _place: place, _at_address: None };
        if !proxied {
            visit.enter()?;
        }
        Ok(visit)
    }

    /// Finds out who a proxy's client is. Servers speak first, and there are proxies that send their header
    /// together with the client's first bytes (AWS's network load balancers, unless told otherwise), so this
    /// comes after the greeting, as in MariaDB. The inner error is for a client that has sent its login; before
    /// that it would not understand it.
    pub(super) async fn identify(&mut self, caller: &mut Caller) -> Result<Result<(), Refusal>, LoginError> {
        if !self.proxied {
            return Ok(Ok(()));
        }
        match read_header(&mut caller.link).await? {
            Ok(Announced::Client(client)) => {
                self.client = Some(client);
                (self.elsewhere, caller.elsewhere) = (true, true);
            }
            // A health check, or somebody at the proxy's machine.
            Ok(Announced::Itself) => {}
            Err(source) => return Err(turn_away(caller, &self.shared, &Refusal::Header { source }).await),
        }
        Ok(self.enter())
    }

    fn enter(&mut self) -> Result<(), Refusal> {
        let Some(client) = self.client else { return Ok(()) };
        let rules = self.shared.rules();
        rules.address(client.ip())?;
        let address = household(client.ip());
        let taken = self.shared.addresses.take(address, rules.per_address);
        self._at_address = Some(taken.map_err(|limit| Refusal::AddressFull { address, limit })?);
        Ok(())
    }
}

/// Reads a PROXY header and not a byte more: behind it may stand the beginning of a TLS handshake. Who sends
/// none speaks for itself.
async fn read_header(link: &mut Link) -> io::Result<Result<Announced, Malformed>> {
    loop {
        match proxy_protocol::read(&link.inbox) {
            Ok(Progress::Absent) => return Ok(Ok(Announced::Itself)),
            Ok(Progress::Needs(n)) => {
                if !link.fill_exactly(n).await? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(Progress::Whole { len, announced }) => {
                link.consume(len);
                return Ok(Ok(announced));
            }
            Err(malformed) => return Ok(Err(malformed)),
        }
    }
}

/// Takes one of the places of a user that has proven who it is.
pub(super) fn place_of_user(shared: &Shared, user: &[u8]) -> Result<Place<Box<[u8]>>, Refusal> {
    let limit = shared.rules().limit_of_user(user);
    let taken = shared.users.take(user.into(), limit);
    taken.map_err(|limit| Refusal::UserFull { user: user.into(), limit })
}

/// Tells a client no.
pub(super) async fn turn_away(caller: &mut Caller, shared: &Shared, refusal: &Refusal) -> LoginError {
    shared.counters.refusals.count(refusal.index());
    caller.refuse(refusal.to_client()).await
}
