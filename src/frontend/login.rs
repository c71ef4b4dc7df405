//! From the greeting to a proven connection to the primary.
//!
//! Headgate learns what the client can show, and the primary judges it: every login is a login there
//! (HAZARDS 17). Refusals are the primary's own words.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::context::{Context, Shared};
use super::session::LoggedIn;
use crate::auth::client_side::Failure;
use crate::auth::server_side::{Exchange, FAST_OK, Setup, Shown, Step};
use crate::auth::throttle::Attempt;
use crate::auth::{Accounts, Method, NONCE_LEN, Nonce, Secret};
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::net::link::{Link, Stream};
use crate::net::socket::Socket;
use crate::pool::Key;
use crate::runtime::clock;
use crate::session::State;
use crate::topology::{Facts, Flavor, ServerId, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet, split_packet};
use crate::wire::greeting::Greeting;
use crate::wire::login_request::{self, LoginRequest};
use crate::wire::ok::OkPacket;
use crate::wire::reply::ClientForm;
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

/// The longest packet before a login. Connection attributes alone may have 64 KiB.
const MAX_PACKET: usize = 128 * 1024;

/// For a write to a client that is not logged in yet.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How a login that came to nothing ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    /// The client went away or broke the protocol.
    #[error("the client's connection failed: {0}")]
    Io(#[from] io::Error),
    /// The client was told no.
    #[error("refused: {0}")]
    Refused(ErrPacket),
}

/// The client's side of the conversation.
struct Caller {
    link: Link,
    /// The next sequence number.
    seq: u8,
}

impl Caller {
    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(HEADER + payload.len());
        put_packet(&mut out, &mut self.seq, payload);
        self.link.send(&out, WRITE_LIMIT).await
    }

    async fn receive(&mut self) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
        loop {
            let split = split_packet(&self.link.inbox, MAX_PACKET);
            let split = split.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some((header, payload)) = split {
                if header.seq != self.seq {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "packets out of order"));
                }
                let payload = zeroize::Zeroizing::new(payload.to_vec());
                // The bytes may be a password.
                if let Some(used) = self.link.inbox.get_mut(..HEADER + header.len) {
                    zeroize::Zeroize::zeroize(used);
                }
                self.link.consume(HEADER + header.len);
                self.seq = header.seq.wrapping_add(1);
                return Ok(payload);
            }
            if self.link.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Receives the client's first packet and not a byte more. It may be a request for TLS, and clients
    /// send the beginning of the TLS handshake behind it without waiting.
    async fn receive_first(&mut self) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
        let mut whole = self.link.fill_exactly(HEADER).await?;
        let len = Header::read(&self.link.inbox).map_or(0, |header| header.len);
        if len <= MAX_PACKET {
            whole = whole && self.link.fill_exactly(HEADER + len).await?;
        }
        if whole { self.receive().await } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn refuse(&mut self, error: ErrPacket) -> LoginError {
        let payload = if self.seq == 0 { error.payload_before_greeting() } else { error.payload() };
        // Whether the client still hears it does not matter.
        let _ = self.send(&payload).await;
        LoginError::Refused(error)
    }
}

/// Logs a client in.
pub(super) async fn run(socket: Socket, context: &Arc<Context>) -> Result<(Link, LoggedIn), LoginError> {
    let shared = &context.shared;
    let topology = context.topology();
    let mut caller = Caller { link: Link::new(Stream::Plain(socket)), seq: 0 };
    let (facts, primary) = match (&topology.facts, &topology.primary) {
        (Some(facts), Ok(primary)) => (Arc::clone(facts), *primary),
        (_, Err(why)) => return Err(caller.refuse(no_primary(&why.to_string())).await),
        (None, Ok(_)) => return Err(caller.refuse(no_primary("it has not been asked yet")).await),
    };
    let offered = (Capabilities::OFFERED & facts.capabilities) | Capabilities::SSL;
    let (nonce, switch_nonce) = (Nonce::from_random(random()?), Nonce::from_random(random()?));
    let advertised = advertised(&facts);
    let greeting = Greeting {
        version: facts.version.clone(),
        thread_id: shared.next_client.fetch_add(1, Ordering::Relaxed),
        nonce: nonce.as_bytes().to_vec(),
        capabilities: offered,
        collation: facts.collation,
        status: StatusFlags::AUTOCOMMIT.0,
        plugin: advertised.name().as_bytes().to_vec(),
    };
    caller.send(&greeting.payload()).await?;
    let (mut caller, request) = read_request(caller, shared).await?;
    let setup = Setup {
        advertised,
        nonce,
        switch_nonce,
        secure: caller.link.is_secure(),
        rsa: Arc::clone(&shared.rsa),
        known: shared.known.get(&request.user),
    };
    let client = caller.link.socket().peer();
    let capabilities = request.capabilities & offered;
    let candidate = Candidate { context, topology: &topology, facts: &facts, primary, capabilities, client };
    candidate.negotiate(&mut caller, request, setup).await.map(|logged_in| (caller.link, logged_in))
}

/// Reads the login request, going over to TLS first where the client asks for it.
async fn read_request(mut caller: Caller, shared: &Shared) -> Result<(Caller, LoginRequest), LoginError> {
    let mut payload = caller.receive_first().await?;
    if login_request::is_tls_request(&payload) {
        let seq = caller.seq;
        let accepted = shared.server_tls.accept(caller.link.into_plain()?).await;
        let stream = accepted.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        caller = Caller { link: Link::new(Stream::Tls(Box::new(stream.into()))), seq };
        payload = caller.receive().await?;
    } else if shared.limits().require_tls && !caller.link.is_secure() {
        // ER_SECURE_TRANSPORT_REQUIRED.
        let error = ErrPacket::own(3159, b"HY000", "connect with TLS (listen.require_tls is on)");
        return Err(caller.refuse(error).await);
    }
    match LoginRequest::parse(&payload) {
        Ok(request) => Ok((caller, request)),
        // ER_HANDSHAKE_ERROR.
        Err(error) => {
            let error = ErrPacket::own(1043, b"08S01", &format!("bad handshake: {error}"));
            Err(caller.refuse(error).await)
        }
    }
}

/// A client about to be judged.
struct Candidate<'a> {
    context: &'a Arc<Context>,
    topology: &'a Topology,
    facts: &'a Facts,
    primary: ServerId,
    capabilities: Capabilities,
    client: Option<std::net::SocketAddr>,
}

impl Candidate<'_> {
    async fn negotiate(
        &self,
        caller: &mut Caller,
        mut request: LoginRequest,
        setup: Setup,
    ) -> Result<LoggedIn, LoginError> {
        let shared = &self.context.shared;
        let attempt = Attempt { client: self.client.map(|client| client.ip()), user: &request.user };
        let delay = shared.throttle.lock().before(attempt, clock::now());
        if !delay.is_zero() {
            clock::sleep(delay).await;
        }
        let mut exchange = Exchange::new(setup);
        let mut step = exchange.start(request.plugin.as_deref(), &request.auth_response);
        zeroize::Zeroize::zeroize(&mut request.auth_response);
        loop {
            step = match step {
                Step::Send(payload) => {
                    caller.send(&payload).await?;
                    exchange.on_packet(&caller.receive().await?)
                }
                Step::Lookup => exchange.on_accounts(self.accounts(&request.user).await),
                Step::Refuse(error) => return Err(caller.refuse(error).await),
                Step::Prove { shown, fast } => {
                    let secret = match shown {
                        Shown::Secret(secret) => secret,
                        Shown::Wrong => Secret::wrong(random()?),
                    };
                    match self.prove(&request, &secret).await {
                        Ok(primary) => return self.welcome(caller, request, secret, primary, fast).await,
                        Err(BackendError::Login { failure: Failure::NeedsPassword { .. } }) => {
                            exchange.on_password_needed()
                        }
                        Err(error) => return Err(self.turn_away(caller, &request, &secret, error).await),
                    }
                }
            }
        }
    }

    /// Lets the primary judge: on an idle connection of the same user, or on a new one. MariaDB keeps
    /// roles over COM_CHANGE_USER (HAZARDS 3), so there it is always a new one.
    async fn prove(&self, request: &LoginRequest, secret: &Secret) -> Result<Connection, BackendError> {
        let limit = self.context.shared.limits().connect_timeout;
        let mut attributes = request.attributes.clone();
        if let Some(client) = self.client {
            attributes.push((b"headgate_client".to_vec(), client.to_string().into_bytes()));
        }
        let credentials = Credentials {
            user: &request.user,
            secret,
            schema: request.schema.as_deref(),
            collation: request.collation,
            capabilities: self.capabilities,
            attributes: &attributes,
        };
        // Only who shows what the idle connections were opened with is judged on one of them: a guess costs
        // no connection, and takes as long as a guess at a name that nobody has.
        let is_known =
            self.context.shared.known.get(&request.user).is_some_and(|known| known.same_as(secret));
        if self.facts.flavor == Flavor::MySql && is_known {
            let shelf = self.context.pool.shelf(self.key(&request.user));
            while let Some(mut idle) = shelf.take_any() {
                match idle.change_user(credentials, Purpose::Primary, limit).await {
                    Ok(()) => return Ok(idle),
                    // The verdict; anything else is the idle connection's own trouble.
                    Err(error @ (BackendError::Refused { .. } | BackendError::Login { .. })) => {
                        return Err(error);
                    }
                    Err(error) => tracing::debug!(%error, "an idle connection was of no use"),
                }
            }
        }
        let place = self.context.pool.wait_for_place(self.primary).await;
        let place = place?;
        let target = self.context.target(self.topology, self.primary).ok_or(BackendError::Closed)?;
        let opened = Connection::open(&target, credentials, Purpose::Primary).await;
        let mut connection = opened.inspect_err(|error| {
            if !matches!(error, BackendError::Refused { .. }) {
                self.context.pool.limits().failed(self.primary);
            }
        })?;
        connection.hold(Box::new(place));
        Ok(connection)
    }

    fn key(&self, user: &[u8]) -> Key {
        Key {
            server: self.primary,
            purpose: Purpose::Primary,
            user: user.into(),
            capabilities: self.capabilities & Capabilities::MEANINGFUL,
        }
    }

    async fn welcome(
        &self,
        caller: &mut Caller,
        request: LoginRequest,
        secret: Secret,
        primary: Connection,
        fast: bool,
    ) -> Result<LoggedIn, LoginError> {
        let shared = &self.context.shared;
        let tracks = self.capabilities.contains(Capabilities::SESSION_TRACK);
        let form = ClientForm {
            deprecate_eof: self.capabilities.contains(Capabilities::DEPRECATE_EOF),
            wish: if tracks { Wish::Defaults } else { Wish::Nothing },
        };
        let held = shared.known.remember(&request.user, &secret);
        let held = held.map_err(|error| io::Error::other(error.to_string()))?;
        if fast {
            caller.send(&FAST_OK).await?;
        }
        let mut payload = Vec::new();
        let ok = OkPacket::parse(&primary.login_ok).and_then(|ok| ok.put_for_client(&mut payload, form.wish));
        ok.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        caller.send(&payload).await?;
        let attempt = Attempt { client: self.client.map(|client| client.ip()), user: &request.user };
        shared.throttle.lock().succeeded(attempt);
        shared.counters.logins.accepted.increment(1);
        let state = State::new(
            primary.schema.clone(),
            request.collation,
            &self.facts.collations,
            primary.status,
            self.facts.generation,
        );
        Ok(LoggedIn {
            secret: held,
            user: request.user.into(),
            collation: request.collation,
            capabilities: self.capabilities,
            form,
            primary,
            state,
        })
    }

    /// Passes a refusal on, slower the more often it happens.
    async fn turn_away(
        &self,
        caller: &mut Caller,
        request: &LoginRequest,
        secret: &Secret,
        error: BackendError,
    ) -> LoginError {
        let shared = &self.context.shared;
        shared.counters.errors.count(error.kind());
        let packet = error.to_client();
        if matches!(error, BackendError::Refused { .. }) && packet.code == ACCESS_DENIED {
            // What was good before is refused now. A stranger's guess is no reason to forget anything.
            if shared.known.get(&request.user).is_some_and(|known| known.same_as(secret)) {
                shared.known.forget(&request.user);
            }
            let attempt = Attempt { client: self.client.map(|client| client.ip()), user: &request.user };
            let delay = shared.throttle.lock().failed(attempt, clock::now());
            if !delay.is_zero() {
                clock::sleep(delay).await;
            }
        }
        caller.refuse(packet).await
    }

    /// How the accounts of a user name log in, read at the primary.
    async fn accounts(&self, user: &[u8]) -> Accounts {
        let shared = &self.context.shared;
        let Some(target) = self.context.target(self.topology, self.primary) else {
            return Accounts::Unavailable;
        };
        match shared.accounts.read(&target, user).await {
            Ok(rows) => Accounts::Rows(rows),
            Err(error) => {
                tracing::warn!(%error, "mysql.user cannot be read; GRANT SELECT ON mysql.user to the control account");
                Accounts::Unavailable
            }
        }
    }
}

/// ER_ACCESS_DENIED_ERROR.
const ACCESS_DENIED: u16 = 1045;

fn no_primary(why: &str) -> ErrPacket {
    // CR_CONN_HOST_ERROR.
    ErrPacket::own(2003, b"HY000", &format!("no connection to the primary: {why}"))
}

/// The primary's default method as far as Headgate speaks it.
fn advertised(facts: &Facts) -> Method {
    match (Method::from_name(&facts.plugin), facts.flavor) {
        (method @ (Method::CachingSha2 | Method::Native | Method::Sha256), _) => method,
        (_, Flavor::MySql) => Method::CachingSha2,
        (_, Flavor::MariaDb) => Method::Native,
    }
}

fn random() -> io::Result<[u8; NONCE_LEN]> {
    let mut bytes = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes)
}
