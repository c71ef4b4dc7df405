//! Users that may not come from where they are.
//!
//! They are told what a wrong password is told, in the primary's words and after its time, whatever they show.
//! The primary is asked about a name that nobody has: guesses from there shall lock no account.

use std::io;
use std::net::SocketAddr;

use super::caller::random;
use super::context::Shared;
use crate::admission::Refusal;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection};
use crate::wire::login_request::LoginRequest;

/// Whether a user may not come from where it is. The client learns nothing of it, so the log has to tell.
pub(super) fn is_barred(user: &[u8], client: Option<SocketAddr>, shared: &Shared) -> bool {
    let may_come = shared.rules().user_may_come_from(user, client.map(|client| client.ip()));
    if !may_come {
        shared.counters.refusals.count(Refusal::User.index());
        let user = String::from_utf8_lossy(user);
        tracing::info!(?client, ?user, why = %Refusal::User, "answered as a wrong password");
    }
    !may_come
}

/// Who logs in instead of somebody who is barred, in vain.
pub(super) struct Nobody {
    pub(super) request: LoginRequest,
    pub(super) secret: Secret,
}

impl Nobody {
    /// A name and a password that were never anybody's.
    pub(super) fn instead_of(request: &LoginRequest, shown: &Secret) -> io::Result<Self> {
        let secret = match shown {
            // The refusal says whether there was a password.
            Secret::Empty => Secret::Empty,
            _ => Secret::Clear(zeroize::Zeroizing::new(word()?.into_bytes())),
        };
        let user = format!("headgate_{}", word()?).into_bytes();
        Ok(Self { request: LoginRequest { user, ..request.clone() }, secret })
    }

    /// What the primary has said of it, as it would have been said of `user`.
    pub(super) fn refusal(&self, verdict: Result<Connection, BackendError>, user: &[u8]) -> BackendError {
        match verdict {
            Ok(connection) => {
                // A server with an anonymous account lets anybody in.
                connection.leave();
                BackendError::Refused { error: Refusal::User.to_client() }
            }
            Err(BackendError::Refused { mut error }) => {
                if let Some(at) = memchr::memmem::find(&error.message, &self.request.user) {
                    error.message.splice(at..at + self.request.user.len(), user.iter().copied());
                }
                BackendError::Refused { error }
            }
            Err(error) => error,
        }
    }
}

/// 64 random bits in letters and digits.
fn word() -> io::Result<String> {
    Ok(random()?.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}
