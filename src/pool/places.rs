//! The places at one server, over all workers: what `pooling::Ledger` decides about them is carried out here.

use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::limits::Limits;
use crate::backend::{BackendError, Connection};
use crate::pooling::{Allowance, Claim, Ledger, Number, Offered, Shortage, Squeeze, Want};
use crate::runtime::clock::{self, LazyTimer};
use crate::telemetry;
use crate::topology::ServerId;

/// What somebody who waited is given.
#[derive(Debug)]
pub enum Handed {
    /// A place, for a connection to be opened.
    Place(Place),
    /// A connection from the shelf that was named.
    Connection(Box<Connection>),
}

/// What becomes of a connection that somebody puts back.
#[derive(Debug)]
pub(super) enum Offer {
    /// Somebody who waited has it.
    Taken,
    /// Nobody waits for it. How many had come by then: who comes later has not been looked at.
    Keep(Connection, u64),
    /// Somebody waits who needs its place and not the connection.
    Close(Connection),
}

/// The places at one server.
#[derive(Debug)]
pub(super) struct Places {
    server: ServerId,
    line: Mutex<Line>,
    /// How many wait: asked by everyone who puts a connection back.
    waiting: AtomicUsize,
    /// How many have got in line so far.
    arrivals: AtomicU64,
    pub(super) counters: telemetry::Server,
}

#[derive(Debug)]
struct Line {
    ledger: Ledger,
    allowance: Allowance,
    hands: HashMap<Number, oneshot::Sender<Handed>>,
}

/// A place at a server, for as long as its connection lives.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    /// Whose it is.
    user: Arc<[u8]>,
    _counted: telemetry::Held,
}

/// A turn in the line. Given up when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    places: Arc<Places>,
    user: Arc<[u8]>,
    number: Number,
    handed: oneshot::Receiver<Handed>,
    /// What was handed over has been taken, so that it stands in the line no more.
    served: bool,
}

impl Places {
    pub(super) fn new(server: ServerId, limits: &Limits, counters: telemetry::Server) -> Arc<Self> {
        let allowance = Allowance::new(limits.per_server);
        let ledger = Ledger::new(allowance.most(), limits.waiting_room);
        let line = Line { ledger, allowance, hands: HashMap::new() };
        let (waiting, arrivals) = (AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { server, line: Mutex::new(line), waiting, arrivals, counters })
    }

    /// Takes a place if one is free now.
    pub(super) fn now(self: &Arc<Self>, claim: Claim<'_>) -> Result<Place, Shortage> {
        let user = self.line.lock().ledger.take(claim)?;
        Ok(self.place(user))
    }

    /// Gets in line.
    pub(super) fn queue(self: &Arc<Self>, claim: Claim<'_>, want: Want) -> Result<Turn, BackendError> {
        let (hand, handed) = oneshot::channel();
        let mut line = self.line.lock();
        let (number, user) = line.ledger.queue(claim, want, clock::now())?;
        line.hands.insert(number, hand);
        self.waiting.store(line.ledger.waiting(), Ordering::SeqCst);
        // After the number above: who has seen this one sees that as well.
        self.arrivals.fetch_add(1, Ordering::SeqCst);
        self.hand_out(line);
        Ok(Turn { places: Arc::clone(self), user, number, handed, served: false })
    }

    /// Offers a connection of a shelf to those who wait.
    pub(super) fn offer(&self, connection: Connection, user: &[u8], shelf: usize) -> Offer {
        let arrivals = self.arrivals.load(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return Offer::Keep(connection, arrivals);
        }
        let mut connection = Box::new(connection);
        loop {
            let mut line = self.line.lock();
            let number = match line.ledger.offer(user, shelf, clock::now()) {
                Offered::Keep => return Offer::Keep(*connection, arrivals),
                Offered::Close => return Offer::Close(*connection),
                Offered::Hand(number) => number,
            };
            let hand = line.hands.remove(&number);
            self.waiting.store(line.ledger.waiting(), Ordering::SeqCst);
            drop(line);
            connection = match hand.map(|hand| hand.send(Handed::Connection(connection))) {
                // It has given up waiting meanwhile.
                Some(Err(Handed::Connection(connection))) => connection,
                Some(_) | None => return Offer::Taken,
            };
        }
    }

    /// Whether somebody has got in line since so many had.
    pub(super) fn has_come_since(&self, arrivals: u64) -> bool {
        self.arrivals.load(Ordering::SeqCst) != arrivals
    }

    /// Time has passed, and the server takes so many connections, as far as is known.
    pub(super) fn ease(self: &Arc<Self>, max_connections: Option<usize>, now: Instant) {
        let mut line = self.line.lock();
        line.allowance.server = max_connections.or(line.allowance.server);
        line.apply(now);
        for number in line.ledger.look(now) {
            // Whoever waits at the other end goes elsewhere.
            line.hands.remove(&number);
        }
        self.waiting.store(line.ledger.waiting(), Ordering::SeqCst);
        self.hand_out(line);
    }

    /// Whether the server is to be asked how many connections a user may have. Whoever is told so asks.
    pub(super) fn is_to_ask(&self, user: &[u8], now: Instant) -> bool {
        self.line.lock().ledger.is_to_ask(user, now)
    }

    /// How many connections the server allows a user.
    pub(super) fn told(self: &Arc<Self>, user: &[u8], most: Option<NonZeroUsize>) {
        let mut line = self.line.lock();
        line.ledger.told(user, most);
        self.hand_out(line);
    }

    /// Most connections by now.
    pub(super) fn allowed(&self) -> usize {
        self.line.lock().ledger.limit()
    }

    /// Places that are taken.
    pub(super) fn open(&self) -> usize {
        self.line.lock().ledger.taken()
    }

    /// How many wait for one.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn place(self: &Arc<Self>, user: Arc<[u8]>) -> Place {
        Place { places: Arc::clone(self), user, _counted: self.counters.connected() }
    }

    /// Gives free places to those who are next.
    fn hand_out(self: &Arc<Self>, mut line: MutexGuard<'_, Line>) {
        while let Some((number, user)) = line.ledger.grant() {
            let hand = line.hands.remove(&number);
            self.waiting.store(line.ledger.waiting(), Ordering::SeqCst);
            let place = self.place(user);
            // A place that nobody takes any more is given back as it is dropped, which needs the lock.
            MutexGuard::unlocked(&mut line, || drop(hand.map(|hand| hand.send(Handed::Place(place)))));
        }
    }
}

impl Line {
    fn apply(&mut self, now: Instant) {
        let limit = self.allowance.by(now);
        self.ledger.set_limit(limit, self.allowance.squeeze.is_some());
        self.ledger.ease(self.allowance.most(), now);
    }
}

impl Place {
    /// The server has refused the connection for want of room: it takes no more for a while, of the user's or at all.
    pub fn refused(self, error: &BackendError) {
        let now = clock::now();
        self.places.counters.full.increment(1);
        let mut line = self.places.line.lock();
        let (is_news, taken) = if error.is_user_limit() {
            line.ledger.refused(&self.user, now)
        } else {
            let (before, taken) = (line.allowance.squeeze, line.ledger.taken().saturating_sub(1));
            line.allowance.squeeze = Some(Squeeze::after(before, taken, now));
            line.apply(now);
            (before.is_none(), taken)
        };
        drop(line);
        if is_news {
            let (server, user) = (self.places.server, String::from_utf8_lossy(&self.user).into_owned());
            tracing::warn!(%server, ?user, %error, taken, "a server takes no more connections; it is asked for fewer");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.places.line.lock();
        line.ledger.give_back(&self.user);
        self.places.hand_out(line);
    }
}

impl Turn {
    /// Waits for a place or a connection. The timer is one that the waiter goes on with: a line moves on thousands of
    /// times a second, and setting a timer for each turn costs more than the turn.
    pub(super) async fn wait(
        mut self,
        limit: Duration,
        timer: &mut LazyTimer,
    ) -> Result<Handed, BackendError> {
        self.places.counters.waits.increment(1);
        let due = clock::now() + limit;
        let handed = poll_fn(|cx| {
            if let Poll::Ready(handed) = Pin::new(&mut self.handed).poll(cx) {
                return Poll::Ready(Some(handed));
            }
            timer.poll_due(due, cx).map(|()| None)
        });
        match handed.await {
            Some(Ok(handed)) => {
                self.served = true;
                Ok(handed)
            }
            // It was sent away.
            Some(Err(_)) => Err(Shortage::Standing.into()),
            None => {
                self.places.counters.wait_timeouts.increment(1);
                Err(self.places.line.lock().ledger.why_waits(&self.user).into())
            }
        }
    }

    /// What keeps it waiting; nothing where its turn has come.
    pub(super) fn shortage(&self) -> Option<Shortage> {
        let line = self.places.line.lock();
        line.hands.contains_key(&self.number).then(|| line.ledger.why_waits(&self.user))
    }

    /// What has been handed over already.
    #[cfg(test)]
    pub(super) fn handed(&mut self) -> Option<Handed> {
        self.handed.try_recv().ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let mut line = self.places.line.lock();
        line.ledger.leave(&self.user, self.number);
        line.hands.remove(&self.number);
        self.places.waiting.store(line.ledger.waiting(), Ordering::SeqCst);
    }
}
