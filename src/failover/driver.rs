//! The one task that owns the machine.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Mutex, mpsc, watch};

use super::directory::Directory;
use super::gate::Gate;
use super::heartbeat::{self, Recorded};
use super::journal::Journal;
use super::members::{Member, Watches};
use super::office::{self, Work};
use super::rival::Rivals;
use super::settings::Common;
use super::view::{Standing, View, Wish, WishOutcome};
use super::watch::{ServerSettings, Told};
use crate::election::{
    Action, Alert, Command, CommandId, Done, Event, Failure, Machine, Operator, Policy, Receiver, Sight,
};
use crate::runtime::{clock, tasks};
use crate::topology::{Epoch, ServerId};

/// A new primary has the semi-synchronous settings of the one before after this time at the latest.
const SETTLING: Duration = Duration::from_secs(15);

/// What was heard before there was a machine.
pub(super) type Early = Vec<(ServerId, Told)>;

/// What a task that carries something out has to tell.
pub(super) enum Note {
    /// An event.
    Event(&'static str, String),
    /// A replica's source says this often now that it is there.
    Heartbeat(ServerId, Duration),
}

pub(super) type Answered = (CommandId, Epoch, Result<Done, Failure>);

/// The machine, and what it is told and obeyed with.
pub(super) struct Driver {
    pub(super) settings: Common,
    pub(super) directory: Arc<Directory>,
    pub(super) gate: Arc<Gate>,
    pub(super) journal: Arc<Journal>,
    pub(super) machine: Machine,
    pub(super) view: View,
    pub(super) publish: watch::Sender<Arc<View>>,
    pub(super) watches: Watches,
    /// The servers that there are.
    pub(super) members: watch::Receiver<Vec<Member>>,
    /// The same, as last taken in.
    pub(super) known: Vec<Member>,
    /// They have changed since.
    pub(super) members_due: bool,
    /// Those that the machine knows of.
    pub(super) joined: BTreeSet<ServerId>,
    /// Those that lack something, and when they are asked again.
    pub(super) lacking: HashMap<ServerId, Instant>,
    pub(super) answers: (mpsc::Sender<Answered>, mpsc::Receiver<Answered>),
    /// Notes of tasks that carry something out.
    pub(super) notes: (mpsc::Sender<Note>, mpsc::Receiver<Note>),
    pub(super) set: HashMap<ServerId, ServerSettings>,
    /// What the primary had set when that was last known for sure.
    pub(super) model: Option<ServerSettings>,
    pub(super) published_at: Option<Instant>,
    /// Whose receivers run, and from whom.
    pub(super) receivers: HashMap<ServerId, ServerId>,
    /// Who is in trouble, as told last.
    pub(super) troubled: HashMap<ServerId, String>,
    /// One order to a server at a time.
    pub(super) desks: HashMap<ServerId, Arc<Mutex<()>>>,
    pub(super) at_rest: Arc<AtomicBool>,
    /// What replicas had before Headgate set it.
    pub(super) recorded: Recorded,
    pub(super) heartbeats_tried: HashMap<ServerId, Instant>,
    pub(super) rivals: Rivals,
    pub(super) logged: u64,
    pub(super) began: (Instant, SystemTime),
    /// Headgate has promoted somebody in this run, or may do so by itself.
    pub(super) speaks: bool,
}

/// The servers to begin with.
pub(super) struct Crew {
    pub(super) watches: Watches,
    pub(super) members: watch::Receiver<Vec<Member>>,
    pub(super) known: Vec<Member>,
    pub(super) joined: BTreeSet<ServerId>,
}

impl Driver {
    pub(super) fn new(
        settings: Common,
        directory: Arc<Directory>,
        (gate, journal): (Arc<Gate>, Arc<Journal>),
        machine: Machine,
        publish: watch::Sender<Arc<View>>,
        crew: Crew,
    ) -> Self {
        let policy = settings.rules.policy;
        let standing = match policy {
            Policy::Available => Standing::On("available"),
            Policy::Safe => Standing::On("safe"),
            Policy::External => Standing::On("external"),
            Policy::Off => {
                Standing::Off("failover.mode is \"off\"; SWITCHOVER TO and FAILOVER work".to_owned())
            }
        };
        let recorded = heartbeat::recorded(&settings.state_dir);
        Self {
            settings,
            directory,
            gate,
            journal,
            machine,
            view: View { standing, ..View::default() },
            publish,
            watches: crew.watches,
            members: crew.members,
            known: crew.known,
            members_due: true,
            joined: crew.joined,
            lacking: HashMap::new(),
            answers: mpsc::channel(64),
            notes: mpsc::channel(64),
            set: HashMap::new(),
            model: None,
            published_at: None,
            receivers: HashMap::new(),
            troubled: HashMap::new(),
            desks: HashMap::new(),
            at_rest: Arc::default(),
            recorded,
            heartbeats_tried: HashMap::new(),
            rivals: Rivals::default(),
            logged: 0,
            began: (clock::now(), clock::wall()),
            speaks: policy != Policy::Off,
        }
    }

    pub(super) async fn run(
        mut self,
        early: Early,
        mut told: mpsc::Receiver<(ServerId, Told)>,
        mut wishes: mpsc::Receiver<Wish>,
    ) {
        for (server, what) in early {
            self.hear(server, what);
        }
        loop {
            let wake = self.machine.wake_at().saturating_duration_since(clock::now());
            tokio::select! {
                Some((id, epoch, outcome)) = self.answers.1.recv() => {
                    self.step(Event::Answered { id, epoch, outcome });
                }
                Some(note) = self.notes.1.recv() => match note {
                    Note::Event(kind, what) => self.note(kind, what),
                    Note::Heartbeat(server, period) => self.has_heartbeat(server, period),
                },
                next = told.recv() => match next {
                    Some((server, what)) => self.hear(server, what),
                    None => return,
                },
                wish = wishes.recv() => match wish {
                    Some(Wish::Operator(operator, reply)) => {
                        let outcome = self.obey(operator);
                        // Who asked may have gone.
                        let _ = reply.send(outcome);
                    }
                    None => return,
                },
                changed = self.members.changed() => {
                    // Nobody tells of servers any more when Headgate ends.
                    if changed.is_err() {
                        return;
                    }
                    self.members_due = true;
                }
                () = clock::sleep(wake.max(Duration::from_millis(1))) => {
                    self.step(Event::Tick);
                }
            }
            self.look_for_rivals();
            self.see_to_members();
            self.see_to_heartbeats();
            self.show();
        }
    }

    /// Takes in what a watch tells.
    fn hear(&mut self, server: ServerId, told: Told) {
        let takes_part = self.joined.contains(&server);
        match told {
            Told::Lacks(lacks) if lacks.is_empty() => self.join(server),
            Told::Lacks(lacks) => {
                let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
                let lacks = lacks.join("; ");
                if !takes_part {
                    self.stays_out(server, &lacks);
                }
                self.note("lacks", format!("{server}: {lacks}"));
            }
            // Who takes no part has no say.
            _ if !takes_part => {}
            Told::Sight(asked, mut sight) => {
                if Some(server) == self.machine.primary() {
                    sight = self.settings.consider(server, sight, clock::now());
                }
                self.see(server, &sight);
                if let Err(error) = self.directory.write_down(&self.settings.state_dir) {
                    tracing::warn!(%error, "what replicas call their source could not be written down");
                }
                self.step(Event::Seen { server, asked, sight });
            }
            Told::Set(settings) => self.learn(server, settings),
            Told::Rivals(strangers) => self.rivals.see(clock::now(), server, strangers),
        }
    }

    fn see(&mut self, server: ServerId, sight: &Sight) {
        let trouble = match sight {
            Sight::Answered(report) => {
                self.view.runs.insert(server, report.run);
                let channel = report.channel.as_ref().filter(|channel| channel.receiver == Receiver::Running);
                match channel.and_then(|channel| channel.source) {
                    Some(source) => self.receivers.insert(server, source),
                    None => self.receivers.remove(&server),
                };
                None
            }
            Sight::Crowded => Some("answers with errors alone".to_owned()),
            Sight::Trouble(trouble) => Some(trouble.to_string()),
        };
        let before = self.troubled.get(&server);
        if before != trouble.as_ref() {
            let what = trouble.as_deref().unwrap_or("answers again");
            self.note("seen", format!("{server} {what}"));
        }
        match trouble {
            Some(trouble) => self.troubled.insert(server, trouble),
            None => self.troubled.remove(&server),
        };
        let brisk = !self.troubled.is_empty() || !self.machine.phase().is_at_rest();
        self.watches.brisk.send_if_modified(|was| std::mem::replace(was, brisk) != brisk);
    }

    fn learn(&mut self, server: ServerId, settings: ServerSettings) {
        let settled =
            self.published_at.is_none_or(|at| clock::now().saturating_duration_since(at) > SETTLING);
        let at_rest = self.machine.phase().is_at_rest();
        if Some(server) == self.machine.primary() && at_rest && (settled || settings.waits_for_replicas()) {
            self.model = Some(settings.clone());
        }
        self.set.insert(server, settings);
        self.rely_on_heartbeats();
    }

    /// Steps the machine and sends its commands out. Answers why it declined, if it did.
    pub(super) fn step(&mut self, event: Event) -> Option<String> {
        let mut declined = None;
        let commands = self.machine.step(clock::now(), event);
        #[cfg(all(feature = "lab", debug_assertions))]
        self.end_where_told();
        for command in commands {
            if let Action::Alert(Alert::Declined(why)) = &command.action {
                declined = Some(self.directory.spell(why));
            }
            self.send(command);
        }
        self.at_rest.store(self.machine.phase().is_at_rest(), Ordering::Release);
        self.log();
        declined
    }

    fn obey(&mut self, operator: Operator) -> WishOutcome {
        let after = self.machine.timeline().entries().next_back().map_or(0, |entry| entry.number);
        self.note("operator", format!("{operator:?}"));
        match self.step(Event::Operator(operator)) {
            Some(why) => WishOutcome::Refused(why),
            None => WishOutcome::Begun { after },
        }
    }

    fn send(&mut self, command: Command) {
        let Command { id, epoch, deadline, action } = command;
        match &action {
            Action::Alert(alert) => return self.raise(alert),
            Action::Promote { .. } => self.speaks = true,
            Action::Publish { .. } => {
                self.published_at = Some(clock::now());
                if !self.speaks {
                    return self.answer(id, epoch, Ok(Done::Plainly));
                }
            }
            Action::ReleaseWrites => {
                self.gate.release();
                return self.answer(id, epoch, Ok(Done::Plainly));
            }
            _ => {}
        }
        // A server that is replaced, or that nobody has asked to be the primary, need not be spared.
        let stray = action.server().is_some_and(|server| {
            Some(server) != self.machine.primary() || self.troubled.contains_key(&server)
        });
        let desk = action.server().map(|server| Arc::clone(self.desks.entry(server).or_default()));
        let work = Work {
            action,
            deadline,
            settings: Arc::clone(&self.settings),
            directory: Arc::clone(&self.directory),
            gate: Arc::clone(&self.gate),
            stray,
            model: self
                .model
                .clone()
                .or_else(|| self.set.values().find(|one| one.waits_for_replicas()).cloned()),
            desk,
            hook_input: self.hook_input(),
        };
        let (answers, notes) = (self.answers.0.clone(), self.notes.0.clone());
        // Whoever is told to follow another is told what to hear as well.
        let heartbeat = match &work.action {
            Action::Follow { replica, within: Some(_), .. } => Some(*replica).zip(self.settings.heartbeat),
            _ => None,
        };
        tasks::spawn("order", async move {
            let name = office::name(&work.action);
            let begun = clock::now();
            let outcome = office::carry_out(work).await;
            #[cfg(all(feature = "lab", debug_assertions))]
            super::fault::point(&format!("after {name}"));
            let took = clock::now().saturating_duration_since(begun);
            let what = match &outcome {
                Ok(_) => format!("{name}: done in {took:?}"),
                Err(failure) => format!("{name}: {failure} ({took:?})"),
            };
            // Nobody listens when Headgate ends.
            let _ = notes.send(Note::Event("order", what)).await;
            if let (Some((replica, period)), Ok(_)) = (heartbeat, &outcome) {
                let _ = notes.send(Note::Heartbeat(replica, period)).await;
            }
            let _ = answers.send((id, epoch, outcome)).await;
        });
    }

    fn answer(&self, id: CommandId, epoch: Epoch, outcome: Result<Done, Failure>) {
        let answers = self.answers.0.clone();
        tasks::spawn("answer", async move {
            // Nobody listens when Headgate ends.
            let _ = answers.send((id, epoch, outcome)).await;
        });
    }

    fn look_for_rivals(&mut self) {
        if let Some(news) = self.rivals.news(clock::now()) {
            let what = match &news {
                Some(who) => format!("another Headgate watches these servers: {who}"),
                None => "the other Headgate has gone".to_owned(),
            };
            tracing::warn!(what, "failover");
            self.note("rival", what);
            self.step(Event::Rival(news));
        }
    }
}
