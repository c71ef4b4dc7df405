//! From the greeting to a proven connection to the primary.
//!
//! Headgate learns what the client can show, and the primary judges it: every login is a login there
//! (HAZARDS 17). Refusals are the primary's own words.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::barred::is_barred;
use super::caller::{Caller, LoginError, random, read_request};
use super::context::Context;
use super::door::{self, Entrance, Visit};
use super::lease::Lease;
use super::reach::Spot;
use super::roster::Newcomer;
use super::session::LoggedIn;
use super::settling::{outdated, reign, settled, time_to_settle};
use crate::auth::client_side::Failure;
use crate::auth::server_side::{Exchange, FAST_OK, Setup, Shown, Step};
use crate::auth::throttle::Attempt;
use crate::auth::{Accounts, Method, Nonce, Secret};
use crate::backend::{BackendError, Connection};
use crate::net::link::Link;
use crate::net::socket::Socket;
use crate::runtime::clock;
use crate::session::State;
use crate::topology::{Facts, Flavor, ServerId, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::compress::{Algorithm, NoSuchLevel};
use crate::wire::err::ErrPacket;
use crate::wire::greeting::Greeting;
use crate::wire::login_request::LoginRequest;
use crate::wire::ok::OkPacket;
use crate::wire::reply::ClientForm;
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

/// Logs a client in.
pub(super) async fn run(
    socket: Socket,
    context: &Arc<Context>,
    visit: &mut Visit,
) -> Result<(Link, LoggedIn), LoginError> {
    let shared = &context.shared;
    let until = clock::now() + time_to_settle(&context.shared);
    let topology = settled(context, until).await;
    let mut caller = Caller::new(socket);
    let (facts, primary) = match reign(&topology) {
        Ok(reign) => reign,
        Err(error) => return Err(caller.refuse(error).await),
    };
    let compression = shared.limits().compression & may_compress(facts.flavor);
    let offered = (Capabilities::OFFERED & facts.capabilities) | Capabilities::SSL | compression;
    let nonce = Nonce::from_random(random()?);
    let advertised = advertised(&facts);
    let id = shared.next_id();
    let greeting = Greeting {
        version: facts.version.clone(),
        thread_id: id,
        nonce: nonce.as_bytes().to_vec(),
        capabilities: offered,
        collation: facts.collation,
        status: StatusFlags::AUTOCOMMIT.0,
        plugin: advertised.name().as_bytes().to_vec(),
    };
    caller.send(&greeting.payload()).await?;
    let may_enter = visit.identify(&mut caller).await?;
    let (mut caller, request) = read_request(caller, shared).await?;
    if let Err(refusal) = may_enter {
        return Err(door::turn_away(&mut caller, shared, &refusal).await);
    }
    let capabilities = request.capabilities & offered;
    let algorithm = match Algorithm::chosen(capabilities, request.zstd_level) {
        Ok(algorithm) => algorithm,
        Err(NoSuchLevel { .. }) => return Err(caller.refuse(no_such_level()).await),
    };
    let (facts, topology, client, entrance) = (&facts, &topology, visit.client, visit.entrance);
    let barred = is_barred(&request.user, client, shared);
    let candidate = Candidate {
        id,
        context,
        topology,
        facts,
        primary,
        capabilities,
        client,
        nonce,
        barred,
        entrance,
        until,
    };
    let mut exchange = Exchange::new(candidate.setup(&caller, &request.user)?);
    let step = exchange.start(request.plugin.as_deref(), &request.auth_response);
    let logged_in = candidate.negotiate(&mut caller, request, exchange, step).await?;
    // The OK of the login was the last packet that is not compressed.
    if let Some(algorithm) = algorithm {
        caller.link.compress(algorithm);
    }
    Ok((caller.link, logged_in))
}

/// Who was logged in before a COM_CHANGE_USER.
pub(super) struct Former {
    pub(super) id: u32,
    pub(super) capabilities: Capabilities,
    pub(super) nonce: Nonce,
}

/// Logs a client in anew, on the link it has. Refused, it has to go, as on a server.
pub(super) async fn again(
    link: Link,
    request: LoginRequest,
    former: Former,
    context: &Arc<Context>,
    visit: &Visit,
) -> Result<(Link, LoggedIn), LoginError> {
    let until = clock::now() + time_to_settle(&context.shared);
    let topology = settled(context, until).await;
    let mut caller = Caller::resume(link);
    caller.elsewhere = visit.elsewhere;
    let (facts, primary) = match reign(&topology) {
        Ok(reign) => reign,
        Err(error) => return Err(caller.refuse(error).await),
    };
    let Former { id, capabilities, nonce } = former;
    let (facts, topology, client, entrance) = (&facts, &topology, visit.client, visit.entrance);
    let barred = is_barred(&request.user, client, &context.shared);
    let candidate = Candidate {
        id,
        context,
        topology,
        facts,
        primary,
        capabilities,
        client,
        nonce,
        barred,
        entrance,
        until,
    };
    let mut exchange = Exchange::new(candidate.setup(&caller, &request.user)?);
    let step = exchange.start_again(request.plugin.as_deref(), &request.auth_response);
    let mut logged_in = candidate.negotiate(&mut caller, request, exchange, step).await?;
    logged_in.state.goes_on(clock::now());
    Ok((caller.link, logged_in))
}

/// A client about to be judged.
pub(super) struct Candidate<'a> {
    id: u32,
    pub(super) context: &'a Arc<Context>,
    pub(super) topology: &'a Topology,
    pub(super) facts: &'a Facts,
    pub(super) primary: ServerId,
    pub(super) capabilities: Capabilities,
    pub(super) client: Option<SocketAddr>,
    /// The greeting's.
    nonce: Nonce,
    /// It is to be told what a wrong password is told, whatever it shows.
    pub(super) barred: bool,
    /// Where it has come in.
    pub(super) entrance: Entrance,
    /// So long it waits for a primary.
    until: Instant,
}

impl Candidate<'_> {
    fn setup(&self, caller: &Caller, user: &[u8]) -> Result<Setup, LoginError> {
        let shared = &self.context.shared;
        Ok(Setup {
            advertised: advertised(self.facts),
            nonce: self.nonce,
            switch_nonce: Nonce::from_random(random()?),
            secure: caller.is_secure(),
            rsa: Arc::clone(&shared.rsa),
            // Who is barred shall not learn from a short cut that the password was right.
            known: shared.known.get(user).filter(|_| !self.barred),
        })
    }

    async fn negotiate(
        &self,
        caller: &mut Caller,
        mut request: LoginRequest,
        mut exchange: Exchange,
        mut step: Step,
    ) -> Result<LoggedIn, LoginError> {
        zeroize::Zeroize::zeroize(&mut request.auth_response);
        let shared = &self.context.shared;
        let attempt = Attempt { client: self.client.map(|client| client.ip()), user: &request.user };
        let delay = shared.throttle.lock().before(attempt, clock::now());
        if !delay.is_zero() {
            clock::sleep(delay).await;
        }
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
                    let mut proven = self.try_to_prove(&request, &secret).await?;
                    let mut lost = self.lost(&proven);
                    let mut pause = PAUSE;
                    while lost && clock::now() < self.until {
                        clock::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        let topology = settled(self.context, self.until).await;
                        let Ok((facts, primary)) = reign(&topology) else { break };
                        let there = Candidate { topology: &topology, facts: &facts, primary, ..*self };
                        proven = there.try_to_prove(&request, &secret).await?;
                        lost = there.lost(&proven);
                        if let Ok(primary) = proven {
                            return there.welcome(caller, request, secret, primary, fast).await;
                        }
                    }
                    match proven {
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

    async fn welcome(
        &self,
        caller: &mut Caller,
        request: LoginRequest,
        secret: Secret,
        primary: Connection,
        fast: bool,
    ) -> Result<LoggedIn, LoginError> {
        let shared = &self.context.shared;
        let place = match door::place_of_user(shared, &request.user) {
            Ok(place) => place,
            Err(refusal) => {
                primary.leave();
                return Err(door::turn_away(caller, shared, &refusal).await);
            }
        };
        let tracks = self.capabilities.contains(Capabilities::SESSION_TRACK);
        let form = ClientForm {
            deprecate_eof: self.capabilities.contains(Capabilities::DEPRECATE_EOF),
            wish: if tracks { Wish::Defaults } else { Wish::Nothing },
        };
        let held = shared.known.remember(&request.user, &secret);
        let held = held.map_err(|error| io::Error::other(error.to_string()))?;
        // Before the client is told that it is in: its id may be used from then on.
        let presence = shared.roster.register(Newcomer {
            id: self.id,
            user: request.user.as_slice().into(),
            client: self.client,
            primary: Spot::of(&primary),
            pool: shared.pool_users().mode_of(&request.user, self.entrance.pool),
            secret: Arc::clone(&held),
        });
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
        let mut state = State::new(
            primary.schema.clone(),
            request.collation,
            &self.facts.collations,
            primary.status,
            self.facts.generation,
        );
        if primary.sandboxed {
            state.begin_expired();
        }
        if let Some(aged) = outdated(self.context, self.facts) {
            state.define(aged);
        }
        let own = shared.live.load().preferences.get(&*request.user).copied().unwrap_or_default();
        let preferences = own.or(self.entrance.reads);
        Ok(LoggedIn {
            id: self.id,
            secret: held,
            user: request.user.into(),
            collation: request.collation,
            capabilities: self.capabilities,
            form,
            first_names: state.names().cloned(),
            primary: Lease::of(primary),
            state,
            nonce: self.nonce,
            client: self.client,
            preferences,
            _place: place,
            presence,
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
        let Some(target) = self.context.target(self.topology, self.primary, None) else {
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

/// Before a primary that was lost while it judged a client is looked for again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// What clients of this family know. It is not the primary's own offer: its connections are not compressed.
const fn may_compress(flavor: Flavor) -> Capabilities {
    match flavor {
        Flavor::MySql => Capabilities(Capabilities::COMPRESS.0 | Capabilities::ZSTD.0),
        Flavor::MariaDb => Capabilities::COMPRESS,
    }
}

/// ER_WRONG_COMPRESSION_LEVEL_CLIENT, in the server's own words.
fn no_such_level() -> ErrPacket {
    let message = b"Invalid zstd compression level for algorithm 'zstd'.".to_vec();
    ErrPacket { code: 3923, state: *b"HY000", message }
}

/// The primary's default method as far as Headgate speaks it.
fn advertised(facts: &Facts) -> Method {
    match (Method::from_name(&facts.plugin), facts.flavor) {
        (method @ (Method::CachingSha2 | Method::Native | Method::Sha256), _) => method,
        (_, Flavor::MySql) => Method::CachingSha2,
        (_, Flavor::MariaDb) => Method::Native,
    }
}
