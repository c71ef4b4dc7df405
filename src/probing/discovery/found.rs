//! Which further servers belong to the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::lead::{Claim, Evidence, Lead, leads};
use super::places::Places;
use super::word::Word;
use crate::topology::Address;

/// A server that is known and asked.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Where it is asked.
    pub address: &'a Address,
    /// What it said when it last answered; nothing if it never did.
    pub word: Option<&'a Word>,
    /// Who it must turn out to be, of one that was found.
    pub claim: Option<&'a Claim>,
    /// Its word on others is believed.
    pub tells: bool,
    /// It leads the cluster, so that whom it replicates from is none of it.
    pub heads: bool,
}

/// A server that a known one tells of and that is none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it should be reached; nothing where nobody says.
    pub address: Option<Address>,
    /// Who must answer there.
    pub claim: Claim,
    /// Why it is believed to belong to the cluster.
    pub evidence: BTreeSet<Evidence>,
    /// Whether it may be asked.
    pub may: May,
    /// `server_id` of those that list it as their replica.
    listed_by: BTreeSet<u64>,
}

/// Whether a server that was found may be asked, which shows it the control account's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// Yes, at these addresses and no others that its name may come to have.
    Ask(BTreeSet<IpAddr>),
    /// Its name has to be looked up first.
    LookUp(String),
    /// No.
    Not(Doubt),
}

/// Why a server that was found is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody says where it is reached.
    NoAddress,
    /// Its name leads nowhere.
    NoSuchHost {
        /// What the look-up said.
        problem: String,
    },
    /// It is outside the networks that discovered servers may be in.
    Outside {
        /// One of its addresses that are.
        address: IpAddr,
    },
    /// Nothing is known of it that its answer could be compared with.
    Unidentified,
    /// Another server answers at its address.
    Another,
    /// A source lists it, but it does not say that it follows that source.
    NotMutual,
    /// It is a known server under another address.
    SameAs {
        /// The address under which it is used.
        address: Address,
    },
    /// It carries the name of another server.
    Twin {
        /// The address of the other one.
        of: Address,
    },
    /// There are too many servers.
    TooMany,
    /// An operator has taken it out.
    Removed,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str(
                "it does not say where it is reached; set report_host on it, or name it in the configuration",
            ),
            Self::NoSuchHost { problem } => write!(f, "its name leads nowhere: {problem}"),
            Self::Outside { address } => {
                write!(
                    f,
                    "{address} is outside servers.networks, the networks in which servers are discovered"
                )
            }
            Self::Unidentified => {
                f.write_str("who must answer there is not known before its replica has reached it")
            }
            Self::Another => f.write_str("another server answers there"),
            Self::NotMutual => f.write_str("it does not say itself that it follows the server that lists it"),
            Self::SameAs { address } => write!(f, "it is the same server as {address}"),
            Self::Twin { of } => write!(
                f,
                "it carries the name of {of}, as after a copy of its data; give it a server_id of its own, and on \
                 MySQL remove its auto.cnf"
            ),
            Self::TooMany => f.write_str("there are too many servers"),
            Self::Removed => f.write_str("REMOVE SERVER has taken it out; ADD SERVER takes it in again"),
        }
    }
}

impl Found {
    /// Whether the server that answered is the one that was told of.
    ///
    /// MariaDB's server ids are small numbers that a stranger may have too, so a replica that was listed must
    /// itself say that it follows whoever listed it.
    ///
    /// # Errors
    /// Why not.
    pub fn confirm(&self, word: &Word) -> Result<(), Doubt> {
        if !self.claim.is(&word.who) {
            return Err(Doubt::Another);
        }
        let by_number = self.claim.uuid.is_empty() && self.claim.instance.is_empty();
        if by_number && !word.who.uuid.is_empty() {
            // A channel of MySQL that was reset keeps the number of its source and forgets the UUID.
            return Err(Doubt::Unidentified);
        }
        let listed_only = self.evidence.iter().all(|evidence| matches!(evidence, Evidence::Follows { .. }));
        let mutual = || word.sources.iter().any(|channel| self.listed_by.contains(&channel.source_server_id));
        if by_number && listed_only && !mutual() { Err(Doubt::NotMutual) } else { Ok(()) }
    }
}

/// What all words together say of servers that are not known yet: each once, whoever told of it and under however
/// many addresses. `allowed` says whether a discovered server may have an address (HAZARDS 24).
///
/// The order of `known` does not matter.
#[must_use]
pub fn discover(known: &[Listed<'_>], places: &Places, allowed: &dyn Fn(IpAddr) -> bool) -> Vec<Found> {
    let mut told: BTreeMap<(Claim, Option<Address>), Vec<Lead>> = BTreeMap::new();
    for lead in known.iter().flat_map(leads).filter(|lead| !is_known(lead, known, places)) {
        // Without a name it can only be told from others by its address.
        let address = lead.claim.is_empty().then(|| lead.address.clone()).flatten();
        told.entry((lead.claim.key(), address)).or_default().push(lead);
    }
    told.into_values().filter_map(|leads| merge(&leads, known, places, allowed)).collect()
}

/// Whether a lead leads to a server that is known: by who it is, or, while the known one has not answered, by where.
fn is_known(lead: &Lead, known: &[Listed<'_>], places: &Places) -> bool {
    let place = |listed: &Listed<'_>| {
        lead.address.as_ref().is_some_and(|address| places.meet(address, listed.address))
    };
    // One that does not answer where it was looked for may do so elsewhere.
    let sought = |listed: &Listed<'_>| {
        let same = listed.claim.is_some_and(|claim| !claim.is_empty() && claim.key() == lead.claim.key());
        same && !places.is_silent(listed.address)
    };
    known.iter().any(|listed| match listed.word {
        Some(word) => lead.claim.is(&word.who) || (lead.claim.is_empty() && place(listed)),
        None => place(listed) || sought(listed),
    })
}

fn merge(
    leads: &[Lead],
    known: &[Listed<'_>],
    places: &Places,
    allowed: &dyn Fn(IpAddr) -> bool,
) -> Option<Found> {
    let judged = |lead: &Lead| {
        let taken = |address: &Address| known.iter().any(|listed| places.meet(address, listed.address));
        let may = match &lead.address {
            Some(address) if taken(address) => May::Not(Doubt::Another),
            _ => may(lead, places, allowed),
        };
        let silent = lead.address.as_ref().is_some_and(|address| places.is_silent(address));
        let rank = match &may {
            May::Ask(_) if !silent => 0,
            May::LookUp(_) => 1,
            May::Ask(_) => 2,
            May::Not(_) => 3,
        };
        // An address beside none, then the best evidence; the rest makes the choice the same for every order.
        ((rank, lead.address.is_none(), lead.evidence.clone(), lead.address.clone()), may)
    };
    let ((_, _, _, address), may) = leads.iter().map(judged).min_by(|(a, _), (b, _)| a.cmp(b))?;
    let claim = leads.iter().map(|lead| &lead.claim).max()?.clone();
    let listed_by = leads.iter().filter(|lead| matches!(lead.evidence, Evidence::Follows { .. }));
    Some(Found {
        address,
        claim,
        evidence: leads.iter().map(|lead| lead.evidence.clone()).collect(),
        may,
        listed_by: listed_by.map(|lead| lead.told_by).collect(),
    })
}

fn may(lead: &Lead, places: &Places, allowed: &dyn Fn(IpAddr) -> bool) -> May {
    let Some(Address::Tcp { host, .. }) = &lead.address else { return May::Not(Doubt::NoAddress) };
    if lead.claim.is_empty() {
        return May::Not(Doubt::Unidentified);
    }
    match places.of(host) {
        None => May::LookUp(host.clone()),
        Some(Err(problem)) => May::Not(Doubt::NoSuchHost { problem }),
        Some(Ok(found)) if found.is_empty() => {
            May::Not(Doubt::NoSuchHost { problem: "it has no address".to_owned() })
        }
        // One address inside and one outside is outside: whoever owns the name would choose.
        Some(Ok(found)) => match found.iter().find(|ip| !allowed(**ip)) {
            Some(outside) => May::Not(Doubt::Outside { address: *outside }),
            None => May::Ask(found),
        },
    }
}
