//! ROLLING RESTART carried out: looks at the servers, and has drained and switched over what [`Rolling`] orders.

use std::time::Duration;

use parking_lot::Mutex;

use super::commands::switch_over;
use super::view::View;
use crate::rolling::{Event, Look, Order, Outcome, Rolling, Seen};
use crate::routing::Policy;
use crate::runtime::{clock, tasks};
use crate::topology::{Health, Server, ServerState};

/// How often the servers are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// A replica that is not further behind has caught up.
const CAUGHT_UP: Duration = Duration::from_secs(1);

/// The rolling restart that there is, or the last one that there was.
#[derive(Debug, Default)]
pub struct Guide {
    state: Mutex<State>,
    /// Held while an order is carried out, so that what undoes another does not overtake it.
    desk: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts up with each, so that what one has ordered answers no other.
    number: u64,
    rolling: Option<Rolling>,
}

impl Guide {
    /// As it stands.
    pub(super) fn rolling(&self) -> Option<Rolling> {
        self.state.lock().rolling.clone()
    }

    /// Begins one, or says why not.
    pub(super) fn begin(&self, view: &View) -> Result<(), String> {
        let look = look(view);
        let mut state = self.state.lock();
        if state.rolling.as_ref().is_some_and(|rolling| rolling.outcome().is_none()) {
            return Err("one is under way; SHOW ROLLING RESTART tells how far it is".to_owned());
        }
        let rolling = Rolling::begin(clock::now(), &look).map_err(|why| view.failover.spell(&why))?;
        state.number += 1;
        state.rolling = Some(rolling);
        tell(view, "a rolling restart begins");
        tasks::spawn("rolling restart", run(view.clone(), state.number));
        Ok(())
    }

    /// Stops the one that there is. False where there is none.
    pub(super) async fn stop(&self, view: &View, by: String) -> bool {
        let (number, runs) = {
            let state = self.state.lock();
            (state.number, state.rolling.as_ref().is_some_and(|rolling| rolling.outcome().is_none()))
        };
        if let Some(order) = self.step(view, number, Event::Stop { by }) {
            // Nothing waits for the answer any more.
            let _ = self.carry_out(view, number, order).await;
        }
        runs
    }

    /// Steps the one with this number, and tells people of what has changed.
    fn step(&self, view: &View, number: u64, event: Event) -> Option<Order> {
        let mut state = self.state.lock();
        let State { number: present, rolling } = &mut *state;
        let rolling = rolling.as_mut().filter(|_| number == *present)?;
        let before: Vec<_> = rolling.steps().iter().map(|step| step.stage).collect();
        let went_on = rolling.outcome().is_none();
        let order = rolling.step(clock::now(), event);
        for (step, _) in rolling.steps().iter().zip(before).filter(|(step, before)| step.stage != *before) {
            let wanted = step.wanted().map(|wanted| format!("; {wanted}")).unwrap_or_default();
            tell(view, &format!("{} {}: {}{wanted}", step.server, step.stage.word(), step.what));
        }
        match rolling.outcome().filter(|_| went_on) {
            Some(Outcome::Finished) => tell(view, "the rolling restart is finished"),
            Some(Outcome::Stopped(why)) => tell(view, &format!("the rolling restart is stopped: {why}")),
            None => {}
        }
        order
    }

    fn goes_on(&self, number: u64) -> bool {
        let state = self.state.lock();
        number == state.number && state.rolling.as_ref().is_some_and(|rolling| rolling.outcome().is_none())
    }

    async fn carry_out(&self, view: &View, number: u64, order: Order) -> Result<(), String> {
        let _turn = self.desk.lock().await;
        // It may have been stopped while its order was on the way, and put back.
        if !matches!(order, Order::Undrain(_)) && !self.goes_on(number) {
            return Err("it was stopped".to_owned());
        }
        let topology = view.topology();
        let operator = &view.shared.operator;
        let address = |id| topology.server(id).map(|server| server.address.clone());
        let gone = || "it is gone".to_owned();
        match order {
            Order::Drain(id) => {
                operator.drain(address(id).ok_or_else(gone)?).await.map_err(|error| error.to_string())
            }
            Order::Undrain(id) => {
                operator.undrain(address(id).ok_or_else(gone)?).await.map_err(|error| error.to_string())
            }
            Order::SwitchOver { to } => switch_over(view, to).await,
        }
    }
}

/// Looks and steps until it is over.
async fn run(view: View, number: u64) {
    let guide = &view.rolling;
    while guide.goes_on(number) {
        let mut order = guide.step(&view, number, Event::Look(look(&view)));
        while let Some(wanted) = order {
            let outcome = guide.carry_out(&view, number, wanted).await;
            order = guide.step(&view, number, Event::Obeyed(outcome));
        }
        clock::sleep(EVERY).await;
    }
}

fn tell(view: &View, what: &str) {
    let what = view.failover.spell(what);
    tracing::info!(what, "rolling restart");
    view.failover.journal().note(clock::wall(), "rolling", what);
}

/// The servers that failover knows. Others can be drained by hand.
fn look(view: &View) -> Look {
    let (failover, topology) = (view.failover.view(), view.topology());
    let policy = view.shared.live.load().policy;
    let known = |server: &&Server| {
        !server.leaving && view.failover.server(&server.address.to_string()) == Some(server.id)
    };
    let seen = |server: &Server| Seen {
        server: server.id,
        run: failover.runs.get(&server.id).copied(),
        answers: server.since.is_some() && !matches!(server.health, Health::Down(_)),
        well: well(server, policy),
        drained: server.drained.is_some(),
        in_use: view.in_use(server.id),
    };
    Look {
        at_rest: failover.at_rest,
        epoch: failover.epoch,
        primary: failover.primary.filter(|primary| topology.primary == Ok(*primary)),
        candidates: failover.candidates.clone(),
        servers: topology.servers.iter().filter(known).map(seen).collect(),
    }
}

/// Whether a server does what it should, or what it lacks of that.
fn well(server: &Server, policy: Policy) -> Result<(), String> {
    if let ServerState::NotServing(why) = &server.state {
        return Err(why.to_string());
    }
    if let Health::Suspect(trouble) | Health::Down(trouble) = server.health {
        return Err(format!("it is {}: {trouble}", server.health.word()));
    }
    if server.state == ServerState::Primary {
        return Ok(());
    }
    match server.lag {
        Some(lag) if server.as_of.is_some() && lag.behind <= policy.max_lag.min(CAUGHT_UP) => Ok(()),
        Some(lag) if server.as_of.is_some() => Err(format!("it is {:.1?} behind", lag.behind)),
        _ => Err("how far it is behind is not known".to_owned()),
    }
}
