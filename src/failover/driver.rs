//! The one task that owns the machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::directory::Directory;
use super::gate::Gate;
use super::heartbeat;
use super::office::{self, Work};
use super::rival::Rivals;
use super::settings::{Common, Settings};
use super::state;
use super::view::{Happened, Standing, View, Wish, WishOutcome};
use super::watch::{ServerSettings, Told, Watch};
use crate::election::{
    Action, Alert, Command, CommandId, Done, Event, Failure, Heartbeat, Machine, Operator, Phase, Policy, Receiver,
    Rules, Sight,
};
use crate::runtime::{clock, tasks};
use crate::topology::{Epoch, ServerId};

/// How long servers are given to say what the control account may do there, once one has said so.
const INSPECTION: Duration = Duration::from_secs(3);
/// How often that is looked at again where it is not enough.
const AGAIN: Duration = Duration::from_secs(30);
/// A new primary has the semi-synchronous settings of the one before after this time at the latest.
const SETTLING: Duration = Duration::from_secs(15);

/// What others hold of failover.
#[derive(Debug, Clone)]
pub struct Handle {
    view: watch::Receiver<Arc<View>>,
    wishes: mpsc::Sender<Wish>,
    directory: Arc<Directory>,
}

impl Handle {
    /// For where there is no failover.
    #[must_use]
    pub fn off(why: String) -> Self {
        let view = View { standing: Standing::Off(why), ..View::default() };
        Self {
            view: watch::channel(Arc::new(view)).1,
            wishes: mpsc::channel(1).0,
            directory: Arc::default(),
        }
    }

    /// Where failover stands.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// The server at an address.
    #[must_use]
    pub fn server(&self, address: &str) -> Option<ServerId> {
        self.directory.server(address)
    }

    /// A server's address.
    #[must_use]
    pub fn address(&self, server: ServerId) -> String {
        self.directory.address(server).map_or_else(|| server.to_string(), str::to_owned)
    }

    /// Asks for something, and waits until the machine has taken it in.
    pub async fn ask(&self, operator: Operator) -> WishOutcome {
        let (reply, answer) = oneshot::channel();
        let gone = || match &self.view.borrow().standing {
            Standing::Off(why) => WishOutcome::Refused(why.clone()),
            Standing::Starting => WishOutcome::Refused("the servers have not been asked yet".to_owned()),
            Standing::On(_) => WishOutcome::Refused("Headgate is ending".to_owned()),
        };
        // A full queue means that many ask at once.
        if self.wishes.try_send(Wish::Operator(operator, reply)).is_err() {
            return gone();
        }
        clock::within(AGAIN, answer).await.ok().and_then(Result::ok).unwrap_or_else(gone)
    }

    /// Waits until the view is so.
    pub async fn wait_for(&self, limit: Duration, so: impl Fn(&View) -> bool) -> Arc<View> {
        let mut view = self.view.clone();
        let _ = clock::within(limit, view.wait_for(|view| so(view))).await;
        self.view()
    }
}

/// Starts failover.
#[must_use]
pub fn start(settings: Settings, gate: Arc<Gate>) -> Handle {
    let settings = Arc::new(settings);
    let directory = Arc::new(Directory::new(&settings.targets));
    directory.recall(&settings.state_dir);
    let (publish, view) = watch::channel(Arc::new(View::default()));
    let (wishes, wanted) = mpsc::channel(8);
    let handle = Handle { view, wishes, directory: Arc::clone(&directory) };
    tasks::spawn("failover", drive(settings, directory, gate, publish, wanted));
    handle
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
        let watches: Vec<_> = settings.targets.iter().map(|target| {
            let watch = Watch {
                target: target.clone(),
                settings: Arc::clone(&settings),
                directory: Arc::clone(&directory),
                tell: tell.clone(),
                brisk: brisk.subscribe(),
            };
            tasks::Owned::spawn("failover watch", watch.run())
        }).collect();
        drop(tell);
        let why = match inspect(&settings, &directory, &mut told).await {
            Ok(early) => match state::load(&settings.state_dir, &directory) {
                Ok(saved) => {
                    let rules = rules(&settings, &directory);
                    let servers: Vec<ServerId> = settings.targets.iter().map(|target| target.server).collect();
                    let machine = Machine::restore(saved, rules, &servers, clock::now());
                    Driver::new(settings, directory, gate, machine, publish, brisk).run(early, told, wishes).await;
                    return;
                }
                Err(error) => error.to_string(),
            },
            Err(why) => why,
        };
        drop(watches);
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

type Early = Vec<(ServerId, Told)>;

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
            Told::Sight(_, Sight::Trouble(_) | Sight::Crowded) if !fine.contains(&server) => {
                if !silent.contains(&server) {
                    silent.push(server);
                }
            }
            _ => {}
        }
        early.push((server, what));
    }
    Ok(early)
}

/// What a task that carries something out has to tell.
enum Note {
    /// An event.
    Event(&'static str, String),
    /// A replica's source says this often now that it is there.
    Heartbeat(ServerId, Duration),
}

type Answered = (CommandId, Epoch, Result<Done, Failure>);

struct Driver {
    settings: Common,
    directory: Arc<Directory>,
    gate: Arc<Gate>,
    machine: Machine,
    view: View,
    publish: watch::Sender<Arc<View>>,
    brisk: watch::Sender<bool>,
    answers: (mpsc::Sender<Answered>, mpsc::Receiver<Answered>),
    /// Notes of tasks that carry something out.
    notes: (mpsc::Sender<Note>, mpsc::Receiver<Note>),
    set: HashMap<ServerId, ServerSettings>,
    /// What the primary had set when that was last known for sure.
    model: Option<ServerSettings>,
    published_at: Option<Instant>,
    /// Whose receivers run, and from whom.
    receivers: HashMap<ServerId, ServerId>,
    /// Who is in trouble, as told last.
    troubled: HashMap<ServerId, String>,
    desks: HashMap<ServerId, Arc<Mutex<()>>>,
    at_rest: Arc<AtomicBool>,
    heartbeats_tried: HashMap<ServerId, Instant>,
    rivals: Rivals,
    logged: u64,
    began: (Instant, SystemTime),
    /// Headgate has promoted somebody in this run, or may do so by itself.
    speaks: bool,
}

impl Driver {
    fn new(
        settings: Common,
        directory: Arc<Directory>,
        gate: Arc<Gate>,
        machine: Machine,
        publish: watch::Sender<Arc<View>>,
        brisk: watch::Sender<bool>,
    ) -> Self {
        let policy = settings.rules.policy;
        let standing = match policy {
            Policy::Available => Standing::On("available"),
            Policy::Safe => Standing::On("safe"),
            Policy::External => Standing::On("external"),
            Policy::Off => Standing::Off("failover.mode is \"off\"; SWITCHOVER TO and FAILOVER work".to_owned()),
        };
        let desks = settings.targets.iter().map(|target| (target.server, Arc::default())).collect();
        Self {
            settings,
            directory,
            gate,
            machine,
            view: View { standing, ..View::default() },
            publish,
            brisk,
            answers: mpsc::channel(64),
            notes: mpsc::channel(64),
            set: HashMap::new(),
            model: None,
            published_at: None,
            receivers: HashMap::new(),
            troubled: HashMap::new(),
            desks,
            at_rest: Arc::default(),
            heartbeats_tried: HashMap::new(),
            rivals: Rivals::default(),
            logged: 0,
            began: (clock::now(), clock::wall()),
            speaks: policy != Policy::Off,
        }
    }

    async fn run(
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
                () = clock::sleep(wake.max(Duration::from_millis(1))) => {
                    self.step(Event::Tick);
                }
            }
            self.look_for_rivals();
            self.see_to_heartbeats();
            self.show();
        }
    }

    /// Takes in what a watch tells.
    fn hear(&mut self, server: ServerId, told: Told) {
        match told {
            Told::Sight(asked, sight) => {
                self.see(server, &sight);
                if let Err(error) = self.directory.write_down(&self.settings.state_dir) {
                    tracing::warn!(%error, "what replicas call their source could not be written down");
                }
                self.step(Event::Seen { server, asked, sight });
            }
            Told::Lacks(lacks) => {
                if !lacks.is_empty() {
                    let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
                    self.note("lacks", format!("{server}: {}", lacks.join("; ")));
                }
            }
            Told::Set(settings) => self.learn(server, settings),
            Told::Rivals(strangers) => self.rivals.see(clock::now(), server, strangers),
        }
    }

    fn see(&mut self, server: ServerId, sight: &Sight) {
        let trouble = match sight {
            Sight::Answered(report) => {
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
        self.brisk.send_if_modified(|was| std::mem::replace(was, brisk) != brisk);
    }

    fn learn(&mut self, server: ServerId, settings: ServerSettings) {
        let settled = self.published_at.is_none_or(|at| clock::now().saturating_duration_since(at) > SETTLING);
        let at_rest = self.machine.phase().is_at_rest();
        if Some(server) == self.machine.primary() && at_rest && (settled || settings.waits_for_replicas()) {
            self.model = Some(settings.clone());
        }
        self.set.insert(server, settings);
        self.rely_on_heartbeats();
    }

    fn has_heartbeat(&mut self, server: ServerId, period: Duration) {
        self.set.entry(server).or_default().heartbeat = Some(period);
        self.rely_on_heartbeats();
    }

    /// Tells the machine what silence means by now.
    fn rely_on_heartbeats(&mut self) {
        let period = heartbeat::in_force(self.settings.heartbeat, &self.set, self.machine.primary());
        if let Some(heartbeat) = period.filter(|period| *period != self.machine.rules().heartbeat) {
            let (Heartbeat::Managed(every) | Heartbeat::Found(every)) = heartbeat;
            let rules = Rules { heartbeat, ..self.machine.rules().clone() };
            let silence = rules.silence();
            self.note("heartbeat", format!("replicas hear every {every:?}; a silence counts after {silence:?}"));
            self.step(Event::Rules(rules));
        }
    }

    /// Steps the machine and sends its commands out. Answers why it declined, if it did.
    fn step(&mut self, event: Event) -> Option<String> {
        let mut declined = None;
        for command in self.machine.step(clock::now(), event) {
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
            Action::Publish { primary } => {
                self.published_at = Some(clock::now());
                if self.speaks {
                    (self.settings.publish)(*primary);
                }
                return self.answer(id, epoch, Ok(Done::Plainly));
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
        let desk = action.server().and_then(|server| self.desks.get(&server)).cloned();
        let work = Work {
            action,
            deadline,
            settings: Arc::clone(&self.settings),
            directory: Arc::clone(&self.directory),
            gate: Arc::clone(&self.gate),
            stray,
            model: self.model.clone().or_else(|| self.set.values().find(|one| one.waits_for_replicas()).cloned()),
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

    /// What an operator's program is told.
    fn hook_input(&self) -> Vec<(&'static str, String)> {
        let primary = self.machine.primary().and_then(|primary| self.directory.address(primary));
        let why = self.machine.timeline().entries().next_back().map(|entry| self.directory.spell(&entry.what));
        vec![
            ("primary", primary.unwrap_or_default().to_owned()),
            ("phase", self.machine.phase().name().to_owned()),
            ("epoch", self.machine.epoch().0.to_string()),
            ("why", why.unwrap_or_default()),
        ]
    }

    fn raise(&mut self, alert: &Alert) {
        let what = match alert {
            Alert::Blocked(why) => format!("{why}; {}", why.advice()),
            Alert::Quarantined { server, why } => format!("{server} is in quarantine: {why}"),
            Alert::Lost(lost) => format!("acknowledged transactions are not on the new primary: {lost}"),
            Alert::Unfenced { server, problem } => format!("{server} could not be made read only: {problem}"),
            Alert::Declined(why) => format!("declined: {why}"),
        };
        let what = self.directory.spell(&what);
        tracing::warn!(what, "failover needs attention");
        self.note("alert", what);
    }

    fn note(&mut self, kind: &'static str, what: String) {
        let what = self.directory.spell(&what);
        tracing::debug!(kind, what, "failover");
        self.view.epoch = self.machine.epoch();
        self.view.note(clock::wall(), kind, what);
    }

    /// Writes what is new in the timeline to the log.
    fn log(&mut self) {
        let mut last = self.logged;
        for entry in self.machine.timeline().entries().filter(|entry| entry.number > self.logged) {
            let what = self.directory.spell(&entry.what);
            tracing::info!(phase = entry.phase, epoch = entry.epoch.0, what, "failover");
            last = entry.number;
        }
        self.logged = last;
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

    /// Has replicas told what they are to hear, one attempt in ten seconds, while nothing is being changed.
    fn see_to_heartbeats(&mut self) {
        let Some(wanted) = self.settings.heartbeat else { return };
        if *self.machine.phase() != Phase::Healthy || self.rivals.told().is_some() || !self.speaks {
            return;
        }
        let now = clock::now();
        let replicas: Vec<(ServerId, Duration)> = self
            .set
            .iter()
            .filter(|(server, _)| Some(**server) != self.machine.primary())
            .filter(|(server, _)| self.machine.primary().is_some_and(|primary| self.receivers.get(server) == Some(&primary)))
            .filter_map(|(server, settings)| Some((*server, settings.heartbeat?)))
            .filter(|(_, period)| *period != wanted)
            .filter(|(server, _)| {
                let tried = self.heartbeats_tried.get(server);
                tried.is_none_or(|at| now.saturating_duration_since(*at) > Duration::from_secs(10))
            })
            .collect();
        for (server, found) in replicas {
            self.heartbeats_tried.insert(server, now);
            let address = self.directory.address(server).unwrap_or_default().to_owned();
            if let Err(error) = heartbeat::record(&self.settings.state_dir, &address, found) {
                self.note("heartbeat", format!("{server} keeps {found:?}, which could not be recorded: {error}"));
                continue;
            }
            let desk = self.desks.get(&server).cloned().unwrap_or_default();
            let (settings, at_rest) = (Arc::clone(&self.settings), Arc::clone(&self.at_rest));
            let notes = self.notes.0.clone();
            tasks::spawn("heartbeat", async move {
                let outcome = office::set_heartbeat(&settings, server, wanted, &desk, &at_rest).await;
                let what = match &outcome {
                    Ok(()) => format!("{server} hears every {wanted:?}, and not every {found:?}"),
                    Err(failure) => format!("{server} keeps {found:?}: {failure}"),
                };
                // Nobody listens when Headgate ends.
                let _ = notes.send(Note::Event("heartbeat", what)).await;
                if outcome.is_ok() {
                    let _ = notes.send(Note::Heartbeat(server, wanted)).await;
                }
            });
        }
    }

    /// Publishes where things stand.
    fn show(&mut self) {
        let machine = &self.machine;
        let wall = |at: Instant| self.began.1 + at.saturating_duration_since(self.began.0);
        let happened = |entry: &crate::election::Entry| Happened {
            number: entry.number,
            at: wall(entry.at),
            epoch: entry.epoch,
            kind: entry.phase,
            what: self.directory.spell(&entry.what),
        };
        self.view.timeline = machine.timeline().entries().map(happened).collect();
        self.view.phase = machine.phase().name();
        self.view.at_rest = machine.phase().is_at_rest();
        self.view.blocked = matches!(machine.phase(), Phase::Blocked(_));
        self.view.epoch = machine.epoch();
        self.view.primary = machine.primary();
        self.view.silence = machine.rules().silence();
        let kept_out = |(server, why): (ServerId, &crate::election::Quarantine)| (server, why.to_string());
        self.view.quarantined = machine.quarantined().map(kept_out).collect();
        self.publish.send_replace(Arc::new(self.view.clone()));
    }
}
