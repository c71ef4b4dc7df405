//! Keeps the roster of servers and the picture of them: takes in what was seen, has servers asked that come and leaves
//! those that go.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::orders::{OrderError, What};
use super::picture::{Picture, Seen};
use super::run::Discovery;
use super::watchers::Watchers;
use crate::probing::Identity;
use crate::probing::discovery::{Change, Claim, Entry, Found, May, Origin, Policy, Roster, Standing};
use crate::runtime::{clock, tasks};
use crate::topology::{Address, KnownBy, Rejected, Server, ServerId};

/// Servers that are watched at most; more may be listed.
const MOST: usize = 64;

/// How often names are looked up again.
const LOOK_UP_EVERY: Duration = Duration::from_secs(30);

/// How often it is looked whether servers are to be forgotten.
const TICK: Duration = Duration::from_secs(1);

/// For one look-up.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);

/// What a name leads to, or why it leads nowhere.
pub(super) type LookedUp = (String, Result<BTreeSet<IpAddr>, String>);

/// Who is known, and what is known of them.
pub(super) struct Keeper {
    pub(super) picture: Picture,
    roster: Roster,
    pub(super) watchers: Watchers,
    discovery: Option<Discovery>,
    weights: BTreeMap<Address, u16>,
    found: mpsc::Sender<LookedUp>,
    /// Names that are being looked up.
    pending: HashSet<String>,
    /// Names that have led somewhere.
    resolved: HashSet<String>,
    looked_up_at: Instant,
    ticked_at: Instant,
    /// Servers that an operator has taken out and that something still runs on.
    leaving: HashSet<ServerId>,
    /// Every server that was named has answered or failed to. Before, one of those might be taken for a new one.
    ready: bool,
}

impl Keeper {
    /// Begins with the servers of the configuration.
    pub(super) fn new(
        listed: &[Address],
        weights: BTreeMap<Address, u16>,
        watchers: Watchers,
        found: mpsc::Sender<LookedUp>,
    ) -> Self {
        let discovery = watchers.settings.discovery.clone();
        let forget_after = discovery.as_ref().map_or(Duration::MAX, |discovery| discovery.forget_after);
        let policy = Policy { forget_after, most: MOST.max(listed.len()) };
        let mut keeper = Self {
            picture: Picture::new(watchers.settings.patience, discovery.is_some()),
            roster: Roster::new(policy, listed),
            watchers,
            discovery,
            weights,
            found,
            pending: HashSet::new(),
            resolved: HashSet::new(),
            looked_up_at: clock::now(),
            ticked_at: clock::now(),
            leaving: HashSet::new(),
            ready: false,
        };
        let ids: Vec<_> = keeper.roster.entries().iter().map(|entry| entry.id).collect();
        ids.into_iter().for_each(|id| keeper.take_in(id));
        keeper.look_up_new();
        keeper
    }

    /// Whether all that is known has been asked once.
    pub(super) fn is_complete(&self) -> bool {
        self.picture.is_complete() && (self.discovery.is_none() || (self.ready && self.pending.is_empty()))
    }

    /// Takes in what was seen of a server.
    pub(super) fn see(&mut self, server: ServerId, seen: Seen) {
        match &seen {
            Seen::Word(word) => self.roster.hear(server, Some((**word).clone()), clock::now()),
            Seen::Unobserved(..) => self.roster.hear(server, None, clock::now()),
            _ => return self.picture.see(server, seen),
        }
        // Whether it is what it should be is known before what it says of its role is believed.
        self.step();
        self.picture.see(server, seen);
        if !self.ready && self.picture.is_complete() && self.roster.unknown_names().is_empty() {
            self.ready = true;
            self.step();
        }
    }

    /// Takes in what a name leads to.
    pub(super) fn looked_up(&mut self, (host, found): LookedUp) {
        self.pending.remove(&host);
        if found.is_ok() {
            self.resolved.insert(host.clone());
        } else if self.resolved.contains(&host) {
            // A resolver that is away for a moment changes nothing.
            return;
        }
        self.roster.looked_up(&host, found);
        self.step();
    }

    /// How long until [`Self::tick`] has something to do.
    pub(super) fn next_look(&self) -> Duration {
        TICK.saturating_sub(clock::now().saturating_duration_since(self.ticked_at))
    }

    /// Time may have passed.
    pub(super) fn tick(&mut self) {
        let now = clock::now();
        if now.saturating_duration_since(self.ticked_at) < TICK {
            return;
        }
        self.ticked_at = now;
        if now.saturating_duration_since(self.looked_up_at) >= LOOK_UP_EVERY {
            self.looked_up_at = now;
            let names: Vec<String> = self.roster.names().iter().cloned().collect();
            names.into_iter().for_each(|name| self.look_up(name));
        }
        if !self.ready && self.picture.is_complete() && self.roster.unknown_names().is_empty() {
            self.ready = true;
        }
        self.step();
    }

    /// Does what an operator asks.
    pub(super) fn order(&mut self, what: What) -> Result<(), OrderError> {
        match what {
            What::Add(address) => {
                if matches!(address, Address::Tcp { port: 0, .. }) {
                    return Err(OrderError::NoPort { address });
                }
                let id = self.roster.add(&address)?;
                tracing::info!(%address, "an operator has added a server");
                match self.watchers.running.contains_key(&id) {
                    true => self.vouch(id),
                    false => self.take_in(id),
                }
                self.look_up_new();
            }
            What::Remove(address) => {
                let id = self.other_than_primary(&address)?;
                if self.roster.entries().len() == 1 {
                    return Err(OrderError::IsLast { address });
                }
                tracing::info!(%address, "an operator has removed a server");
                self.roster.remove(id);
                self.picture.let_go(id);
                self.leaving.insert(id);
            }
            What::Drain(address) => {
                let id = self.other_than_primary(&address)?;
                tracing::info!(%address, "an operator has drained a server");
                self.picture.drain(id, clock::now());
            }
            What::Undrain(address) => {
                let id = self.known(&address)?;
                tracing::info!(%address, "an operator lets a server serve again that was drained");
                self.picture.undrain(id);
            }
            What::Forget(id) => {
                if self.leaving.remove(&id) {
                    self.leave(id);
                }
            }
        }
        self.step();
        Ok(())
    }

    /// The server at an address that an operator has written.
    fn known(&self, address: &Address) -> Result<ServerId, OrderError> {
        let entries = self.roster.entries();
        let known = entries.iter().find(|entry| entry.address == *address).map(|entry| entry.id);
        known.ok_or_else(|| OrderError::Unknown {
            address: address.clone(),
            known: entries.iter().map(|entry| entry.address.to_string()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The same, which must not be the primary, or who was it last.
    fn other_than_primary(&self, address: &Address) -> Result<ServerId, OrderError> {
        let id = self.known(address)?;
        match self.picture.primary().or(self.picture.reigning) {
            Some(primary) if primary == id => Err(OrderError::IsPrimary { address: address.clone() }),
            _ => Ok(id),
        }
    }

    /// Draws the conclusions of what is known.
    fn step(&mut self) {
        let Some(discovery) = &self.discovery else {
            // Who is the same as another is told apart without looking for further ones.
            let changes = self.roster.step(&|_| false, clock::now());
            return self.apply(changes);
        };
        let named: BTreeSet<ServerId> = self
            .roster
            .entries()
            .iter()
            .filter(|entry| entry.origin != Origin::Found)
            .map(|e| e.id)
            .collect();
        let head = self.picture.head(|id| named.contains(&id));
        self.roster.set_head(head);
        let (near, ready) = (self.roster.named_at(), self.ready);
        let allowed = |address: IpAddr| ready && discovery.networks.hold(address, &near);
        let changes = self.roster.step(&allowed, clock::now());
        self.apply(changes);
        let moved: Vec<_> =
            self.roster.entries().iter().filter(|entry| entry.origin == Origin::Found).collect();
        for entry in moved {
            let only = only(entry);
            if self.watchers.keep_to(entry.id, &entry.address, only.as_ref()) {
                self.picture.change(entry.id, |server| server.only = only);
            }
        }
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::LookUp(host) => {
                    if self.discovery.is_some() {
                        self.look_up(host);
                    }
                }
                Change::Add(id) => self.take_in(id),
                Change::Remove { id, address, why } => {
                    let why = why.map(|why| why.to_string());
                    tracing::info!(%address, why, "a server that was discovered is gone");
                    self.leave(id);
                }
                Change::Stands(id) => {
                    let standing = self.entry(id).map(|entry| entry.standing.clone());
                    let doubt = match standing {
                        Some(Standing::Doubted(doubt)) => Some(doubt.to_string()),
                        Some(Standing::Unheard | Standing::Member) | None => None,
                    };
                    self.picture.doubt(id, doubt);
                }
            }
        }
        if self.discovery.is_some() {
            self.picture.reject(self.roster.rejected().iter().map(rejected).collect());
        }
    }

    fn entry(&self, id: ServerId) -> Option<&Entry> {
        self.roster.entries().iter().find(|entry| entry.id == id)
    }

    /// Has a server of the roster asked.
    fn take_in(&mut self, id: ServerId) {
        let Some(entry) = self.entry(id) else { return };
        let (address, only) = (entry.address.clone(), only(entry));
        let identity = entry.claim.as_ref().filter(|claim| !claim.is_empty()).map(identity);
        let server = Server {
            weight: self.weights.get(&address).copied().unwrap_or(1),
            only: only.clone(),
            known_by: known_by(entry),
            ..Server::unknown(id, address.clone())
        };
        if let KnownBy::Found { evidence } = &server.known_by {
            tracing::info!(%address, %evidence, "a server is discovered");
        }
        self.picture.add(server, identity);
        self.watchers.begin(id, &address, only);
    }

    fn leave(&mut self, id: ServerId) {
        self.watchers.end(id);
        self.picture.remove(id);
    }

    /// One that was found has been named since, and may be reached wherever its name leads.
    fn vouch(&mut self, id: ServerId) {
        let Some(address) = self.entry(id).map(|entry| entry.address.clone()) else { return };
        self.watchers.keep_to(id, &address, None);
        self.picture.vouch(id);
    }

    fn look_up_new(&mut self) {
        if self.discovery.is_some() {
            self.roster.unknown_names().into_iter().for_each(|name| self.look_up(name));
        }
    }

    fn look_up(&mut self, host: String) {
        if !self.pending.insert(host.clone()) {
            return;
        }
        let found = self.found.clone();
        tasks::spawn("look-up", async move {
            let name = host.clone();
            let looked_up = clock::within(LOOK_UP_LIMIT, tokio::net::lookup_host((name, 0))).await;
            let addresses = match looked_up {
                Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect::<BTreeSet<IpAddr>>()),
                Ok(Err(problem)) => Err(problem.to_string()),
                Err(late) => Err(late.to_string()),
            };
            // Nobody listens when Headgate ends.
            let _ = found.send((host, addresses)).await;
        });
    }
}

/// The addresses at which a server that was found may be reached.
fn only(entry: &Entry) -> Option<Arc<[IpAddr]>> {
    (entry.origin == Origin::Found).then(|| entry.at.iter().copied().collect())
}

fn known_by(entry: &Entry) -> KnownBy {
    match entry.origin {
        Origin::Fixed => KnownBy::Listed,
        Origin::Added => KnownBy::Added,
        Origin::Found => KnownBy::Found { evidence: evidence(entry.evidence.iter()).into() },
    }
}

fn evidence<T: ToString>(of: impl Iterator<Item = T>) -> String {
    of.map(|one| one.to_string()).collect::<Vec<_>>().join("; ")
}

/// Who must answer where a server was found, as far as others can be compared with it before it has.
fn identity(claim: &Claim) -> Identity {
    Identity { uuid: claim.uuid.clone(), server_id: claim.server_id, read_only: true }
}

fn rejected(found: &Found) -> Rejected {
    let Claim { uuid, server_id, instance } = &found.claim;
    let name = match (uuid.as_str(), *server_id, instance.as_str()) {
        ("", 0, instance) => instance.to_owned(),
        ("", server_id, "") => format!("server_id {server_id}"),
        ("", _, instance) => instance.to_owned(),
        (uuid, _, _) => uuid.to_owned(),
    };
    let why = match &found.may {
        May::Not(doubt) => doubt.to_string(),
        May::LookUp(_) => "its name is being looked up".to_owned(),
        May::Ask(_) => "it is about to be asked".to_owned(),
    };
    Rejected { address: found.address.clone(), name, evidence: evidence(found.evidence.iter()), why }
}
