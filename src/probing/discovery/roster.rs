//! Who is known: from the configuration, or found since.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::banned::Banned;
use super::found::{Doubt, Found, Listed, May, discover};
use super::lead::{Claim, Evidence, leads};
use super::places::Places;
use super::who::Likeness;
use super::word::Word;
use crate::topology::{Address, ServerId};

/// What a roster is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A server that was found is forgotten when for so long nobody has named it and it has not answered.
    pub forget_after: Duration,
    /// The most servers, those from the configuration among them.
    pub most: usize,
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration names it: it stays, whatever it says.
    Fixed,
    /// An operator named it since.
    Added,
    /// Others told of it.
    Found,
}

/// Whether a server is what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not answered yet.
    Unheard,
    /// It is of the cluster. What it may be used for is [`crate::probing::judge`]'s to say.
    Member,
    /// It is not used.
    Doubted(Doubt),
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, never given to another.
    pub id: ServerId,
    /// Where it is asked.
    pub address: Address,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it is used.
    pub standing: Standing,
    /// Why it is believed to belong to the cluster; empty for one from the configuration.
    pub evidence: BTreeSet<Evidence>,
    /// One that was found may be reached at these addresses only; empty forbids it.
    pub at: BTreeSet<IpAddr>,
    /// Who it must turn out to be, of one that was found.
    pub claim: Option<Claim>,
    pub(super) word: Option<Word>,
    answers: bool,
    /// It leads the cluster by the word of servers that were named: whom it replicates from is another cluster's.
    pub(super) heads: bool,
    /// When it last answered or was named.
    seen: Option<Instant>,
}

/// What a shell is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Look a host name up and tell [`Roster::looked_up`].
    LookUp(String),
    /// Begin to ask a server that was found.
    Add(ServerId),
    /// Stop asking it.
    Remove {
        /// Its number.
        id: ServerId,
        /// Where it was.
        address: Address,
        /// Nothing where it is simply gone.
        why: Option<Doubt>,
    },
    /// It is used now, or not any more, see [`Entry::standing`].
    Stands(ServerId),
}

/// All servers that are known.
#[derive(Debug, Clone)]
pub struct Roster {
    pub(super) policy: Policy,
    pub(super) entries: Vec<Entry>,
    rejected: Vec<Found>,
    names: BTreeSet<String>,
    pub(super) places: Places,
    pub(super) next: Option<u16>,
    /// Servers that an operator has taken out, which are not found again.
    pub(super) banned: Vec<Banned>,
}

impl Roster {
    /// Begins with the servers of the configuration, numbered in their order.
    #[must_use]
    pub fn new(policy: Policy, fixed: &[Address]) -> Self {
        let entries: Vec<Entry> = (0..)
            .zip(fixed)
            .map(|(id, address)| entry(ServerId(id), address.clone(), Origin::Fixed, None))
            .collect();
        let next = u16::try_from(entries.len()).ok();
        Self {
            policy,
            entries,
            rejected: Vec::new(),
            names: BTreeSet::new(),
            places: Places::default(),
            next,
            banned: Vec::new(),
        }
    }

    /// Every server, in the order in which Headgate came to know them.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Servers that others tell of and that are not asked, with the reason.
    #[must_use]
    pub fn rejected(&self) -> &[Found] {
        &self.rejected
    }

    /// The host names of all that is known, to be looked up again from time to time.
    #[must_use]
    pub const fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Takes in what a server said, or that it did not answer.
    pub fn hear(&mut self, id: ServerId, word: Option<Word>, now: Instant) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) else { return };
        entry.answers = word.is_some();
        self.places.answers(&entry.address, entry.answers);
        if let Some(word) = word {
            entry.seen = Some(now);
            // Somebody else answers there now: what was confirmed was another.
            if entry.word.as_ref().is_none_or(|before| before.who.compare(&word.who) != Likeness::Same) {
                entry.standing = Standing::Unheard;
            }
            entry.word = Some(word);
        }
    }

    /// Takes in what a name leads to, or why it leads nowhere.
    pub fn looked_up(&mut self, host: &str, found: Result<BTreeSet<IpAddr>, String>) {
        self.places.looked_up(host, found);
    }

    /// Draws the conclusions. `allowed` says whether a discovered server may have an address.
    pub fn step(&mut self, allowed: &dyn Fn(IpAddr) -> bool, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.stand(allowed, &mut changes);
        self.drop_doubles(&mut changes);
        self.forget(now, &mut changes);
        self.look_around(allowed, now, &mut changes);
        for entry in self.entries.iter_mut().filter(|entry| entry.origin == Origin::Found) {
            entry.at = reachable(&entry.address, &self.places, allowed);
        }
        changes
    }

    fn listed(&self) -> Vec<Listed<'_>> {
        self.entries.iter().map(Entry::listed).collect()
    }

    /// Says of each server that has answered whether it is used. The configuration goes before what was found, the
    /// older before the newer.
    fn stand(&mut self, allowed: &dyn Fn(IpAddr) -> bool, changes: &mut Vec<Change>) {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|at| {
            let entry = self.entries.get(*at);
            entry.map(|entry| (entry.origin == Origin::Found, entry.standing != Standing::Member, entry.id))
        });
        for (rank, at) in order.iter().enumerate() {
            let before: Vec<&Entry> =
                order.iter().take(rank).filter_map(|other| self.entries.get(*other)).collect();
            let Some(standing) = self.entries.get(*at).map(|entry| self.judge(entry, &before, allowed))
            else {
                continue;
            };
            if let Some(entry) = self.entries.get_mut(*at)
                && entry.standing != standing
            {
                entry.standing = standing;
                changes.push(Change::Stands(entry.id));
            }
        }
    }

    fn judge(&self, entry: &Entry, before: &[&Entry], allowed: &dyn Fn(IpAddr) -> bool) -> Standing {
        let Some(word) = &entry.word else { return Standing::Unheard };
        for other in before {
            // Of two that have not been told apart, one that is not used stands in nobody's way.
            let Some(others) = other.word.as_ref().filter(|_| other.standing == Standing::Member) else {
                continue;
            };
            let address = other.address.clone();
            match word.who.compare(&others.who) {
                Likeness::Same => return Standing::Doubted(Doubt::SameAs { address }),
                Likeness::Twin => return Standing::Doubted(Doubt::Twin { of: address }),
                Likeness::Other => {}
            }
        }
        // Who was confirmed once stays so, also when those who told of it are gone.
        if entry.origin != Origin::Found || entry.standing == Standing::Member {
            return Standing::Member;
        }
        let others: Vec<Listed<'_>> =
            self.entries.iter().filter(|other| other.id != entry.id).map(Entry::listed).collect();
        let about = discover(&others, &self.places, allowed);
        let here = about.iter().filter(|found| {
            found.claim.is(&word.who)
                || found.address.as_ref().is_some_and(|address| self.places.meet(address, &entry.address))
        });
        let mut doubt = Doubt::Another;
        for found in here {
            match found.confirm(word) {
                Ok(()) => return Standing::Member,
                Err(Doubt::Another) => {}
                Err(better) => doubt = better,
            }
        }
        Standing::Doubted(doubt)
    }

    /// Takes out servers that were found and are known under another address.
    fn drop_doubles(&mut self, changes: &mut Vec<Change>) {
        let used: Vec<(ServerId, Address, Word)> = self
            .entries
            .iter()
            .filter(|entry| entry.standing == Standing::Member)
            .filter_map(|entry| Some((entry.id, entry.address.clone(), entry.word.clone()?)))
            .collect();
        self.entries.retain(|entry| {
            let same = match (&entry.standing, &entry.claim) {
                (Standing::Doubted(Doubt::SameAs { address }), _) => Some(address.clone()),
                (Standing::Unheard, Some(claim)) => used
                    .iter()
                    .find(|(id, _, word)| *id != entry.id && claim.is(&word.who))
                    .map(|(_, address, _)| address.clone()),
                _ => None,
            };
            let Some(address) = same.filter(|_| entry.origin == Origin::Found) else { return true };
            changes.push(entry.removed(Some(Doubt::SameAs { address })));
            false
        });
    }

    fn forget(&mut self, now: Instant, changes: &mut Vec<Change>) {
        let listed: Vec<Listed<'_>> = self
            .entries
            .iter()
            .map(|entry| Listed { tells: entry.answers && entry.tells(), ..entry.listed() })
            .collect();
        let told: Vec<_> = listed.iter().flat_map(leads).collect();
        let is_named = |entry: &Entry| {
            told.iter().any(|lead| match &entry.word {
                Some(word) => lead.claim.is(&word.who),
                None => lead.address.as_ref() == Some(&entry.address),
            })
        };
        let named: BTreeSet<ServerId> =
            self.entries.iter().filter(|entry| is_named(entry)).map(|entry| entry.id).collect();
        let (policy, mut gone) = (self.policy, Vec::new());
        self.entries.retain_mut(|entry| {
            if entry.answers || named.contains(&entry.id) {
                entry.seen = Some(now);
            }
            let seen = *entry.seen.get_or_insert(now);
            let stays =
                entry.origin != Origin::Found || now.saturating_duration_since(seen) < policy.forget_after;
            if !stays {
                gone.push(entry.removed(None));
            }
            stays
        });
        changes.append(&mut gone);
    }

    fn look_around(&mut self, allowed: &dyn Fn(IpAddr) -> bool, now: Instant, changes: &mut Vec<Change>) {
        let found = discover(&self.listed(), &self.places, allowed);
        let mut hosts: BTreeSet<String> = BTreeSet::new();
        self.rejected.clear();
        for mut found in found {
            if self.is_banned(&found) {
                found.may = May::Not(Doubt::Removed);
            }
            match (&found.may, &found.address) {
                (May::LookUp(host), _) => {
                    if hosts.insert(host.clone()) {
                        changes.push(Change::LookUp(host.clone()));
                    }
                    continue;
                }
                (May::Ask(_), Some(address)) => {
                    // Two that are told to be at one place: whoever answers there says which it is.
                    if self.entries.iter().any(|entry| entry.address == *address) {
                        continue;
                    }
                    if let Some(id) = self.next.filter(|_| self.entries.len() < self.policy.most) {
                        let mut new =
                            entry(ServerId(id), address.clone(), Origin::Found, Some(found.claim.clone()));
                        new.evidence = found.evidence.clone();
                        new.seen = Some(now);
                        self.next = id.checked_add(1);
                        changes.push(Change::Add(new.id));
                        self.entries.push(new);
                        continue;
                    }
                    found.may = May::Not(Doubt::TooMany);
                }
                (May::Ask(_) | May::Not(_), _) => {}
            }
            self.rejected.push(found);
        }
        let host = |address: &Address| match address {
            Address::Tcp { host, .. } => Some(host.clone()),
            Address::Unix(_) => None,
        };
        let rejected = self.rejected.iter().filter_map(|found| found.address.as_ref());
        let addresses: BTreeSet<Address> =
            self.entries.iter().map(|entry| &entry.address).chain(rejected).cloned().collect();
        hosts.extend(addresses.iter().filter_map(host));
        self.places.keep(&hosts, &addresses);
        hosts.retain(|host| host.parse::<IpAddr>().is_err());
        self.names = hosts;
    }
}

impl Entry {
    const fn tells(&self) -> bool {
        matches!(self.standing, Standing::Member)
    }

    fn listed(&self) -> Listed<'_> {
        Listed {
            address: &self.address,
            word: self.word.as_ref(),
            claim: self.claim.as_ref(),
            tells: self.tells(),
            heads: self.heads,
        }
    }

    fn removed(&self, why: Option<Doubt>) -> Change {
        Change::Remove { id: self.id, address: self.address.clone(), why }
    }
}

pub(super) fn entry(id: ServerId, address: Address, origin: Origin, claim: Option<Claim>) -> Entry {
    Entry {
        id,
        address,
        origin,
        standing: Standing::Unheard,
        evidence: BTreeSet::new(),
        at: BTreeSet::new(),
        claim,
        word: None,
        answers: false,
        heads: false,
        seen: None,
    }
}

/// The addresses that a server which was found may be reached at: all of its name's, or none.
fn reachable(address: &Address, places: &Places, allowed: &dyn Fn(IpAddr) -> bool) -> BTreeSet<IpAddr> {
    let Address::Tcp { host, .. } = address else { return BTreeSet::new() };
    match places.of(host) {
        Some(Ok(found)) if found.iter().all(|ip| allowed(*ip)) => found,
        _ => BTreeSet::new(),
    }
}
