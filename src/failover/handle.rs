//! What others hold of failover.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::directory::Directory;
use super::journal::Journal;
use super::view::{Standing, View, Wish, WishOutcome};
use crate::election::Operator;
use crate::runtime::clock;
use crate::topology::ServerId;

/// How long the machine may take to take something in.
const TO_TAKE_IN: Duration = Duration::from_secs(30);

/// What others hold of failover.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) wishes: mpsc::Sender<Wish>,
    pub(super) directory: Arc<Directory>,
    pub(super) journal: Arc<Journal>,
}

impl Handle {
    /// For where there is no failover.
    #[must_use]
    pub fn off(why: String) -> Self {
        let view = View { standing: Standing::Off(why), ..View::default() };
        Self {
            view: watch::channel(Arc::new(view)).1,
            wishes: mpsc::channel(1).0,
            directory: Arc::default(),
            journal: Arc::default(),
        }
    }

    /// Where failover stands.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// What has happened.
    #[must_use]
    pub const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// The server at an address.
    #[must_use]
    pub fn server(&self, address: &str) -> Option<ServerId> {
        self.directory.server(address)
    }

    /// A server's address.
    #[must_use]
    pub fn address(&self, server: ServerId) -> String {
        self.directory.address(server).unwrap_or_else(|| server.to_string())
    }

    /// A text with servers under their addresses instead of their numbers.
    #[must_use]
    pub fn spell(&self, text: &str) -> String {
        self.directory.spell(text)
    }

    /// Asks for something, and waits until the machine has taken it in.
    pub async fn ask(&self, operator: Operator) -> WishOutcome {
        let (reply, answer) = oneshot::channel();
        let gone = || match &self.view.borrow().standing {
            Standing::Off(why) => WishOutcome::Refused(why.clone()),
            Standing::Starting => WishOutcome::Refused("the servers have not been asked yet".to_owned()),
            Standing::On(_) => WishOutcome::Refused("Headgate is ending".to_owned()),
        };
        // A full queue means that many ask at once.
        if self.wishes.try_send(Wish::Operator(operator, reply)).is_err() {
            return gone();
        }
        clock::within(TO_TAKE_IN, answer).await.ok().and_then(Result::ok).unwrap_or_else(gone)
    }

    /// Waits until the view is so.
    pub async fn wait_for(&self, limit: Duration, so: impl Fn(&View) -> bool) -> Arc<View> {
        let mut view = self.view.clone();
        let _ = clock::within(limit, view.wait_for(|view| so(view))).await;
        self.view()
    }
}
