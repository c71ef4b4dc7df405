//! Where commands of the machine are carried out, each in a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::directory::Directory;
use super::gate::Gate;
use super::hooks::{self, Json};
use super::line::Line;
use super::orders::{self, Office};
use super::settings::{Common, Settings};
use super::state;
use super::watch::ServerSettings;
use crate::backend::Target;
use crate::election::{Action, Done, Failure, Hook};
use crate::runtime::clock;

/// A command, and what is needed for it.
pub(super) struct Work {
    pub(super) action: Action,
    pub(super) deadline: Instant,
    pub(super) settings: Common,
    pub(super) directory: Arc<Directory>,
    pub(super) gate: Arc<Gate>,
    pub(super) model: Option<ServerSettings>,
    /// The server is not the primary, or not well.
    pub(super) stray: bool,
    /// Held while something is done to the server, so that one order does not run into another.
    pub(super) desk: Option<Arc<Mutex<()>>>,
    pub(super) hook_input: Vec<(&'static str, String)>,
}

/// Carries a command out, by its deadline or not at all.
pub(super) async fn carry_out(work: Work) -> Result<Done, Failure> {
    let left = work.deadline.saturating_duration_since(clock::now());
    clock::within(left, work.do_it()).await.unwrap_or(Err(Failure::TimedOut))
}

impl Work {
    async fn do_it(self) -> Result<Done, Failure> {
        let Self { action, deadline, settings, directory, gate, model, stray, desk, hook_input } = self;
        match action {
            Action::HoldWrites { grace } => {
                let all_left = gate.hold(grace).await;
                if !all_left && !grace.is_zero() {
                    return Err(Failure::Refused("transactions have not ended in time".to_owned()));
                }
                Ok(Done::Held { relayed: (settings.relayed)() })
            }
            Action::Publish { primary } => {
                (settings.publish)(primary).await;
                Ok(Done::Plainly)
            }
            Action::Save(state) => {
                let save = move || state::save(&settings.state_dir, &directory, &state);
                match tokio::task::spawn_blocking(save).await {
                    Ok(Ok(())) => Ok(Done::Plainly),
                    Ok(Err(error)) => Err(Failure::Refused(error.to_string())),
                    Err(error) => Err(Failure::Refused(error.to_string())),
                }
            }
            Action::RunHook(hook) => {
                let program = match hook {
                    Hook::Before => settings.hooks.before.clone(),
                    Hook::After => settings.hooks.after.clone(),
                };
                let Some(program) = program else { return Ok(Done::Plainly) };
                let when = if hook == Hook::Before { "before" } else { "after" };
                let mut fields = vec![("when", Json::Text(Some(when)))];
                for (name, value) in &hook_input {
                    fields.push((name, value.parse().map_or(Json::Text(Some(value)), Json::Number)));
                }
                let input = hooks::object(&fields);
                let run = move || hooks::run(&program, &input, deadline);
                tokio::task::spawn_blocking(run)
                    .await
                    .unwrap_or_else(|error| Err(Failure::Refused(error.to_string())))
            }
            action => {
                let _turn = match &desk {
                    Some(desk) => Some(desk.lock().await),
                    None => None,
                };
                let office =
                    Office { settings: &settings, directory: &directory, model: model.as_ref(), stray };
                orders::carry_out(&office, action, deadline).await
            }
        }
    }
}

/// Sets a replica's heartbeat, unless something has begun meanwhile.
pub(super) async fn set_heartbeat(
    settings: &Settings,
    target: Option<Target>,
    period: Duration,
    desk: &Mutex<()>,
    at_rest: &AtomicBool,
) -> Result<(), Failure> {
    let _turn = desk.lock().await;
    if !at_rest.load(Ordering::Acquire) {
        return Err(Failure::Refused("a failover has begun".to_owned()));
    }
    let until = clock::now() + settings.rules.order;
    let Some(target) = target else { return Ok(()) };
    let mut line = Line::open(&target, settings, until).await?;
    orders::set_heartbeat(&mut line, period).await?;
    line.hang_up();
    Ok(())
}

/// A command in a few words.
pub(super) fn name(action: &Action) -> String {
    match action {
        Action::RestartReceiver { replica } => format!("restart the receiver of {replica}"),
        Action::HoldWrites { .. } => "hold writes".to_owned(),
        Action::ReleaseWrites => "let writes begin".to_owned(),
        Action::Save(state) => format!("save {:?}", state.stage),
        Action::RunHook(Hook::Before) => "run failover.hook_before".to_owned(),
        Action::RunHook(Hook::After) => "run failover.hook_after".to_owned(),
        Action::StopReceiver { replica } => format!("stop the receiver of {replica}"),
        Action::Fence { server, .. } => format!("make {server} read only"),
        Action::Unfence { server } => format!("make {server} writable"),
        Action::DrainApplier { replica, .. } => format!("wait for the applier of {replica}"),
        Action::Promote { server } => format!("promote {server}"),
        Action::Follow { replica, source, .. } => format!("have {replica} follow {source}"),
        Action::RestoreSemiSync { primary } => format!("set semi-sync of {primary}"),
        Action::Rebuild { server, donor } => format!("rebuild {server} from {donor}"),
        Action::Publish { primary } => format!("publish {primary}"),
        Action::Alert(_) => "tell operators".to_owned(),
    }
}
