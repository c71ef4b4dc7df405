//! The places at one server, and who waits for one: first come, first served, over all users and workers.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::backend::{BackendError, Connection};
use crate::runtime::clock::{self, LazyTimer};
use crate::telemetry;

/// Who has waited for this long is not passed over any more, even where that costs a connection that the next in
/// line could have used as it is.
const PASSED_OVER: Duration = Duration::from_millis(50);

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
    /// Nobody waits.
    Keep(Connection),
    /// Somebody waits who needs its place and not the connection.
    Close(Connection),
}

/// The places at one server.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    room: usize,
    line: Mutex<Line>,
    /// How many wait: asked by everyone who puts a connection back.
    waiting: AtomicUsize,
    pub(super) counters: telemetry::Server,
}

#[derive(Debug)]
struct Line {
    free: usize,
    next: u64,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    /// Connections of this shelf serve it as they are.
    shelf: Option<usize>,
    since: Instant,
    hand: oneshot::Sender<Handed>,
}

/// A place at a server, for as long as its connection lives.
#[derive(Debug)]
pub struct Place {
    /// Nothing where it is not to be passed on.
    places: Option<Arc<Places>>,
    _counted: telemetry::Held,
}

/// A turn in the line. Given up when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    places: Arc<Places>,
    number: u64,
    handed: oneshot::Receiver<Handed>,
    /// What was handed over has been taken, so that it stands in the line no more.
    served: bool,
}

impl Places {
    pub(super) fn new(limit: usize, room: usize, counters: telemetry::Server) -> Arc<Self> {
        let line = Line { free: limit, next: 0, waiters: VecDeque::new() };
        Arc::new(Self { limit, room, line: Mutex::new(line), waiting: AtomicUsize::new(0), counters })
    }

    /// Takes a place if one is free now.
    pub(super) fn now(self: &Arc<Self>) -> Result<Place, BackendError> {
        let mut line = self.line.lock();
        if line.free == 0 {
            return Err(self.full());
        }
        line.free -= 1;
        drop(line);
        Ok(self.place())
    }

    /// Gets in line. `shelf` names the shelf whose connections would do.
    pub(super) fn queue(self: &Arc<Self>, shelf: Option<usize>) -> Result<Turn, BackendError> {
        let (hand, handed) = oneshot::channel();
        let mut line = self.line.lock();
        if line.waiters.len() >= self.room {
            return Err(self.full());
        }
        let number = line.next;
        line.next += 1;
        if line.free > 0 {
            line.free -= 1;
            drop(line);
            // Nobody has dropped the other end yet.
            let _ = hand.send(Handed::Place(self.place()));
        } else {
            line.waiters.push_back(Waiter { number, shelf, since: clock::now(), hand });
            self.waiting.store(line.waiters.len(), Ordering::SeqCst);
        }
        Ok(Turn { places: Arc::clone(self), number, handed, served: false })
    }

    /// Offers a connection of a shelf to those who wait.
    pub(super) fn offer(&self, connection: Connection, shelf: usize) -> Offer {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return Offer::Keep(connection);
        }
        let mut connection = Box::new(connection);
        loop {
            let mut line = self.line.lock();
            let Some(first) = line.waiters.front() else { return Offer::Keep(*connection) };
            let passed_over = || clock::now().saturating_duration_since(first.since) > PASSED_OVER;
            let fits = |waiter: &Waiter| waiter.shelf == Some(shelf);
            let at = match line.waiters.iter().position(fits) {
                Some(0) => 0,
                Some(at) if !passed_over() => at,
                _ => return Offer::Close(*connection),
            };
            let waiter = line.waiters.remove(at);
            self.waiting.store(line.waiters.len(), Ordering::SeqCst);
            drop(line);
            connection = match waiter.map(|waiter| waiter.hand.send(Handed::Connection(connection))) {
                // It has given up waiting meanwhile.
                Some(Err(Handed::Connection(connection))) => connection,
                Some(_) | None => return Offer::Taken,
            };
        }
    }

    /// Places that are taken.
    pub(super) fn open(&self) -> usize {
        self.limit.saturating_sub(self.line.lock().free)
    }

    /// How many wait for one.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) const fn full(&self) -> BackendError {
        BackendError::Full { limit: self.limit }
    }

    fn place(self: &Arc<Self>) -> Place {
        Place { places: Some(Arc::clone(self)), _counted: self.counters.connected() }
    }

    /// Gives a place that is free to the first who waits.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let mut line = self.line.lock();
            let Some(waiter) = line.waiters.pop_front() else {
                line.free += 1;
                return;
            };
            self.waiting.store(line.waiters.len(), Ordering::SeqCst);
            drop(line);
            match waiter.hand.send(Handed::Place(self.place())) {
                Ok(()) => return,
                // It has given up waiting, and its place is not to be passed on twice.
                Err(Handed::Place(mut place)) => place.places = None,
                Err(Handed::Connection(_)) => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.places.take() {
            places.pass_on();
        }
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
                return Poll::Ready(handed.ok());
            }
            timer.poll_due(due, cx).map(|()| None)
        });
        match handed.await {
            Some(handed) => {
                self.served = true;
                Ok(handed)
            }
            // Nobody drops the other end without a word; that would be as good as full.
            None => {
                self.places.counters.wait_timeouts.increment(1);
                Err(self.places.full())
            }
        }
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
        // Numbers grow from the front to the back.
        if let Ok(at) = line.waiters.binary_search_by_key(&self.number, |waiter| waiter.number) {
            line.waiters.remove(at);
            self.places.waiting.store(line.waiters.len(), Ordering::SeqCst);
        }
    }
}
