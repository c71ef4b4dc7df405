//! Who has how many places at one server, and who is next.
//!
//! Users share a server: of those who wait, the one whose user has the fewest places is next, and among these who came
//! first. So no flood of one user's sessions keeps another's waiting, and a user alone may have all places. A place
//! moves from one user to another only where that makes their shares more even, since it costs a login.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::account::{Account, Rank, Waiter};
use super::allowance::Squeeze;
use super::shortage::Shortage;

/// Who has waited for this long is not passed over any more for a connection that another could use as it is.
const PASSED_OVER: Duration = Duration::from_millis(50);

/// Who has waited for this long is next even where the shares are as even as they can be.
const OVERDUE: Duration = Duration::from_secs(1);

/// What a server has refused a user is forgotten when it might have so many more than it wants.
const EASED: usize = 8;

/// How often it is looked whether lines move.
const LOOKED_EVERY: Duration = Duration::from_millis(100);

/// After so long a server is asked again how many connections a user may have.
const ASKED_EVERY: Duration = Duration::from_secs(60);

/// Who wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The account's name.
    pub user: &'a [u8],
    /// Most places that it may have at one server; nothing where only the server's limit counts.
    pub most: Option<NonZeroUsize>,
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Connections of this shelf serve it as they are.
    pub shelf: Option<usize>,
    /// It goes elsewhere where the line stands still.
    pub leaves: bool,
}

impl Want {
    /// A place, for as long as that takes.
    pub const PLACE: Self = Self { shelf: None, leaves: false };
}

/// Names somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

/// What becomes of a connection that somebody gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Nobody waits who could have it or its place.
    Keep,
    /// This one, who waited, has it. The place stays with the user.
    Hand(Number),
    /// Somebody waits who needs its place and not the connection.
    Close,
}

/// The places at one server. Ids and numbers alone: connections are the shell's.
#[derive(Debug)]
pub struct Ledger {
    limit: usize,
    /// That limit is the server's word and not the configuration's.
    refusing: bool,
    room: usize,
    taken: usize,
    waiting: usize,
    next: u64,
    /// Users that have places or wait for one.
    users: HashMap<Arc<[u8]>, Account>,
    /// Users that wait and may have one more, the next one first.
    order: BTreeSet<Rank>,
    /// When it was last looked whether lines move.
    looked: Option<Instant>,
}

impl Ledger {
    /// So many free places, and room for so many to wait.
    #[must_use]
    pub fn new(limit: usize, room: usize) -> Self {
        let (users, order) = (HashMap::new(), BTreeSet::new());
        Self { limit, refusing: false, room, taken: 0, waiting: 0, next: 0, users, order, looked: None }
    }

    /// Places that are taken.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// How many may be.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Which limit keeps a user from another place, if one does.
    #[must_use]
    pub fn shortage(&self, user: &[u8]) -> Option<Shortage> {
        let of_user = self.users.get(user).and_then(Account::shortage);
        of_user.or_else(|| (self.taken >= self.limit).then(|| self.of_server()))
    }

    const fn of_server(&self) -> Shortage {
        let limit = self.limit;
        if self.refusing { Shortage::Refusing { limit } } else { Shortage::Server { limit } }
    }

    /// Another limit from now on; `refusing` where the server has said so. Places that are taken stay, and
    /// [`Self::grant`] is to be asked for what is free now.
    pub const fn set_limit(&mut self, limit: usize, refusing: bool) {
        (self.limit, self.refusing) = (limit, refusing);
    }

    /// The server has refused another connection of a user's, which has a place for it still. Says whether that is
    /// news, and how many the user has.
    pub fn refused(&mut self, user: &Arc<[u8]>, now: Instant) -> (bool, usize) {
        let mut said = (false, 0);
        self.change(user, |account| {
            said = (account.squeeze.is_none(), account.taken.saturating_sub(1));
            let squeeze = Squeeze::after(account.squeeze, account.taken.saturating_sub(1), now);
            (account.squeeze, account.allowed) = (Some(squeeze), Some(squeeze.allows(now)));
        });
        said
    }

    /// Whether the server is to be asked how many connections a user may have, which has some. Whoever is told so asks.
    pub fn is_to_ask(&mut self, user: &[u8], now: Instant) -> bool {
        let Some(account) = self.users.get_mut(user) else { return false };
        let lately = |asked: Instant| now.saturating_duration_since(asked) < ASKED_EVERY;
        let asks = !account.asked.is_some_and(lately);
        if asks {
            account.asked = Some(now);
        }
        asks
    }

    /// How many connections the server allows a user; nothing where it has no limit.
    pub fn told(&mut self, user: &[u8], most: Option<NonZeroUsize>) {
        let Some((user, _)) = self.users.get_key_value(user) else { return };
        let user = Arc::clone(user);
        self.change(&user, |account| account.servers = most);
    }

    /// Time has passed: what servers have refused is tried again little by little. `most`: so many connections are no
    /// squeeze.
    pub fn ease(&mut self, most: usize, now: Instant) {
        let squeezed: Vec<_> = self.users.iter().filter(|(_, account)| account.squeeze.is_some()).collect();
        let squeezed: Vec<_> = squeezed.into_iter().map(|(user, _)| Arc::clone(user)).collect();
        for user in squeezed {
            self.change(&user, |account| {
                account.allowed = account.squeeze.map(|squeeze| squeeze.allows(now));
                let eased = account.taken.saturating_add(account.line.len()).saturating_add(EASED).min(most);
                if account.allowed.is_some_and(|allowed| allowed >= eased) {
                    (account.squeeze, account.allowed) = (None, None);
                }
            });
            self.settle(&user);
        }
    }

    /// Why a user that waits does so.
    #[must_use]
    pub fn why_waits(&self, user: &[u8]) -> Shortage {
        self.shortage(user).unwrap_or_else(|| self.of_server())
    }

    /// Takes a place that is free now.
    ///
    /// # Errors
    /// None is.
    pub fn take(&mut self, claim: Claim<'_>) -> Result<Arc<[u8]>, Shortage> {
        let user = self.note(claim);
        let taken = match self.shortage(&user) {
            Some(shortage) => Err(shortage),
            None => {
                self.change(&user, |account| account.taken += 1);
                self.taken += 1;
                Ok(Arc::clone(&user))
            }
        };
        self.settle(&user);
        taken
    }

    /// Gets in line, behind those of the same user. [`Self::grant`] says whose turn it is.
    ///
    /// # Errors
    /// There is no room, or the line stands still and the want is for one that moves.
    pub fn queue(
        &mut self,
        claim: Claim<'_>,
        want: Want,
        now: Instant,
    ) -> Result<(Number, Arc<[u8]>), Shortage> {
        let user = self.note(claim);
        let stands = |account: &Account| account.stands_until.is_some_and(|until| now < until);
        if want.leaves && self.users.get(&user).is_some_and(stands) {
            return Err(Shortage::Standing);
        }
        // Who can have a place at once does not wait.
        if self.waiting >= self.room && self.shortage(&user).is_some() {
            self.settle(&user);
            return Err(Shortage::Room { limit: self.room });
        }
        let number = Number(self.next);
        self.next += 1;
        self.waiting += 1;
        self.change(&user, |account| account.line.push_back(Waiter { number, want, since: now }));
        Ok((number, user))
    }

    /// Somebody does not wait any more, if it still did.
    pub fn leave(&mut self, user: &[u8], number: Number) {
        let Some((user, account)) = self.users.get_key_value(user) else { return };
        // Numbers grow from the front to the back.
        let Ok(at) = account.line.binary_search_by_key(&number, |waiter| waiter.number) else { return };
        let user = Arc::clone(user);
        self.remove(&user, at);
        self.settle(&user);
    }

    /// A place of a user is free again.
    pub fn give_back(&mut self, user: &Arc<[u8]>) {
        self.taken = self.taken.saturating_sub(1);
        self.change(user, |account| account.taken = account.taken.saturating_sub(1));
        self.settle(user);
    }

    /// Who is given a free place, if there is one and somebody who may have it. To be asked until there is nobody.
    pub fn grant(&mut self) -> Option<(Number, Arc<[u8]>)> {
        if self.taken >= self.limit {
            return None;
        }
        let user = Arc::clone(&self.order.first()?.user);
        let waiter = self.serve(&user, 0)?;
        self.change(&user, |account| account.taken += 1);
        self.taken += 1;
        Some((waiter.number, user))
    }

    /// Decides about a connection of a shelf that a user gives back.
    pub fn offer(&mut self, user: &[u8], shelf: usize, now: Instant) -> Offered {
        let Some((user, owner)) = self.users.get_key_value(user) else { return Offered::Keep };
        if self.taken > self.limit {
            return Offered::Close;
        }
        let other = self.order.iter().find(|rank| rank.user != *user);
        let fitting = owner.line.iter().position(|waiter| waiter.want.shelf == Some(shelf));
        let Some(at) = fitting else {
            let wanted = other.is_some() || !owner.line.is_empty();
            return if wanted { Offered::Close } else { Offered::Keep };
        };
        // Somebody of its own who needs another kind of connection has come before.
        let own_is_due = at > 0 && owner.first_waited(now) > PASSED_OVER;
        let other_is_due = other.is_some_and(|rank| {
            let waited = self.users.get(&rank.user).map_or(Duration::ZERO, |other| other.first_waited(now));
            let more_even = rank.taken + 1 < owner.taken || rank.taken == 0;
            more_even && waited > PASSED_OVER || rank.taken < owner.taken && waited > OVERDUE
        });
        if own_is_due || other_is_due {
            return Offered::Close;
        }
        let user = Arc::clone(user);
        match self.serve(&user, at) {
            Some(waiter) => Offered::Hand(waiter.number),
            None => Offered::Keep,
        }
    }

    /// Looks whether lines move, once in a while. Says who is to go elsewhere: those who may, of a user of whose nobody was
    /// given anything since the last look.
    pub fn look(&mut self, now: Instant) -> Vec<Number> {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOKED_EVERY) {
            return Vec::new();
        }
        let looked = self.looked.replace(now);
        let to_look_at = self.users.iter().filter(|(_, account)| account.is_to_look_at());
        let users: Vec<_> = to_look_at.map(|(user, _)| Arc::clone(user)).collect();
        let mut gone = Vec::new();
        for user in users {
            self.change(&user, |account| account.look(looked, now, &mut gone));
            self.settle(&user);
        }
        self.waiting -= gone.len();
        gone
    }

    /// Gives something to somebody who waits.
    fn serve(&mut self, user: &Arc<[u8]>, at: usize) -> Option<Waiter> {
        let waiter = self.remove(user, at)?;
        self.change(user, |account| (account.moved, account.stands_until) = (true, None));
        Some(waiter)
    }

    /// The account of a claim, which says what its limit is by now.
    fn note(&mut self, claim: Claim<'_>) -> Arc<[u8]> {
        let user = match self.users.get_key_value(claim.user) {
            Some((user, _)) => Arc::clone(user),
            None => claim.user.into(),
        };
        self.users.entry(Arc::clone(&user)).or_default();
        self.change(&user, |account| account.most = claim.most);
        user
    }

    /// Changes an account, and its place in the order with it.
    fn change(&mut self, user: &Arc<[u8]>, change: impl FnOnce(&mut Account)) {
        let Some(account) = self.users.get_mut(user) else { return };
        change(account);
        let first = account.line.front().filter(|_| account.shortage().is_none());
        let rank =
            first.map(|first| Rank { taken: account.taken, first: first.number, user: Arc::clone(user) });
        if account.rank != rank {
            if let Some(old) = std::mem::replace(&mut account.rank, rank.clone()) {
                self.order.remove(&old);
            }
            self.order.extend(rank);
        }
    }

    fn remove(&mut self, user: &Arc<[u8]>, at: usize) -> Option<Waiter> {
        let mut removed = None;
        self.change(user, |account| removed = account.line.remove(at));
        self.waiting -= usize::from(removed.is_some());
        removed
    }

    /// Forgets a user that has nothing and wants nothing.
    fn settle(&mut self, user: &Arc<[u8]>) {
        if self.users.get(user).is_some_and(Account::is_done) {
            self.users.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A ledger and the shell's side of it: who has been granted what.
    struct Table {
        ledger: Ledger,
        start: Instant,
        most: Option<NonZeroUsize>,
        /// Those who wait, in the order in which they came.
        line: Vec<(Number, Arc<[u8]>)>,
        /// Whose places are taken.
        holds: Vec<Arc<[u8]>>,
    }

    impl Table {
        fn new(limit: usize, room: usize, most: usize) -> Self {
            let ledger = Ledger::new(limit, room);
            // A fixed moment would do; there is no other way to make one.
            #[allow(clippy::disallowed_methods, reason = "an Instant has no literal")]
            let start = Instant::now();
            Self { ledger, start, most: NonZeroUsize::new(most), line: Vec::new(), holds: Vec::new() }
        }

        fn claim<'a>(&self, user: &'a str) -> Claim<'a> {
            Claim { user: user.as_bytes(), most: self.most }
        }

        fn take(&mut self, user: &str) -> Result<(), Shortage> {
            let user = self.ledger.take(self.claim(user))?;
            self.holds.push(user);
            Ok(())
        }

        fn queue(&mut self, user: &str, shelf: Option<usize>, at: Duration) -> Result<(), Shortage> {
            let want = Want { shelf, ..Want::PLACE };
            let waiter = self.ledger.queue(self.claim(user), want, self.start + at)?;
            self.line.push(waiter);
            self.grant();
            Ok(())
        }

        fn grant(&mut self) {
            while let Some((number, user)) = self.ledger.grant() {
                let at = self.line.iter().position(|(known, _)| *known == number).unwrap();
                assert_eq!(self.line.remove(at).1, user);
                self.holds.push(user);
            }
        }

        fn give_back(&mut self, user: &str) {
            let at = self.holds.iter().position(|holder| **holder == *user.as_bytes()).unwrap();
            let user = self.holds.swap_remove(at);
            self.ledger.give_back(&user);
            self.grant();
        }

        /// Offers a connection of the user's; says to whom it or its place goes.
        fn offer(&mut self, user: &str, shelf: usize, at: Duration) -> Offered {
            let offered = self.ledger.offer(user.as_bytes(), shelf, self.start + at);
            match offered {
                Offered::Hand(number) => self.line.retain(|(known, _)| *known != number),
                Offered::Close => self.give_back(user),
                Offered::Keep => {}
            }
            offered
        }

        fn holds(&self, user: &str) -> usize {
            self.holds.iter().filter(|holder| ***holder == *user.as_bytes()).count()
        }

        fn waits(&self, user: &str) -> usize {
            self.line.iter().filter(|(_, waiter)| **waiter == *user.as_bytes()).count()
        }
    }

    #[test]
    fn what_a_server_allows_a_user_is_not_used_up() {
        let mut table = Table::new(100, 100, 0);
        let minute = Duration::from_secs(60);
        for (most, expected) in [(1, 1), (2, 1), (4, 3), (10, 9), (40, 36)] {
            let user = format!("user {most}");
            table.take(&user).unwrap();
            assert!(table.ledger.is_to_ask(user.as_bytes(), table.start));
            assert!(!table.ledger.is_to_ask(user.as_bytes(), table.start + minute / 2));
            table.ledger.told(user.as_bytes(), NonZeroUsize::new(most));
            let more = (0..).take_while(|_| table.take(&user).is_ok()).count();
            assert_eq!(more + 1, expected, "{most}");
            let shortage = Shortage::UserServer { limit: expected, server: most };
            assert_eq!(table.ledger.shortage(user.as_bytes()), Some(shortage));
            assert!(table.ledger.is_to_ask(user.as_bytes(), table.start + minute));
        }
        table.ledger.told(b"user 1", None);
        assert_eq!(table.ledger.shortage(b"user 1"), None);
        assert!(!table.ledger.is_to_ask(b"nobody", table.start));
    }

    #[test]
    fn limits_are_named() {
        let mut table = Table::new(2, 1, 1);
        table.take("a").unwrap();
        assert_eq!(table.take("a"), Err(Shortage::User { limit: 1 }));
        table.take("b").unwrap();
        assert_eq!(table.take("c"), Err(Shortage::Server { limit: 2 }));
        assert_eq!(
            table.take("a"),
            Err(Shortage::User { limit: 1 }),
            "what the user could mend is named first"
        );
        table.queue("c", None, ms(0)).unwrap();
        assert_eq!(table.queue("a", None, ms(0)), Err(Shortage::Room { limit: 1 }));
        table.give_back("b");
        assert_eq!((table.holds("c"), table.waits("c")), (1, 0));
    }

    #[test]
    fn a_user_at_its_limit_keeps_nobody_waiting() {
        let mut table = Table::new(3, 9, 2);
        for user in ["a", "a"] {
            table.take(user).unwrap();
        }
        table.queue("a", None, ms(0)).unwrap();
        table.queue("b", None, ms(1)).unwrap();
        assert_eq!((table.holds("a"), table.waits("a"), table.holds("b")), (2, 1, 1));
        table.give_back("b");
        assert_eq!((table.holds("a"), table.waits("a")), (2, 1), "a free place is not for it");
        table.give_back("a");
        assert_eq!((table.holds("a"), table.waits("a")), (2, 0));
        assert!(table.take("b").is_ok());
    }

    #[test]
    fn the_user_with_the_fewest_places_is_next() {
        let mut table = Table::new(3, 99, 0);
        for user in ["a", "a", "b"] {
            table.take(user).unwrap();
        }
        for (user, at) in [("a", 0), ("a", 1), ("b", 2), ("c", 3), ("c", 4)] {
            table.queue(user, None, ms(at)).unwrap();
        }
        let mut served = Vec::new();
        for gone in ["a", "a", "b", "c", "c"] {
            let before = table.holds.clone();
            table.give_back(gone);
            let new = ["a", "b", "c"].into_iter().find(|user| {
                let held = before.iter().filter(|holder| ***holder == *user.as_bytes()).count();
                table.holds(user) > held - usize::from(*user == gone)
            });
            served.push(new.unwrap());
        }
        // Nobody had fewer than c; then a came first of those with as many.
        assert_eq!(served, ["c", "a", "b", "c", "a"]);
    }

    /// A connection comes back that its user's next session could have as it is.
    #[test]
    fn a_connection_stays_with_its_user_where_shares_are_even() {
        let check = |holds: &[&str], waiters: &[(&str, Option<usize>, u64)], at: u64, expected: &str| {
            let mut table = Table::new(holds.len(), 99, 0);
            for user in holds {
                table.take(user).unwrap();
            }
            for (user, shelf, since) in waiters {
                table.queue(user, *shelf, ms(*since)).unwrap();
            }
            let offered = table.offer("a", 1, ms(at));
            let kind = match offered {
                Offered::Keep => "keep",
                Offered::Hand(_) => "hand",
                Offered::Close => "close",
            };
            assert_eq!(kind, expected, "{holds:?} {waiters:?} after {at} ms");
        };
        check(&["a", "a"], &[], 0, "keep");
        check(&["a", "a"], &[("a", Some(1), 0)], 0, "hand");
        check(&["a", "a"], &[("a", Some(2), 0)], 0, "close");
        check(&["a", "a"], &[("b", Some(1), 0)], 0, "close");
        // Who came first has not waited for long.
        check(&["a", "a"], &[("a", Some(2), 0), ("a", Some(1), 0)], 40, "hand");
        check(&["a", "a"], &[("a", Some(2), 0), ("a", Some(1), 0)], 60, "close");
        check(&["a", "a"], &[("b", None, 0), ("a", Some(1), 0)], 40, "hand");
        check(&["a", "a"], &[("b", None, 0), ("a", Some(1), 0)], 60, "close");
        // A user that has its share waits for its own.
        check(&["a", "a", "b"], &[("b", None, 0), ("a", Some(1), 0)], 60, "hand");
        check(&["a", "a", "b"], &[("b", None, 0), ("a", Some(1), 0)], 1100, "close");
        check(&["a", "a", "a", "b"], &[("b", None, 0), ("a", Some(1), 0)], 60, "close");
        check(&["a", "b"], &[("b", None, 0), ("a", Some(1), 0)], 5000, "hand");
        // More users than places take turns.
        check(&["a", "b"], &[("c", None, 0), ("a", Some(1), 0)], 60, "close");
    }

    #[test]
    fn who_leaves_is_passed_over_and_nobody_is_remembered() {
        let mut table = Table::new(1, 9, 0);
        table.take("a").unwrap();
        table.queue("b", None, ms(0)).unwrap();
        table.queue("c", None, ms(0)).unwrap();
        let (number, user) = table.line.remove(0);
        table.ledger.leave(&user, number);
        table.ledger.leave(&user, number);
        assert_eq!(table.ledger.waiting(), 1);
        table.give_back("a");
        assert_eq!(table.holds("c"), 1);
        table.give_back("c");
        assert!(table.ledger.users.is_empty() && table.ledger.order.is_empty());
        assert_eq!((table.ledger.taken(), table.ledger.waiting()), (0, 0));
    }

    #[test]
    fn what_a_server_refuses_a_user_is_tried_again_later() {
        let mut table = Table::new(10, 99, 0);
        for _ in 0..3 {
            table.take("a").unwrap();
        }
        let user: Arc<[u8]> = b"a".as_slice().into();
        table.ledger.refused(&user, table.start);
        table.give_back("a");
        let told = Shortage::UserRefused { limit: 2 };
        assert_eq!(table.take("a"), Err(told));
        assert!(table.take("b").is_ok(), "nobody else is concerned");
        table.queue("a", None, ms(10)).unwrap();
        assert_eq!(table.ledger.why_waits(b"a"), told);
        table.ledger.ease(10, table.start + ms(400));
        table.grant();
        assert_eq!(table.holds("a"), 2);
        table.ledger.ease(10, table.start + ms(600));
        table.grant();
        assert_eq!((table.holds("a"), table.waits("a")), (3, 0));
        table.ledger.ease(10, table.start + Duration::from_secs(60));
        for _ in 0..3 {
            table.give_back("a");
        }
        table.give_back("b");
        assert!(table.ledger.users.is_empty(), "nobody is remembered");
    }

    #[test]
    fn a_lower_limit_is_reached_as_connections_come_back() {
        let mut table = Table::new(3, 99, 0);
        for user in ["a", "a", "b"] {
            table.take(user).unwrap();
        }
        table.ledger.set_limit(2, true);
        table.queue("a", Some(1), ms(0)).unwrap();
        assert_eq!(table.ledger.why_waits(b"a"), Shortage::Refusing { limit: 2 });
        assert_eq!(table.offer("a", 1, ms(1)), Offered::Close);
        assert_eq!((table.ledger.taken(), table.waits("a")), (2, 1), "its place is nobody's");
        assert!(matches!(table.offer("a", 1, ms(2)), Offered::Hand(_)));
        table.queue("c", None, ms(3)).unwrap();
        table.ledger.set_limit(3, false);
        table.grant();
        assert_eq!(table.holds("c"), 1);
    }

    #[derive(Debug, Clone)]
    enum Move {
        Take(usize),
        Queue(usize, usize),
        Leave(usize),
        GiveBack(usize),
        Offer(usize, usize),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (0..4usize).prop_map(Move::Take),
            (0..4usize, 0..2usize).prop_map(|(user, shelf)| Move::Queue(user, shelf)),
            any::<prop::sample::Index>().prop_map(|at| Move::Leave(at.index(100))),
            any::<prop::sample::Index>().prop_map(|at| Move::GiveBack(at.index(100))),
            (0..100usize, 0..2usize).prop_map(|(at, shelf)| Move::Offer(at, shelf)),
        ];
        prop::collection::vec(one, 0..80)
    }

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    proptest! {
        /// Whatever happens: no limit is broken, nothing is lost, and no place is free that somebody waits for.
        #[test]
        fn places_are_conserved(moves in moves(), limit in 1..5usize, most in 0..3usize, room in 0..6usize) {
            let mut table = Table::new(limit, room, most);
            for (turn, one) in moves.into_iter().enumerate() {
                let at = ms(turn as u64 * 30);
                match one {
                    Move::Take(user) => _ = table.take(NAMES[user]),
                    Move::Queue(user, shelf) => _ = table.queue(NAMES[user], Some(shelf), at),
                    Move::Leave(n) if !table.line.is_empty() => {
                        let (number, user) = table.line.remove(n % table.line.len());
                        table.ledger.leave(&user, number);
                    }
                    Move::GiveBack(n) if !table.holds.is_empty() => {
                        let user = Arc::clone(&table.holds[n % table.holds.len()]);
                        table.give_back(std::str::from_utf8(&user).unwrap());
                    }
                    Move::Offer(n, shelf) if !table.holds.is_empty() => {
                        let user = Arc::clone(&table.holds[n % table.holds.len()]);
                        table.offer(std::str::from_utf8(&user).unwrap(), shelf, at);
                    }
                    _ => {}
                }
                let ledger = &table.ledger;
                prop_assert_eq!((ledger.taken(), ledger.waiting()), (table.holds.len(), table.line.len()));
                prop_assert!(ledger.taken() <= limit && ledger.waiting() <= room);
                for name in NAMES {
                    prop_assert!(most == 0 || table.holds(name) <= most);
                    let may = ledger.shortage(name.as_bytes()).is_none();
                    prop_assert!(!may || table.waits(name) == 0, "{} could have a place", name);
                }
                let users = ledger.users.values().filter(|account| account.rank.is_some()).count();
                prop_assert_eq!(ledger.order.len(), users);
            }
        }
    }
}
