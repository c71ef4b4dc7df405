//! Starts failover, once every server has said that the control account may do all that it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::directory::Directory;
use super::driver::{Driver, Early};
use super::gate::Gate;
use super::handle::Handle;
use super::settings::{Common, Settings};
use super::state;
use super::view::{Standing, View, Wish, WishOutcome};
use super::watch::{Told, Watch};
use crate::election::{Machine, Rules, Sight, Stage};
use crate::runtime::{clock, tasks};
use crate::topology::ServerId;

/// How long servers are given to say what the control account may do there, once one has said so.
const INSPECTION: Duration = Duration::from_secs(3);
/// How often that is looked at again where it is not enough.
const AGAIN: Duration = Duration::from_secs(30);

/// Starts failover.
#[must_use]
pub fn start(settings: Settings, gate: Arc<Gate>) -> Handle {
    let settings = Arc::new(settings);
    let directory = Arc::new(Directory::new(&settings.targets));
    directory.recall(&settings.state_dir);
    if is_unfinished(&settings, &directory) {
        gate.close();
    }
    let (publish, view) = watch::channel(Arc::new(View::default()));
    let (wishes, wanted) = mpsc::channel(8);
    let handle = Handle { view, wishes, directory: Arc::clone(&directory) };
    tasks::spawn("failover", drive(settings, directory, gate, publish, wanted));
    handle
}

/// Whether an earlier run was changing the primary. Until that is finished or put back a server may take writes that is
/// being replaced, so clients wait.
fn is_unfinished(settings: &Settings, directory: &Directory) -> bool {
    state::load(&settings.state_dir, directory)
        .is_ok_and(|state| state.is_some_and(|state| state.stage != Stage::Settled))
}

async fn drive(
    settings: Common,
    directory: Arc<Directory>,
    gate: Arc<Gate>,
    publish: watch::Sender<Arc<View>>,
    mut wishes: mpsc::Receiver<Wish>,
) {
    loop {
        let (tell, mut told) = mpsc::channel(256);
        let (brisk, _) = watch::channel(false);
        let watches: Vec<_> = settings
            .targets
            .iter()
            .map(|target| {
                let watch = Watch {
                    target: target.clone(),
                    settings: Arc::clone(&settings),
                    directory: Arc::clone(&directory),
                    tell: tell.clone(),
                    brisk: brisk.subscribe(),
                };
                tasks::Owned::spawn("failover watch", watch.run())
            })
            .collect();
        drop(tell);
        let why = match inspect(&settings, &directory, &mut told).await {
            Ok(early) => match state::load(&settings.state_dir, &directory) {
                Ok(saved) => {
                    let rules = rules(&settings, &directory);
                    let servers: Vec<ServerId> =
                        settings.targets.iter().map(|target| target.server).collect();
                    let machine = Machine::restore(saved, rules, &servers, clock::now());
                    Driver::new(settings, directory, gate, machine, publish, brisk)
                        .run(early, told, wishes)
                        .await;
                    return;
                }
                Err(error) => error.to_string(),
            },
            Err(why) => why,
        };
        drop(watches);
        // There is nobody to finish or to put back anything.
        gate.release();
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
                wish = wishes.recv() => match wish {
                    Some(Wish::Operator(_, reply)) => drop(reply.send(WishOutcome::Refused(why.clone()))),
                    None => return,
                },
            }
        }
    }
}

fn rules(settings: &Settings, directory: &Directory) -> Rules {
    let vetoes = settings.vetoes.iter().filter_map(|address| directory.server(&address.to_string()));
    Rules { vetoes: vetoes.collect(), ..settings.rules.clone() }
}

/// Waits until every server has said whether failover can be done with it, or does not answer. Says why it cannot.
async fn inspect(
    settings: &Settings,
    directory: &Directory,
    told: &mut mpsc::Receiver<(ServerId, Told)>,
) -> Result<Early, String> {
    let mut early = Early::new();
    let mut fine: Vec<ServerId> = Vec::new();
    let mut silent: Vec<ServerId> = Vec::new();
    let mut until = None;
    while fine.len() + silent.len() < settings.targets.len() || fine.is_empty() {
        let next = match until {
            None => told.recv().await,
            Some(until) => {
                let left = Instant::saturating_duration_since(&until, clock::now());
                match clock::within(left, told.recv()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(early),
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
                return Err(format!("{address}: {}", lacks.join("; ")));
            }
            // From now on it is known by what replicas call it. What has been seen before may name nobody's source.
            Told::Sight(_, Sight::Answered(_)) => {
                silent.retain(|other| *other != server);
                if !fine.contains(&server) {
                    fine.push(server);
                }
                continue;
            }
            Told::Sight(_, Sight::Trouble(_) | Sight::Crowded)
                if !fine.contains(&server) && !silent.contains(&server) =>
            {
                silent.push(server);
            }
            _ => {}
        }
        early.push((server, what));
    }
    Ok(early)
}
