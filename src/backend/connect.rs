//! Opens connections: socket, TLS, login, trackers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connection::{Connection, Defaults, MAX_LOGIN_PACKET, WRITE_LIMIT, receive_packet, send_packet};
use super::error::BackendError;
use super::statements::Kept;
use crate::auth::Secret;
use crate::auth::client_side::Channel;
use crate::net::link::{Link, Stream};
use crate::net::socket::Socket;
use crate::net::tls::ClientTls;
use crate::runtime::clock;
use crate::session::{UserVariables, Variables};
use crate::topology::{Address, Flavor, ServerId};
use crate::wire::capabilities::Capabilities;
use crate::wire::err::{ERR, ErrPacket};
use crate::wire::greeting::Greeting;
use crate::wire::login_request::{Attribute, LoginRequest};
use crate::wire::proxy_protocol::{self, Announced};
use crate::wire::status::StatusFlags;

/// The trackers that both servers have.
macro_rules! trackers {
    () => {
        "SET SESSION session_track_system_variables='*', session_track_schema=1, \
         session_track_state_change=1, session_track_transaction_info='CHARACTERISTICS'"
    };
}
/// MySQL's own; MariaDB reports `last_gtid` as a variable.
macro_rules! mysql_gtids {
    () => {
        ", session_track_gtids=OWN_GTID"
    };
}

/// ER_MUST_CHANGE_PASSWORD, to everything but that (HAZARDS 18).
const MUST_CHANGE_PASSWORD: u16 = 1820;

/// What a connection is for. It decides what is set on it after the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Headgate's own questions.
    Control,
    /// A session's statements on the primary.
    Primary,
    /// Plain reads on a replica: the server refuses writes here whatever the statement hides.
    Replica,
}

/// Where to connect, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server.
    pub server: ServerId,
    /// Its address.
    pub address: Address,
    /// It may be reached at these addresses only, where that is said.
    pub only: Option<Arc<[IpAddr]>>,
    /// TLS towards it.
    pub tls: Arc<ArcSwap<ClientTls>>,
    /// For the socket, and again for handshake and login together.
    pub timeout: Duration,
    /// Whom the connection is for, where the server takes a PROXY header.
    pub announced: Option<Announced>,
}

/// Who logs in.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The account's name.
    pub user: &'a [u8],
    /// What proves it.
    pub secret: &'a Secret,
    /// The schema asked for.
    pub schema: Option<&'a [u8]>,
    /// Collation id of the handshake.
    pub collation: u16,
    /// Flags that change meaning, as the client chose them.
    pub capabilities: Capabilities,
    /// Connection attributes.
    pub attributes: &'a [Attribute],
}

impl Connection {
    /// Opens a connection and makes it ready for its purpose.
    ///
    /// # Errors
    /// [`BackendError::Refused`] carries the server's own words.
    pub async fn open(
        target: &Target,
        credentials: Credentials<'_>,
        purpose: Purpose,
    ) -> Result<Self, BackendError> {
        let socket = Socket::connect(&target.address, target.only.as_deref(), target.timeout).await?;
        let logged_in =
            clock::within(target.timeout, Self::log_in(target, socket, credentials, purpose)).await?;
        let mut connection = logged_in.map_err(|error| match target.announced {
            Some(_) if is_no_verdict(&error) => BackendError::Header { source: Box::new(error) },
            _ => error,
        })?;
        if purpose != Purpose::Control {
            connection.greeting = None;
        }
        connection.prepare(purpose, target.timeout).await?;
        Ok(connection)
    }

    async fn log_in(
        target: &Target,
        socket: Socket,
        credentials: Credentials<'_>,
        purpose: Purpose,
    ) -> Result<Self, BackendError> {
        let mut link = Link::new(Stream::Plain(socket));
        if let Some(announced) = target.announced {
            link.send(&proxy_protocol::header(announced), WRITE_LIMIT).await?;
        }
        let (header, payload) = receive_packet(&mut link).await?;
        if payload.first() == Some(&ERR) {
            return Err(BackendError::Refused { error: ErrPacket::parse(&payload)? });
        }
        let greeting = Greeting::parse(&payload)?;
        let mut seq = header.seq.wrapping_add(1);
        let chosen = credentials.capabilities & Capabilities::MEANINGFUL;
        let mut request = LoginRequest {
            capabilities: (Capabilities::BACKEND | chosen) & greeting.capabilities,
            max_packet: u32::try_from(MAX_LOGIN_PACKET * 1024).unwrap_or(u32::MAX),
            collation: credentials.collation,
            user: credentials.user.to_vec(),
            auth_response: Vec::new(),
            schema: credentials.schema.map(<[u8]>::to_vec),
            // Named below; the flag must already stand in the SSLRequest.
            plugin: Some(Vec::new()),
            attributes: credentials.attributes.to_vec(),
            zstd_level: 0,
        };
        let needed = Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF;
        if !request.capabilities.contains(needed) {
            return Err(BackendError::TooOld);
        }
        let (link, channel) = upgrade(target, link, &greeting, &request, &mut seq).await?;
        let (plugin, nonce) = (greeting.plugin.clone(), greeting.nonce.clone());
        let mut connection = Self {
            link,
            status: StatusFlags(greeting.status),
            flavor: Flavor::of_greeting(&greeting.version),
            thread_id: greeting.thread_id,
            schema: credentials.schema.map(Into::into),
            names: None,
            variables: Variables::DEFAULT,
            local: Variables::DEFAULT,
            user: UserVariables::NONE,
            insert_id: 0,
            login_ok: Vec::new(),
            uses: 0,
            spent: false,
            sandboxed: false,
            warned: false,
            closes_after: None,
            long_idle: false,
            kept: Kept::default(),
            defaults: Defaults::default(),
            in_reply: false,
            proven: clock::now(),
            greeting: Some(Box::new(greeting)),
            server: target.server,
            purpose,
            channel,
            capabilities: request.capabilities,
            nonce,
            plugin,
            credential: None,
            place: None,
        };
        let (exchange, first) = connection.start_exchange(credentials.secret)?;
        request.plugin = Some(first.plugin);
        request.auth_response = first.response.to_vec();
        let payload = zeroize::Zeroizing::new(request.payload());
        zeroize::Zeroize::zeroize(&mut request.auth_response);
        send_packet(&mut connection.link, &mut seq, &payload).await?;
        connection.finish_exchange(exchange).await?;
        Ok(connection)
    }

    /// Switches all trackers on, and writes off on replicas. Again after every reset, which undoes it.
    pub async fn prepare(&mut self, purpose: Purpose, limit: Duration) -> Result<(), BackendError> {
        let sql = match (self.flavor, purpose) {
            (_, Purpose::Control) => return Ok(()),
            (Flavor::MySql, Purpose::Primary) => concat!(trackers!(), mysql_gtids!()),
            (Flavor::MySql, Purpose::Replica) => {
                concat!(trackers!(), mysql_gtids!(), ", transaction_read_only=1")
            }
            (Flavor::MariaDb, Purpose::Primary) => trackers!(),
            (Flavor::MariaDb, Purpose::Replica) => concat!(trackers!(), ", tx_read_only=1"),
        };
        match self.query(sql, limit).await {
            Err(BackendError::Refused { error })
                if error.code == MUST_CHANGE_PASSWORD && purpose == Purpose::Primary =>
            {
                self.sandboxed = true;
            }
            answer => _ = answer?,
        }
        Ok(())
    }
}

/// Whether a login came to nothing without the server having judged it: as where a PROXY header is taken for
/// a broken packet.
fn is_no_verdict(error: &BackendError) -> bool {
    match error {
        // ER_HANDSHAKE_ERROR, ER_NET_PACKETS_OUT_OF_ORDER.
        BackendError::Refused { error } => matches!(error.code, 1043 | 1156),
        BackendError::Io { .. }
        | BackendError::Closed
        | BackendError::Protocol { .. }
        | BackendError::Tls { .. } => true,
        _ => false,
    }
}

/// Goes over to TLS where the settings and the server want it. Says who can listen from then on.
async fn upgrade(
    target: &Target,
    mut link: Link,
    greeting: &Greeting,
    request: &LoginRequest,
    seq: &mut u8,
) -> Result<(Link, Channel), BackendError> {
    if link.is_secure() {
        return Ok((link, Channel::Local));
    }
    // One snapshot: a reload in between must not call a channel verified that is not.
    let tls = target.tls.load_full();
    if !tls.wants(greeting.capabilities.contains(Capabilities::SSL))? {
        return Ok((link, Channel::Plain));
    }
    send_packet(&mut link, seq, &request.tls_request_payload()).await?;
    let host = match &target.address {
        Address::Tcp { host, .. } => host.as_str(),
        Address::Unix(_) => "localhost",
    };
    let stream = tls.connect(link.into_plain()?, host).await?;
    let channel = if tls.verifies() { Channel::Verified } else { Channel::Encrypted };
    Ok((Link::new(Stream::Tls(Box::new(stream.into()))), channel))
}
