//! Login to the console: the front end's packets and methods, and one account of Headgate's own.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::request::Asker;
use super::server::{Console, too_many};
use crate::auth::server_side::{Exchange, FAST_OK, Setup, Shown, Step};
use crate::auth::throttle::Attempt;
use crate::auth::{Accounts, Method, Nonce, Secret};
use crate::frontend::{Caller, LoginError, random, read_request};
use crate::net::link::Link;
use crate::net::socket::Socket;
use crate::runtime::clock;
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::greeting::Greeting;
use crate::wire::login_request::LoginRequest;
use crate::wire::ok::{OK, OkPacket};
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

/// The one user.
pub(super) const USER: &str = "admin";

/// What the console calls itself. Client programs read the number in front and take the features of that
/// version for granted.
pub(super) const VERSION: &str = concat!("8.4.0-headgate-", env!("CARGO_PKG_VERSION"));

/// What the console offers: what opensrv-mysql understands, and what concerns the login alone.
const OFFERED: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::SSL.0,
);

/// utf8mb4_general_ci, which both families know.
const COLLATION: u8 = 45;

/// Who is in.
pub(super) struct LoggedIn {
    pub(super) link: Link,
    pub(super) asker: Asker,
    pub(super) capabilities: Capabilities,
    /// Its place among the sessions.
    pub(super) session: OwnedSemaphorePermit,
}

/// Logs an administrator in.
pub(super) async fn run(socket: Socket, console: &Arc<Console>) -> Result<LoggedIn, LoginError> {
    let shared = &console.view.shared;
    let mut caller = Caller::new(socket);
    let (nonce, switch_nonce) = (Nonce::from_random(random()?), Nonce::from_random(random()?));
    let id = shared.next_id();
    let greeting = Greeting {
        version: VERSION.as_bytes().to_vec(),
        thread_id: id,
        nonce: nonce.as_bytes().to_vec(),
        capabilities: OFFERED,
        collation: COLLATION,
        status: StatusFlags::AUTOCOMMIT.0,
        plugin: Method::CachingSha2.name().as_bytes().to_vec(),
    };
    caller.send(&greeting.payload()).await?;
    let (mut caller, request) = read_request(caller, shared).await?;
    let client = caller.link.socket().peer();
    let is_user = request.user == USER.as_bytes();
    let setup = Setup {
        advertised: Method::CachingSha2,
        nonce,
        switch_nonce,
        secure: caller.link.is_secure(),
        rsa: Arc::clone(&shared.rsa),
        known: is_user.then(|| console.secret.duplicate()),
    };
    let fast = prove(&mut caller, &request, setup, client, console).await?;
    if let Some(schema) = request.schema.as_deref()
        && !schema.eq_ignore_ascii_case(b"headgate")
    {
        // ER_BAD_DB_ERROR, and only to somebody who is in.
        let error = ErrPacket::own(1049, b"42000", "the console's one schema is `headgate`");
        return Err(caller.refuse(error).await);
    }
    let Ok(session) = Arc::clone(&console.sessions).try_acquire_owned() else {
        let text = "too many console sessions (admin.max_sessions)";
        return Err(caller.refuse(too_many(text)).await);
    };
    if fast {
        caller.send(&FAST_OK).await?;
    }
    caller.send(&ok_payload()).await?;
    let name = client.map_or_else(|| format!("{USER}@localhost"), |client| format!("{USER}@{}", client.ip()));
    let capabilities = request.capabilities & OFFERED;
    Ok(LoggedIn { link: caller.link, asker: Asker { id, name }, capabilities, session })
}

/// Lets the client prove that it knows the password. The answer says whether it did so without sending it.
async fn prove(
    caller: &mut Caller,
    request: &LoginRequest,
    setup: Setup,
    client: Option<SocketAddr>,
    console: &Console,
) -> Result<bool, LoginError> {
    let attempt = Attempt { client: client.map(|client| client.ip()), user: &request.user };
    let delay = console.throttle.lock().before(attempt, clock::now());
    if !delay.is_zero() {
        clock::sleep(delay).await;
    }
    let mut exchange = Exchange::new(setup);
    let mut step = exchange.start(request.plugin.as_deref(), &request.auth_response);
    loop {
        step = match step {
            Step::Send(payload) => {
                caller.send(&payload).await?;
                exchange.on_packet(&caller.receive().await?)
            }
            // There is no table of accounts; a client that cannot answer for itself sends the password.
            Step::Lookup => exchange.on_accounts(Accounts::Unavailable),
            Step::Refuse(error) => return Err(caller.refuse(error).await),
            Step::Prove { shown, fast } => {
                if judge(&request.user, &shown, &console.secret) {
                    console.throttle.lock().succeeded(attempt);
                    return Ok(fast);
                }
                let delay = console.throttle.lock().failed(attempt, clock::now());
                if !delay.is_zero() {
                    clock::sleep(delay).await;
                }
                // ER_ACCESS_DENIED_ERROR, the same whatever was wrong.
                let text = "access denied; the console has one user, admin, and Headgate's log says which \
                            file has the password";
                return Err(caller.refuse(ErrPacket::own(1045, b"28000", text)).await);
            }
        }
    }
}

/// Whether somebody may come in. The secrets are compared whatever the name is.
fn judge(user: &[u8], shown: &Shown, secret: &Secret) -> bool {
    let right = match shown {
        Shown::Secret(shown) => shown.same_as(secret),
        Shown::Wrong => false,
    };
    right & (user == USER.as_bytes())
}

/// The payload of an OK.
pub(super) fn ok_payload() -> Vec<u8> {
    let ok = OkPacket {
        header: OK,
        affected_rows: 0,
        last_insert_id: 0,
        status: StatusFlags::AUTOCOMMIT,
        warnings: 0,
        info: &[],
        session_state: &[],
    };
    let mut payload = Vec::new();
    // Without session state there is nothing in it that could be malformed.
    let _ = ok.put_for_client(&mut payload, Wish::Nothing);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_user_with_the_password_comes_in() {
        let secret = |text: &[u8]| Secret::from_password(text).unwrap();
        let right = secret(b"s3cret");
        let check = |user: &[u8], shown: Shown, may: bool| assert_eq!(judge(user, &shown, &right), may);
        check(b"admin", Shown::Secret(secret(b"s3cret")), true);
        check(b"admin", Shown::Secret(secret(b"s3cret ")), false);
        check(b"admin", Shown::Secret(Secret::Empty), false);
        check(b"admin", Shown::Wrong, false);
        check(b"Admin", Shown::Secret(secret(b"s3cret")), false);
        check(b"", Shown::Secret(secret(b"s3cret")), false);
    }

    #[test]
    fn an_ok_is_an_ok() {
        assert_eq!(ok_payload(), [0, 0, 0, 2, 0, 0, 0]);
    }
}
