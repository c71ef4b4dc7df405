//! Who is here: one small card for each session, read by the console and written by its session alone.
//!
//! A statement costs its card one look at the clock, four plain stores and one lock that nobody contends:
//! 0.1 µs of some 26 (two busy cores). The console reads cards while sessions go on, so the numbers on one
//! card may be a statement apart.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::reach::{Reach, Spot};
use crate::pooling::Chosen;
use crate::routing::{Reason, Target};
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::session::{Hold, SessionView, State};
use crate::sql::LexMode;

/// The cards of all sessions.
#[derive(Debug, Default)]
pub struct Roster(Arc<DashMap<u32, Arc<Card>>>);

/// One session.
#[derive(Debug)]
pub struct Card {
    /// The id that the client was told.
    pub id: u32,
    /// Its user's name.
    pub user: Box<[u8]>,
    /// Its address; nothing for Unix sockets.
    pub client: Option<SocketAddr>,
    /// When it had logged in.
    pub since: Instant,
    /// For how long it has its connection to the primary.
    pub pool: Chosen,
    statements: AtomicU64,
    on_replicas: AtomicU64,
    /// When it last sent a statement, in microseconds after `since`.
    last_at: AtomicU64,
    /// [`Reason::index`] of that statement, and one more; 0 before the first.
    last_reason: AtomicU32,
    standing: Mutex<Option<Standing>>,
    pub(super) reach: Reach,
    /// What proves its user, for a KILL in its own name.
    pub(super) secret: Arc<LockedBytes>,
    killed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// A session that begins.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) id: u32,
    pub(super) user: Box<[u8]>,
    pub(super) client: Option<SocketAddr>,
    pub(super) primary: Spot,
    pub(super) pool: Chosen,
    pub(super) secret: Arc<LockedBytes>,
}

/// Where a session stands between two statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The current schema.
    pub schema: Option<Box<[u8]>>,
    /// What routing knows of it.
    pub view: SessionView,
    /// How its texts are read.
    pub mode: LexMode,
    /// Why it keeps its connection to the primary, where it might give it back.
    pub keeps: Option<Hold>,
}

/// A session's own hold on its card: the card is taken off the roster when this is dropped.
#[derive(Debug)]
pub(super) struct Presence {
    card: Arc<Card>,
    roster: Arc<DashMap<u32, Arc<Card>>>,
}

impl Roster {
    /// Puts a session on the roster.
    pub(super) fn register(&self, newcomer: Newcomer) -> Presence {
        let Newcomer { id, user, client, primary, pool, secret } = newcomer;
        let card = Arc::new(Card {
            id,
            user,
            client,
            since: clock::now(),
            pool,
            statements: AtomicU64::new(0),
            on_replicas: AtomicU64::new(0),
            last_at: AtomicU64::new(0),
            last_reason: AtomicU32::new(0),
            standing: Mutex::new(None),
            reach: Reach::of(primary),
            secret,
            killed: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        // Ids wrap after four thousand million clients; the later one of a pair is the one to be seen.
        self.0.insert(id, Arc::clone(&card));
        Presence { card, roster: Arc::clone(&self.0) }
    }

    /// The card of a session.
    #[must_use]
    pub fn card(&self, id: u32) -> Option<Arc<Card>> {
        self.0.get(&id).map(|card| Arc::clone(&card))
    }

    /// Whether a session has this id.
    #[must_use]
    pub fn has(&self, id: u32) -> bool {
        self.0.contains_key(&id)
    }

    /// The card of the session whose connection to the primary has this id there.
    pub(super) fn at_primary(&self, spot: Spot) -> Option<Arc<Card>> {
        self.0.iter().find(|card| card.reach.primary() == Some(spot)).map(|card| Arc::clone(&card))
    }

    /// All cards, by id.
    #[must_use]
    pub fn cards(&self) -> Vec<Arc<Card>> {
        let mut cards: Vec<_> = self.0.iter().map(|card| Arc::clone(&card)).collect();
        cards.sort_unstable_by_key(|card| card.id);
        cards
    }
}

impl Card {
    /// Statements and commands so far.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Those of them that ran on a replica.
    #[must_use]
    pub fn on_replicas(&self) -> u64 {
        self.on_replicas.load(Ordering::Relaxed)
    }

    /// When the session last sent a statement; when it logged in where there was none.
    #[must_use]
    pub fn last_at(&self) -> Instant {
        self.since + Duration::from_micros(self.last_at.load(Ordering::Relaxed))
    }

    /// Why its last statement ran where it ran.
    #[must_use]
    pub fn last_reason(&self) -> Option<Reason> {
        let index = usize::try_from(self.last_reason.load(Ordering::Relaxed)).ok()?;
        Reason::ALL.get(index.checked_sub(1)?).copied()
    }

    /// Where it stood after its last statement; nothing before the first.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.standing.lock().clone()
    }

    /// Ends the session: its connections are closed at once, whatever it does.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    /// Runs `work`, the session, to its end; nothing where the session is killed before.
    pub(super) async fn until_killed<F: Future>(&self, mut work: Pin<&mut F>) -> Option<F::Output> {
        let mut listening = false;
        poll_fn(|cx| {
            if !listening {
                // A task has one waker for all its life.
                *self.waker.lock() = Some(cx.waker().clone());
                listening = true;
            }
            if self.killed.load(Ordering::SeqCst) {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

impl Presence {
    pub(super) fn card(&self) -> Arc<Card> {
        Arc::clone(&self.card)
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.card.reach
    }

    /// Notes a statement that is about to run.
    #[inline]
    pub(super) fn count(&self, target: Target, reason: Reason, now: Instant) {
        // Nobody else writes, so nothing is lost between the load and the store.
        let add = |to: &AtomicU64| to.store(to.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let card = &*self.card;
        add(&card.statements);
        if matches!(target, Target::Replica(_)) {
            add(&card.on_replicas);
        }
        let after = now.saturating_duration_since(card.since).as_micros();
        card.last_at.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
        let reason = u32::try_from(reason.index() + 1).unwrap_or(0);
        card.last_reason.store(reason, Ordering::Relaxed);
    }

    /// Shows where the session stands.
    #[inline]
    pub(super) fn show(&self, state: &State, mode: LexMode, keeps: Option<Hold>) {
        let mut shown = self.card.standing.lock();
        match &mut *shown {
            Some(shown) => {
                shown.view = *state.view();
                shown.mode = mode;
                shown.keeps = keeps;
                if shown.schema.as_deref() != state.schema() {
                    shown.schema = state.schema().map(Into::into);
                }
            }
            None => {
                *shown = Some(Standing {
                    schema: state.schema().map(Into::into),
                    view: *state.view(),
                    mode,
                    keeps,
                });
            }
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.roster.remove_if(&self.card.id, |_, card| Arc::ptr_eq(card, &self.card));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::pooling::{By, Mode};
    use crate::runtime::locked::LockedMemory;
    use crate::topology::ServerId;

    fn spot(thread_id: u32) -> Spot {
        Spot { server: ServerId(0), thread_id }
    }

    fn app(id: u32) -> Newcomer {
        let secret = Arc::new(LockedMemory::new(16, 1).0.store(b"secret").unwrap());
        let pool = Chosen { mode: Mode::Session, by: By::Default };
        Newcomer { id, user: (*b"app").into(), client: None, primary: spot(id), pool, secret }
    }

    #[test]
    fn a_session_is_on_the_roster_as_long_as_it_lives() {
        let roster = Roster::default();
        let (first, second) = (roster.register(app(1)), roster.register(app(2)));
        first.count(Target::Primary, Reason::Write, first.card.since + Duration::from_millis(5));
        first.count(
            Target::Replica(ServerId(1)),
            Reason::PlainRead,
            first.card.since + Duration::from_millis(7),
        );
        let ids = || roster.cards().iter().map(|card| card.id).collect::<Vec<_>>();
        assert_eq!(ids(), [1, 2]);
        let card = roster.card(1).unwrap();
        assert_eq!((card.statements(), card.on_replicas()), (2, 1));
        assert_eq!(card.last_at(), card.since + Duration::from_millis(7));
        assert_eq!(card.last_reason(), Some(Reason::PlainRead));
        assert_eq!(roster.card(2).unwrap().last_reason(), None);
        assert_eq!(roster.at_primary(spot(2)).map(|card| card.id), Some(2));
        assert!(roster.at_primary(spot(3)).is_none() && roster.has(2) && !roster.has(3));
        drop(first);
        assert_eq!(ids(), [2]);
        // Its id was given to somebody else in the meantime.
        let third = roster.register(app(2));
        drop(second);
        assert_eq!(ids(), [2]);
        drop(third);
        assert!(ids().is_empty());
    }

    #[tokio::test]
    async fn a_killed_session_ends_whatever_it_waits_for() {
        let roster = Roster::default();
        let presence = roster.register(app(1));
        let card = presence.card();
        let waiting = tokio::task::LocalSet::new();
        let ended = waiting
            .run_until(async {
                let own = Arc::clone(&card);
                let session = tokio::task::spawn_local(async move {
                    own.until_killed(pin!(std::future::pending::<()>())).await
                });
                tokio::task::yield_now().await;
                card.kill();
                session.await.unwrap()
            })
            .await;
        assert_eq!(ended, None);
        // Killed before it began to listen.
        assert_eq!(card.until_killed(pin!(async { 1 })).await, None);
        assert_eq!(roster.register(app(2)).card().until_killed(pin!(async { 1 })).await, Some(1));
    }
}
