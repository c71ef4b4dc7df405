//! Starts failover, once every server has said that the control account may do all that it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::directory::Directory;
use super::driver::{Crew, Driver, Early};
use super::gate::Gate;
use super::handle::Handle;
use super::journal::Journal;
use super::members::{self, Member, Watches};
use super::settings::{Common, Settings};
use super::state::{self, StateError};
use super::view::{Standing, View, Wish, WishOutcome};
use super::watch::Told;
use crate::election::{Machine, Rules, Sight, Stage, State};
use crate::runtime::{clock, tasks};
use crate::topology::ServerId;

/// How long servers are given to say what the control account may do there, once one has said so.
const INSPECTION: Duration = Duration::from_secs(3);
/// How often that is looked at again where it is not enough.
pub(super) const AGAIN: Duration = Duration::from_secs(30);

/// Starts failover.
#[must_use]
pub fn start(settings: Settings, gate: Arc<Gate>) -> Handle {
    let settings = Arc::new(settings);
    let directory = Arc::new(Directory::default());
    let members = members::follow(settings.topology.clone(), settings.way.clone());
    directory.follow(members.borrow().iter().map(|member| &member.target));
    directory.recall(&settings.state_dir);
    if state::exists(&settings.state_dir) {
        // Who was the primary is known better than it can be guessed: clients wait until the machine says so.
        gate.close();
    }
    let (publish, view) = watch::channel(Arc::new(View::default()));
    let (wishes, wanted) = mpsc::channel(8);
    let journal = Arc::new(Journal::default());
    let handle = Handle { view, wishes, directory: Arc::clone(&directory), journal: Arc::clone(&journal) };
    tasks::spawn("failover", drive(settings, directory, members, (gate, journal), publish, wanted));
    handle
}

/// Whether clients may be served though there is no machine. Not where an earlier run was changing the primary, or made one
/// the primary that is not known: a server might take writes that was replaced.
fn may_serve(settings: &Settings, directory: &Directory) -> bool {
    match state::load(&settings.state_dir, directory) {
        Ok(state) => state.is_none_or(|state| state.stage == Stage::Settled),
        Err(StateError::UnknownServer { .. }) => false,
        Err(StateError::File { .. } | StateError::Unreadable { .. }) => true,
    }
}

async fn drive(
    settings: Common,
    directory: Arc<Directory>,
    mut members: watch::Receiver<Vec<Member>>,
    (gate, journal): (Arc<Gate>, Arc<Journal>),
    publish: watch::Sender<Arc<View>>,
    mut wishes: mpsc::Receiver<Wish>,
) {
    loop {
        let (tell, mut told) = mpsc::channel(256);
        let mut watches = Watches::new(Arc::clone(&settings), Arc::clone(&directory), tell);
        let known = members.borrow_and_update().clone();
        watches.follow(&known);
        // Of servers that were not known before.
        directory.recall(&settings.state_dir);
        let ready = match inspect(&known, &directory, &mut told).await {
            Ok(inspected) => state::load(&settings.state_dir, &directory)
                .map_err(|error| error.to_string())
                .and_then(|saved| {
                    takes_part(saved, &settings, &inspected.joined).map_err(|primary| {
                        directory.spell(&format!("{primary}, the primary, takes no part"))
                    })?;
                    Ok((saved, inspected))
                }),
            Err(why) => Err(why),
        };
        let why = match ready {
            Ok((saved, Inspected { early, joined })) => {
                let rules = rules(&settings, &directory);
                let servers: Vec<ServerId> = joined.iter().copied().collect();
                let machine = Machine::restore(saved, rules, &servers, clock::now());
                let crew = Crew { watches, members, known, joined };
                Driver::new(settings, directory, (gate, journal), machine, publish, crew)
                    .run(early, told, wishes)
                    .await;
                return;
            }
            Err(why) => why,
        };
        drop(watches);
        // There is nobody to finish or to put back anything.
        let serves = may_serve(&settings, &directory);
        let why = match serves {
            true => why,
            false => format!("{why}; clients wait, since an earlier run was changing the primary"),
        };
        if serves {
            gate.release();
        }
        let off = Standing::Off(why.clone());
        if publish.borrow().standing != off {
            tracing::warn!(%why, "no automatic failover");
            publish.send_replace(Arc::new(View { standing: off, ..View::default() }));
        }
        let again = clock::sleep(AGAIN);
        tokio::pin!(again);
        loop {
            tokio::select! {
                () = &mut again => break,
                changed = members.changed() => match changed {
                    Ok(()) => break,
                    // Nobody tells of servers any more when Headgate ends.
                    Err(_) => return,
                },
                wish = wishes.recv() => match wish {
                    Some(Wish::Operator(_, reply)) => drop(reply.send(WishOutcome::Refused(why.clone()))),
                    None => return,
                },
            }
        }
    }
}

/// Whether the primary is among those that take part; or else which server it is.
fn takes_part(
    saved: Option<State>,
    settings: &Settings,
    joined: &BTreeSet<ServerId>,
) -> Result<(), ServerId> {
    let seen = || settings.topology.borrow().primary.clone().ok();
    match saved.map(|state| state.primary).or_else(seen) {
        Some(primary) if !joined.contains(&primary) => Err(primary),
        _ => Ok(()),
    }
}

fn rules(settings: &Settings, directory: &Directory) -> Rules {
    let vetoes = settings.vetoes.iter().filter_map(|address| directory.server(&address.to_string()));
    Rules { vetoes: vetoes.collect(), ..settings.rules.clone() }
}

/// What the servers have said of themselves before there is a machine.
struct Inspected {
    early: Early,
    /// Those that take part.
    joined: BTreeSet<ServerId>,
}

/// Waits until every server has said whether failover can be done with it, or does not answer. Says why it cannot, where
/// it cannot be done with one that people have named; one that was found stays out.
async fn inspect(
    known: &[Member],
    directory: &Directory,
    told: &mut mpsc::Receiver<(ServerId, Told)>,
) -> Result<Inspected, String> {
    let mut early = Early::new();
    let mut joined: BTreeSet<ServerId> = known.iter().map(|member| member.target.server).collect();
    let mut fine: BTreeSet<ServerId> = BTreeSet::new();
    let mut silent: BTreeSet<ServerId> = BTreeSet::new();
    let mut until = None;
    while !joined.iter().all(|server| fine.contains(server) || silent.contains(server)) || fine.is_empty() {
        let next = match until {
            None => told.recv().await,
            Some(until) => {
                let left = Instant::saturating_duration_since(&until, clock::now());
                match clock::within(left, told.recv()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            }
        };
        let Some((server, what)) = next else { return Err("Headgate is ending".to_owned()) };
        match &what {
            Told::Lacks(lacks) if lacks.is_empty() => {
                until.get_or_insert(clock::now() + INSPECTION);
            }
            Told::Lacks(lacks) => {
                let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
                let address = directory.address(server).unwrap_or_default();
                if known.iter().any(|member| member.target.server == server && member.named) {
                    return Err(format!("{address}: {}", lacks.join("; ")));
                }
                joined.remove(&server);
            }
            // From now on it is known by what replicas call it. What has been seen before may name nobody's source.
            Told::Sight(_, Sight::Answered(_)) => {
                silent.remove(&server);
                fine.insert(server);
                continue;
            }
            Told::Sight(_, Sight::Trouble(_) | Sight::Crowded) if !fine.contains(&server) => {
                silent.insert(server);
            }
            _ => {}
        }
        early.push((server, what));
    }
    Ok(Inspected { early, joined })
}
