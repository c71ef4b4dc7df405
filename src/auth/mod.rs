//! Login methods, both sides, without IO. Pure.
//!
//! Bytes in, steps out: the caller moves packets, draws nonces and reads accounts. Comparisons take
//! constant time; passwords are wiped on drop. No local verdict counts: what a client shows is always
//! proven at the primary (see DESIGN, pass-through login).
//!
//! # Towards a client
//!
//! ```text
//! let mut exchange = server_side::Exchange::new(server_side::Setup { advertised, nonce, switch_nonce, secure, rsa, known });
//! let mut step = exchange.start(request.plugin.as_deref(), &request.auth_response);
//! loop {
//!     step = match step {
//!         Step::Send(payload)            => exchange.on_packet(&ask(payload)),
//!         Step::Lookup                   => exchange.on_accounts(read mysql.user at the primary, or Accounts::Unavailable),
//!         Step::Prove { shown, fast }    => log in at the primary with shown (Shown::Wrong: Secret::wrong(random));
//!                                           Accepted: if fast send FAST_OK; send OK
//!                                           Refused(err): send err
//!                                           Failed(NeedsPassword): exchange.on_password_needed()
//!                                           Failed(other): send other.to_client()
//!         Step::Refuse(err)              => send err, close
//!     }
//! }
//! ```
//!
//! # Towards a server
//!
//! ```text
//! let (mut exchange, first) = client_side::Exchange::start(client_side::Setup { secret, channel, may_ask_key, may_send_clear },
//!                                                          &greeting.plugin, &greeting.nonce)?;
//! // first.plugin and first.response go into the login request
//! match exchange.on_packet(&payload) { Send(payload) | Wait | Accepted | Refused(err) | Failed(failure) }
//! ```
//!
//! # The rest
//!
//! - [`Method`]: names; [`Nonce`]: `Nonce::from_random(20 random bytes)`;
//! - [`Secret`]: what logs in; `encode` and `decode` move it into and out of locked memory;
//! - [`accounts`]: rows of `mysql.user`; [`rsa`]: Headgate's key pair;
//! - [`throttle`]: slows repeated failures.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod accounts;
pub mod client_side;
pub mod rsa;
pub mod server_side;
pub mod throttle;

mod method;
mod nonce;
mod scramble;
mod secret;

pub use accounts::{Accounts, StoredAccount};
pub use method::Method;
pub use nonce::{NONCE_LEN, Nonce};
pub use secret::{MAX_ENCODED_SECRET, MAX_PASSWORD, Secret};
pub use throttle::Throttle;

#[cfg(test)]
mod tests;
