//! What an operator asks of the monitor.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::probing::discovery::NotAdded;
use crate::runtime::clock;
use crate::topology::{Address, ServerId};

/// Something that an operator wants done about the servers.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) what: What,
    pub(super) done: oneshot::Sender<Result<(), OrderError>>,
}

#[derive(Debug)]
pub(super) enum What {
    /// Use this server too.
    Add(Address),
    /// Use it no more.
    Remove(Address),
    /// Send nothing new to it to read.
    Drain(Address),
    /// Let it serve reads again.
    Undrain(Address),
    /// Nothing runs any more on this server, which was removed.
    Forget(ServerId),
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It cannot be added.
    #[error(transparent)]
    NotAdded(#[from] NotAdded),
    /// There is no port to connect to.
    #[error("{address} has no port to connect to; write the one that the server listens on, such as 3306")]
    NoPort {
        /// The address.
        address: Address,
    },
    /// There is no such server.
    #[error("{address} is none of the servers, which are {known}")]
    Unknown {
        /// The address.
        address: Address,
        /// The addresses of those that are.
        known: String,
    },
    /// It takes the writes.
    #[error("{address} is the primary; SWITCHOVER TO another server first")]
    IsPrimary {
        /// The address.
        address: Address,
    },
    /// Others would have nobody.
    #[error("{address} is the only server")]
    IsLast {
        /// The address.
        address: Address,
    },
    /// The monitor does not answer: Headgate is ending.
    #[error("Headgate is ending")]
    Ending,
}

/// Takes servers in and out.
#[derive(Debug, Clone)]
pub struct Operator(pub(super) mpsc::Sender<Order>);

/// For an answer of the monitor, which does nothing that takes long.
const PATIENCE: Duration = Duration::from_secs(2);

impl Operator {
    /// Uses this server too, from when it has answered and been found fit.
    ///
    /// # Errors
    /// Why not.
    pub async fn add(&self, address: Address) -> Result<(), OrderError> {
        self.order(What::Add(address)).await
    }

    /// Sends nothing more to this server. What runs there ends as it would have.
    ///
    /// # Errors
    /// Why not.
    pub async fn remove(&self, address: Address) -> Result<(), OrderError> {
        self.order(What::Remove(address)).await
    }

    /// Sends no new reads to this server. What runs there ends as it would have.
    ///
    /// # Errors
    /// Why not.
    pub async fn drain(&self, address: Address) -> Result<(), OrderError> {
        self.order(What::Drain(address)).await
    }

    /// Ends that.
    ///
    /// # Errors
    /// Why not.
    pub async fn undrain(&self, address: Address) -> Result<(), OrderError> {
        self.order(What::Undrain(address)).await
    }

    /// Nothing runs any more on a server that was removed.
    pub async fn forget(&self, server: ServerId) {
        // It is asked again where it was not done.
        let _ = self.order(What::Forget(server)).await;
    }

    async fn order(&self, what: What) -> Result<(), OrderError> {
        let (done, answer) = oneshot::channel();
        let order = async {
            self.0.send(Order { what, done }).await.map_err(|_| OrderError::Ending)?;
            answer.await.map_err(|_| OrderError::Ending)?
        };
        clock::within(PATIENCE, order).await.unwrap_or(Err(OrderError::Ending))
    }
}
