//! Login towards clients: learns what the client can prove, and leaves the proof to the primary.
//!
//! ```text
//! start ──┬─ empty password, known secret, right native answer ───────────────┐
//!         ├─ 01 04 / key request ─► on_packet (password) ─────────────────────┤
//!         ├─ Lookup ─► on_accounts ─┬─ verified, or certainly wrong ──────────┼─► Prove
//!         │                         └─ AuthSwitchRequest ─► on_packet ────────┘     │
//!         └─ AuthSwitchRequest ─► on_packet (answer) ─► as from start               │
//!                      ▲                                                            │
//!                      └────────────── on_password_needed ◄─────────────────────────┘
//! ```
//!
//! At most one AuthSwitchRequest is sent: client libraries do not understand a second one. That is
//! why a method is chosen only after the accounts were looked up, where they matter.

use std::sync::Arc;

use super::accounts::{Accounts, StoredAccount};
use super::method::Method;
use super::nonce::Nonce;
use super::rsa::KeyPair;
use super::scramble::{self, SHA1_LEN, SHA256_LEN};
use super::secret::Secret;
use crate::wire::auth_switch::{AuthSwitch, MORE_DATA};
use crate::wire::err::ErrPacket;

/// What an exchange needs to know beforehand.
#[derive(Debug)]
pub struct Setup {
    /// The method named in the greeting.
    pub advertised: Method,
    /// The nonce of the greeting.
    pub nonce: Nonce,
    /// Another nonce, for the case that the method is switched.
    pub switch_nonce: Nonce,
    /// Whether nobody can listen: TLS or a unix socket.
    pub secure: bool,
    /// The key for passwords on connections that are not secure.
    pub rsa: Arc<KeyPair>,
    /// A secret that some present session of the same user name was proven with. It spares the full
    /// exchange when the client knows it too; it is never taken as proof.
    pub known: Option<Secret>,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this payload and give the answer to [`Exchange::on_packet`].
    Send(Vec<u8>),
    /// Read the accounts of the user name at the primary and call [`Exchange::on_accounts`].
    Lookup,
    /// Let the primary judge, then send its verdict.
    Prove {
        /// What the client showed.
        shown: Shown,
        /// Send [`FAST_OK`] before the final OK (not before an ERR).
        fast: bool,
    },
    /// Send this error and close.
    Refuse(ErrPacket),
}

/// What a client showed.
#[derive(Debug)]
pub enum Shown {
    /// Log in at the primary with this. If the primary asks for a method that needs the password
    /// itself ([`Failure::NeedsPassword`](super::client_side::Failure::NeedsPassword)), call
    /// [`Exchange::on_password_needed`].
    Secret(Secret),
    /// Certainly wrong. Fail at the primary with [`Secret::wrong`], so that it counts and words the
    /// refusal and so that it takes as long as any other.
    Wrong,
}

/// Payload that tells a caching_sha2_password client that its fast answer was right.
pub const FAST_OK: [u8; 2] = [MORE_DATA, 3];

/// One login of one client.
#[derive(Debug)]
pub struct Exchange {
    setup: Setup,
    state: State,
    /// Whether an AuthSwitchRequest may still be sent.
    may_switch: bool,
    accounts: Option<Accounts>,
}

#[derive(Debug)]
enum State {
    /// Nothing heard, or nothing more expected.
    Idle,
    /// The accounts are being read.
    LookingUp(Pending),
    /// The method was switched; its first answer comes next.
    Switched(Method),
    /// The password itself comes next, or a request for the key.
    AwaitingPassword { key_request: u8, key_sent: bool },
}

/// What the accounts are wanted for.
#[derive(Debug)]
enum Pending {
    VerifyNative([u8; SHA1_LEN]),
    ChooseMethod,
}

impl Exchange {
    /// An exchange about to start.
    #[must_use]
    pub const fn new(setup: Setup) -> Self {
        Self { setup, state: State::Idle, may_switch: false, accounts: None }
    }

    /// Takes the login request's method and answer. `plugin` is `None` for
    /// clients without PLUGIN_AUTH: they speak mysql_native_password and cannot be switched.
    pub fn start(&mut self, plugin: Option<&[u8]>, answer: &[u8]) -> Step {
        self.may_switch = plugin.is_some();
        let method = plugin.map_or(Method::Native, Method::from_name);
        // A client library whose method is not the advertised one answers nothing and waits to be
        // switched, so nothing means an empty password only where the methods agree.
        if answer.is_empty() && self.may_switch && method != self.setup.advertised {
            return self.choose_method(method);
        }
        self.first_answer(method, answer)
    }

    /// Takes COM_CHANGE_USER's method. Clients differ in the nonce that their answer is made with (the
    /// greeting's, or the one they saw last), so those that can be are asked anew, as servers do.
    pub fn start_again(&mut self, plugin: Option<&[u8]>, answer: &[u8]) -> Step {
        let Some(plugin) = plugin else { return self.start(None, answer) };
        self.may_switch = true;
        self.choose_method(Method::from_name(plugin))
    }

    /// Takes the client's next packet.
    pub fn on_packet(&mut self, payload: &[u8]) -> Step {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Switched(method) => self.first_answer(method, payload),
            State::AwaitingPassword { key_request, key_sent } => {
                self.password(payload, key_request, key_sent)
            }
            State::Idle | State::LookingUp(_) => bad_handshake("a packet came before it was its turn"),
        }
    }

    /// Takes the answer to [`Step::Lookup`].
    pub fn on_accounts(&mut self, accounts: Accounts) -> Step {
        let pending = std::mem::replace(&mut self.state, State::Idle);
        let accounts = self.accounts.insert(accounts);
        match pending {
            State::LookingUp(Pending::VerifyNative(answer)) => self.verify_native(&answer),
            State::LookingUp(Pending::ChooseMethod) => {
                let method = if only_native(accounts, &self.setup.advertised) {
                    Method::Native
                } else {
                    Method::CachingSha2
                };
                self.switch_to(method)
            }
            State::Idle | State::Switched(_) | State::AwaitingPassword { .. } => {
                bad_handshake("accounts were given without being asked for")
            }
        }
    }

    /// The primary wants the password itself, which this client has not shown yet: its account is
    /// another than the one whose hash was verified.
    pub fn on_password_needed(&mut self) -> Step {
        self.switch_to(Method::CachingSha2)
    }

    /// Takes the first answer made with a method.
    fn first_answer(&mut self, method: Method, answer: &[u8]) -> Step {
        match method {
            Method::CachingSha2 if matches!(answer, [] | [0]) => prove(Secret::Empty),
            Method::Sha256 if matches!(answer, [] | [0]) => prove(Secret::Empty),
            Method::Native if answer.is_empty() => prove(Secret::Empty),
            Method::CachingSha2 => self.caching_sha2(answer),
            Method::Native => self.native(answer),
            Method::Sha256 => self.password(answer, SHA256_KEY_REQUEST, false),
            Method::Clear => self.clear(answer),
            Method::Unsupported(_) => self.choose_method(method),
        }
    }

    fn caching_sha2(&mut self, answer: &[u8]) -> Step {
        let Ok(answer) = <&[u8; SHA256_LEN]>::try_from(answer) else {
            return bad_handshake("an answer of caching_sha2_password has 32 bytes");
        };
        if let Some(known) = &self.setup.known
            && known.matches_caching_sha2(answer, &self.setup.nonce)
        {
            return Step::Prove { shown: Shown::Secret(known.duplicate()), fast: true };
        }
        self.state = State::AwaitingPassword { key_request: CACHING_SHA2_KEY_REQUEST, key_sent: false };
        Step::Send(vec![MORE_DATA, FULL_AUTHENTICATION])
    }

    fn native(&mut self, answer: &[u8]) -> Step {
        let Ok(answer) = <[u8; SHA1_LEN]>::try_from(answer) else {
            return bad_handshake("an answer of mysql_native_password has 20 bytes");
        };
        if let Some(known) = &self.setup.known
            && known.matches_native(&answer, &self.setup.nonce)
        {
            return prove(known.duplicate());
        }
        if self.accounts.is_some() {
            return self.verify_native(&answer);
        }
        self.state = State::LookingUp(Pending::VerifyNative(answer));
        Step::Lookup
    }

    fn verify_native(&mut self, answer: &[u8; SHA1_LEN]) -> Step {
        let Some(accounts) = &self.accounts else {
            return bad_handshake("accounts are missing");
        };
        if let Accounts::Rows(rows) = accounts {
            let recovered = rows
                .iter()
                .filter_map(|row| row.native_verifier)
                .find_map(|stored| scramble::recover_native_hash(answer, &stored, &self.setup.nonce));
            if let Some(hash) = recovered {
                return prove(Secret::NativeHash(hash));
            }
        }
        if only_native(accounts, &self.setup.advertised) {
            return Step::Prove { shown: Shown::Wrong, fast: false };
        }
        self.switch_to(Method::CachingSha2)
    }

    fn clear(&mut self, answer: &[u8]) -> Step {
        if self.setup.secure {
            take_password(answer.strip_suffix(&[0]).unwrap_or(answer))
        } else {
            insecure(&Method::Clear)
        }
    }

    /// Takes the password, as text where nobody listens, else in its envelope; or a request for the
    /// key that the envelope is made with.
    fn password(&mut self, payload: &[u8], key_request: u8, key_sent: bool) -> Step {
        if !key_sent && payload == [key_request] {
            self.state = State::AwaitingPassword { key_request, key_sent: true };
            return Step::Send([&[MORE_DATA], self.setup.rsa.public_pem().as_bytes()].concat());
        }
        if self.setup.secure
            && !key_sent
            && let Some(password) = payload.strip_suffix(&[0])
        {
            return take_password(password);
        }
        if payload.len() != self.setup.rsa.ciphertext_len() {
            return bad_handshake("neither an encrypted password nor a request for the key");
        }
        let Some(mut plain) = self.setup.rsa.decrypt(payload) else { return other_key() };
        self.setup.nonce.veil(&mut plain);
        match plain.strip_suffix(&[0]) {
            Some(password) => take_password(password),
            None => other_key(),
        }
    }

    /// Chooses a method for a client that has answered nothing useful with its own.
    fn choose_method(&mut self, own: Method) -> Step {
        let advertised = self.setup.advertised.clone();
        let target = match own {
            Method::CachingSha2 | Method::Sha256 => own,
            Method::Clear if self.setup.secure => own,
            Method::Native => Method::Native,
            Method::Clear | Method::Unsupported(_) if advertised == Method::Native => Method::Native,
            Method::Clear | Method::Unsupported(_) => Method::CachingSha2,
        };
        if target == Method::Native {
            // A native answer is of use only against a native account.
            self.state = State::LookingUp(Pending::ChooseMethod);
            return Step::Lookup;
        }
        self.switch_to(target)
    }

    fn switch_to(&mut self, method: Method) -> Step {
        if !std::mem::take(&mut self.may_switch) {
            return Step::Refuse(ErrPacket::own(
                UNSUPPORTED_METHOD,
                b"08004",
                "this account's password method needs the password itself, and the client has not \
                 offered a way to send it; use a client that speaks caching_sha2_password",
            ));
        }
        self.setup.nonce = self.setup.switch_nonce;
        let data = self.setup.nonce;
        let request = AuthSwitch { plugin: method.name().as_bytes(), data: data.as_bytes() };
        let payload = request.payload();
        self.state = State::Switched(method);
        Step::Send(payload)
    }
}

/// Whether no account of the user can want more than a native answer, so that a wrong native answer
/// is final. A name without accounts counts as having one with the server's default method.
fn only_native(accounts: &Accounts, advertised: &Method) -> bool {
    match accounts {
        Accounts::Unavailable => false,
        Accounts::Rows(rows) if rows.is_empty() => *advertised == Method::Native,
        Accounts::Rows(rows) => rows.iter().all(|StoredAccount { method, .. }| *method == Method::Native),
    }
}

fn take_password(password: &[u8]) -> Step {
    match Secret::from_password(password) {
        Some(secret) => prove(secret),
        None => bad_handshake("the password is longer than 512 bytes"),
    }
}

fn prove(secret: Secret) -> Step {
    Step::Prove { shown: Shown::Secret(secret), fast: false }
}

fn bad_handshake(what: &str) -> Step {
    Step::Refuse(ErrPacket::own(BAD_HANDSHAKE, b"08S01", &format!("bad handshake: {what}")))
}

fn other_key() -> Step {
    Step::Refuse(ErrPacket::own(
        ACCESS_DENIED,
        b"28000",
        "the password cannot be decrypted: it was encrypted with another key than the one offered; \
         do not give the client a server key file, or connect with TLS",
    ))
}

fn insecure(method: &Method) -> Step {
    Step::Refuse(ErrPacket::own(
        UNSUPPORTED_METHOD,
        b"08004",
        &format!("{method} is accepted over TLS or a unix socket only; connect with TLS"),
    ))
}

/// ER_HANDSHAKE_ERROR.
const BAD_HANDSHAKE: u16 = 1043;
/// ER_ACCESS_DENIED_ERROR.
const ACCESS_DENIED: u16 = 1045;
/// ER_NOT_SUPPORTED_AUTH_MODE.
const UNSUPPORTED_METHOD: u16 = 1251;
/// Second byte of the AuthMoreData that asks for the password itself.
const FULL_AUTHENTICATION: u8 = 4;
/// A caching_sha2_password client's request for the public key.
const CACHING_SHA2_KEY_REQUEST: u8 = 2;
/// A sha256_password client's request for the public key.
const SHA256_KEY_REQUEST: u8 = 1;
