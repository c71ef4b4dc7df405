//! Accepts administrators.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{Answer, ConsoleError};
use super::commands;
use super::conversation::{self, Ending};
use super::login::{self, LoggedIn};
use super::request::{Asker, Request};
use super::view::View;
use crate::auth::{Secret, Throttle, throttle};
use crate::frontend::{Caller, LoginError};
use crate::net::listener::Listener;
use crate::net::socket::Socket;
use crate::runtime::shutdown::{self, Phase};
use crate::runtime::{clock, tasks};
use crate::wire::err::ErrPacket;

/// Bounds of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Console sessions at once.
    pub sessions: usize,
    /// How long a session may say nothing.
    pub idle: Duration,
}

/// Clients that may be in the middle of their login. More than sessions, so that who does not log in keeps
/// nobody out who does.
const LOGINS: usize = 64;

/// Pause after an accept that failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The console of a running Headgate.
#[derive(Debug)]
pub struct Console {
    pub(super) view: View,
    pub(super) secret: Secret,
    pub(super) bounds: Bounds,
    pub(super) throttle: Mutex<Throttle>,
    logins: Arc<Semaphore>,
    pub(super) sessions: Arc<Semaphore>,
    /// One statement works at a time: what the console asks for shall not take the processor from clients.
    turn: Semaphore,
}

impl Console {
    /// A console that lets `secret` in.
    #[must_use]
    pub fn new(view: View, secret: Secret, bounds: Bounds) -> Self {
        Self {
            view,
            secret,
            bounds,
            throttle: Mutex::new(Throttle::new(throttle::Settings::default())),
            logins: Arc::new(Semaphore::new(LOGINS)),
            sessions: Arc::new(Semaphore::new(bounds.sessions)),
            turn: Semaphore::new(1),
        }
    }

    /// Runs a statement, when it is its turn, on a thread where it may take its time.
    pub(super) async fn ask(self: &Arc<Self>, text: &str, asker: &Asker) -> Result<Answer, ConsoleError> {
        let waits = commands::find(&Request::read(text, asker)).is_some_and(commands::Command::waits);
        let _turn = match waits {
            true => None,
            false => self.turn.acquire().await.ok(),
        };
        let (console, text, asker) = (Arc::clone(self), text.to_owned(), asker.clone());
        let work = move || commands::run(&Request::read(&text, &asker), &console.view);
        let ran = tokio::task::spawn_blocking(work).await;
        ran.unwrap_or_else(|_| {
            Err(ConsoleError::Sql { problem: "a bug in the console; see the log".to_owned() })
        })
    }
}

/// Accepts administrators until the end: during a drain the console goes on.
pub async fn run(listener: Listener, console: Arc<Console>, mut shutdown: shutdown::Listener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.reached(Phase::Ending) => return,
        };
        match accepted {
            Ok(socket) => admit(socket, &console, &shutdown).await,
            Err(error) => {
                tracing::warn!(%error, "the console could not accept a connection");
                clock::sleep(PAUSE).await;
            }
        }
    }
}

async fn admit(socket: Socket, console: &Arc<Console>, shutdown: &shutdown::Listener) {
    let Ok(login) = Arc::clone(&console.logins).try_acquire_owned() else {
        // The buffer of a new connection has room for it, so this waits for nobody.
        Caller::new(socket).refuse(too_many("too many logins to the console at once; try again")).await;
        return;
    };
    let (console, shutdown) = (Arc::clone(console), shutdown.clone());
    tasks::spawn("console", async move { serve(socket, console, login, shutdown).await });
}

async fn serve(
    socket: Socket,
    console: Arc<Console>,
    login: OwnedSemaphorePermit,
    shutdown: shutdown::Listener,
) {
    let client = socket.peer();
    let limit = console.view.shared.limits().login_timeout;
    let result = clock::within(limit, login::run(socket, &console)).await;
    drop(login);
    let LoggedIn { link, asker, capabilities, session: _session } = match result {
        Ok(Ok(logged_in)) => logged_in,
        Ok(Err(LoginError::Refused(error))) => {
            tracing::info!(?client, %error, "login to the console refused");
            return;
        }
        Ok(Err(LoginError::Io(error))) => {
            tracing::debug!(?client, %error, "login to the console abandoned");
            return;
        }
        Err(late) => {
            tracing::debug!(?client, %late, "login to the console abandoned");
            return;
        }
    };
    tracing::info!(?client, session = asker.id, "administrator logged in");
    let ending = conversation::run(link, capabilities, asker, console, shutdown).await;
    match ending {
        Ending::Quit => {}
        Ending::Failed(why) => tracing::debug!(?client, why, "console session ended"),
        Ending::Bug(error) => tracing::error!(?client, %error, "the console's server failed; this is a bug"),
    }
}

/// ER_CON_COUNT_ERROR.
pub(super) fn too_many(text: &str) -> ErrPacket {
    ErrPacket::own(1040, b"08004", text)
}
