//! Login towards servers: proves a secret by whatever method the server asks for.
//!
//! The secret leaves as text only where [`Channel`] allows it, and a password is never sent, not even
//! encrypted, with a key that the caller has not allowed to be asked for.

use thiserror::Error;
use zeroize::Zeroizing;

use super::method::Method;
use super::nonce::Nonce;
use super::rsa::PublicKey;
use super::scramble;
use super::secret::Secret;
use crate::wire::auth_switch::{AuthSwitch, MORE_DATA};
use crate::wire::err::{ERR, ErrPacket};
use crate::wire::ok::EOF;

/// Who else can see what is sent to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Everyone on the way.
    Plain,
    /// Nobody: a unix socket.
    Local,
    /// Only the peer, whoever it is: TLS without verification.
    Encrypted,
    /// Only the server that was meant: TLS with the certificate verified.
    Verified,
}

/// What an exchange needs to know beforehand.
#[derive(Debug)]
pub struct Setup {
    /// What to log in with.
    pub secret: Secret,
    /// Who can listen.
    pub channel: Channel,
    /// Whether the server may be asked for its RSA key on a [`Channel::Plain`] connection. Someone in
    /// the middle could answer with a key of his own.
    pub may_ask_key: bool,
    /// Whether mysql_clear_password is allowed, over [`Channel::Verified`] and [`Channel::Local`]
    /// only.
    pub may_send_clear: bool,
}

/// What goes into the login request.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    /// The method that the answer was made with.
    pub plugin: Vec<u8>,
    /// The answer.
    pub response: Zeroizing<Vec<u8>>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this payload, then read the next packet.
    Send(Zeroizing<Vec<u8>>),
    /// Read the next packet.
    Wait,
    /// Logged in; the packet was the server's OK.
    Accepted,
    /// The server refuses, in its own words.
    Refused(ErrPacket),
    /// The login cannot go on.
    Failed(Failure),
}

/// Why a login cannot go on although the server has not refused it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server wants a method that cannot be passed through.
    #[error("the server asks for the login method {method}, which cannot be passed through a proxy")]
    UnsupportedMethod {
        /// Its name.
        method: Method,
    },
    /// The server wants the password, and only a hash of it is there.
    #[error("the server asks for {method}, which needs the password itself")]
    NeedsPassword {
        /// The method.
        method: Method,
    },
    /// The password would be readable on the way.
    #[error("{method} would send the password where others can read it; use TLS towards the servers")]
    Insecure {
        /// The method.
        method: Method,
    },
    /// The server's key may not be asked for.
    #[error("{method} needs TLS towards the server, or leave to ask it for its RSA key")]
    KeyNotAllowed {
        /// The method.
        method: Method,
    },
    /// The server sent something else than an RSA key.
    #[error("the server sent no usable RSA key")]
    BadKey,
    /// The password does not fit into the RSA envelope.
    #[error("the password is too long to be sent encrypted with the server's RSA key; use TLS")]
    PasswordTooLong,
    /// The server asks for a second factor.
    #[error("the account needs more than one factor, which cannot be passed through a proxy")]
    MultiFactor,
    /// The server wants the login of MySQL before 4.1.
    #[error("the server asks for the password format of MySQL before 4.1")]
    OldProtocol,
    /// The server keeps switching methods.
    #[error("the server changed the login method more than once")]
    TooManySwitches,
    /// The server sent what makes no sense here.
    #[error("the server's login packet is malformed or out of turn: {what}")]
    Unexpected {
        /// Which packet.
        what: &'static str,
    },
}

impl Failure {
    /// The error for the client whose login this was.
    #[must_use]
    pub fn to_client(&self) -> ErrPacket {
        let text = match self {
            Self::UnsupportedMethod { .. } | Self::MultiFactor | Self::OldProtocol => {
                format!("{self}; give the account a password method such as caching_sha2_password")
            }
            _ => self.to_string(),
        };
        ErrPacket::own(NOT_SUPPORTED_AUTH_MODE, b"08004", &text)
    }
}

/// One login at one server.
#[derive(Debug)]
pub struct Exchange {
    setup: Setup,
    method: Method,
    nonce: Nonce,
    awaiting_key: bool,
    switched: bool,
}

impl Exchange {
    /// Begins with the method and nonce of the server's greeting (or, for COM_CHANGE_USER, those of
    /// the connection). `plugin` is empty for servers that name none.
    pub fn start(setup: Setup, plugin: &[u8], nonce: &[u8]) -> Result<(Self, FirstAnswer), Failure> {
        let nonce = Nonce::received(nonce).ok_or(Failure::Unexpected { what: "nonce of the greeting" })?;
        let method = opening_method(Method::from_name(plugin), &setup.secret);
        Self::open_with(setup, method, nonce)
    }

    pub(super) fn open_with(
        setup: Setup,
        method: Method,
        nonce: Nonce,
    ) -> Result<(Self, FirstAnswer), Failure> {
        let mut exchange = Self { setup, method, nonce, awaiting_key: false, switched: false };
        let response = exchange.answer()?;
        let plugin = exchange.method.name().as_bytes().to_vec();
        Ok((exchange, FirstAnswer { plugin, response }))
    }

    /// Takes the server's next packet.
    pub fn on_packet(&mut self, payload: &[u8]) -> Step {
        let step = match payload.first() {
            Some(0) => Ok(Step::Accepted),
            Some(&ERR) => ErrPacket::parse(payload)
                .map(Step::Refused)
                .map_err(|_| Failure::Unexpected { what: "ERR packet" }),
            Some(&EOF) => self.switch(payload),
            Some(&MORE_DATA) => self.more_data(payload.get(1..).unwrap_or_default()),
            Some(&NEXT_FACTOR) => Err(Failure::MultiFactor),
            _ => Err(Failure::Unexpected { what: "first byte" }),
        };
        step.unwrap_or_else(Step::Failed)
    }

    fn switch(&mut self, payload: &[u8]) -> Result<Step, Failure> {
        if payload.len() == 1 {
            return Err(Failure::OldProtocol);
        }
        if std::mem::replace(&mut self.switched, true) {
            return Err(Failure::TooManySwitches);
        }
        let unexpected = Failure::Unexpected { what: "AuthSwitchRequest" };
        let request = AuthSwitch::parse(payload).map_err(|_| unexpected.clone())?;
        self.method = Method::from_name(request.plugin);
        self.awaiting_key = false;
        if self.method != Method::Clear && !matches!(self.method, Method::Unsupported(_)) {
            self.nonce = Nonce::received(request.data).ok_or(unexpected)?;
        }
        self.answer().map(Step::Send)
    }

    fn more_data(&mut self, data: &[u8]) -> Result<Step, Failure> {
        if std::mem::take(&mut self.awaiting_key) {
            return self.envelope(data).map(Step::Send);
        }
        match (&self.method, data) {
            (Method::CachingSha2, [FAST_OK]) => Ok(Step::Wait),
            (Method::CachingSha2, [FULL_AUTHENTICATION]) => {
                self.password(CACHING_SHA2_KEY_REQUEST).map(Step::Send)
            }
            _ => Err(Failure::Unexpected { what: "AuthMoreData" }),
        }
    }

    /// The first answer of the present method.
    fn answer(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let answer = match (&self.method, &self.setup.secret) {
            (Method::Unsupported(_), _) => {
                return Err(Failure::UnsupportedMethod { method: self.method.clone() });
            }
            (Method::Native, secret) => secret.native_answer(&self.nonce),
            (Method::CachingSha2 | Method::Sha256, Secret::Empty) => Vec::new(),
            (Method::CachingSha2, Secret::Clear(password)) => {
                scramble::caching_sha2_answer(password, &self.nonce).to_vec()
            }
            (Method::Sha256, Secret::Clear(_)) => return self.password(SHA256_KEY_REQUEST),
            (Method::Clear, Secret::Empty | Secret::Clear(_)) => return self.clear(),
            (Method::CachingSha2 | Method::Sha256 | Method::Clear, Secret::NativeHash(_)) => {
                return Err(Failure::NeedsPassword { method: self.method.clone() });
            }
        };
        Ok(Zeroizing::new(answer))
    }

    /// The password itself, or the request for the key it is encrypted with.
    fn password(&mut self, key_request: u8) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let as_text = match self.setup.channel {
            Channel::Encrypted | Channel::Verified => true,
            // sha256_password does not trust unix sockets, neither on the server nor on the client.
            Channel::Local => self.method == Method::CachingSha2,
            Channel::Plain => false,
        };
        if as_text {
            return self.with_nul();
        }
        if self.setup.channel == Channel::Plain && !self.setup.may_ask_key {
            return Err(Failure::KeyNotAllowed { method: self.method.clone() });
        }
        self.awaiting_key = true;
        Ok(Zeroizing::new(vec![key_request]))
    }

    fn clear(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self.setup.channel {
            Channel::Verified | Channel::Local if self.setup.may_send_clear => self.with_nul(),
            Channel::Verified | Channel::Local => {
                Err(Failure::UnsupportedMethod { method: self.method.clone() })
            }
            Channel::Plain | Channel::Encrypted => Err(Failure::Insecure { method: self.method.clone() }),
        }
    }

    /// The password veiled with the nonce, in the server's RSA envelope.
    fn envelope(&self, pem: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let pem = pem.strip_suffix(&[0]).unwrap_or(pem);
        let key = PublicKey::from_pem(pem).map_err(|_| Failure::BadKey)?;
        let mut password = self.with_nul()?;
        self.nonce.veil(&mut password);
        key.encrypt(&password).map(Zeroizing::new).ok_or(Failure::PasswordTooLong)
    }

    fn with_nul(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let password: &[u8] = match &self.setup.secret {
            Secret::Empty => &[],
            Secret::Clear(password) => password,
            Secret::NativeHash(_) => {
                return Err(Failure::NeedsPassword { method: self.method.clone() });
            }
        };
        let mut out = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        out.extend_from_slice(password);
        out.push(0);
        Ok(out)
    }
}

/// The method to open with. Always a scramble, so that a server that merely defaults to another method
/// is not shown the password; the server switches to the account's own.
fn opening_method(advertised: Method, secret: &Secret) -> Method {
    match (advertised, secret) {
        (_, Secret::NativeHash(_)) | (Method::Native, _) => Method::Native,
        (Method::CachingSha2 | Method::Sha256 | Method::Clear | Method::Unsupported(_), _) => {
            Method::CachingSha2
        }
    }
}

/// ER_NOT_SUPPORTED_AUTH_MODE.
const NOT_SUPPORTED_AUTH_MODE: u16 = 1251;
/// First byte of AuthNextFactor.
const NEXT_FACTOR: u8 = 0x02;
/// AuthMoreData of caching_sha2_password: the fast answer was right.
const FAST_OK: u8 = 3;
/// AuthMoreData of caching_sha2_password: the password itself is wanted.
const FULL_AUTHENTICATION: u8 = 4;
/// Request for the server's key, caching_sha2_password.
const CACHING_SHA2_KEY_REQUEST: u8 = 2;
/// Request for the server's key, sha256_password.
const SHA256_KEY_REQUEST: u8 = 1;
