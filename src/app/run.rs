//! The seam between the command line and the proxy: everything is known, now run until told to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::build::{self, Parts};
use super::console;
use super::reload::reload;
use super::settings::{Loaded, Settings, Source, Surroundings};
use super::workers::{self, Contexts};
use crate::auth::Secret;
use crate::config::RuntimeModel;
use crate::net::listener::{Listener, Sharing};
use crate::runtime::shutdown::{Phase, Shutdown};
use crate::runtime::{clock, tasks};
use crate::telemetry;
use crate::telemetry::http::{self, Pages, Readiness};
use crate::telemetry::logging::Logging;
use crate::topology::{Server, ServerState};

/// What [`run`] is given.
#[derive(Debug)]
pub struct Start {
    /// The configuration this start uses.
    pub loaded: Loaded,
    /// The control account's password.
    pub password: Secret,
    /// Where to read the configuration again on SIGHUP, and what to resolve it against.
    pub source: Source,
    /// The surroundings of the process.
    pub surroundings: Surroundings,
    /// Takes a new filter on reload.
    pub logging: Logging,
}

/// How often a drain looks whether it is over.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

/// Runs the proxy until SIGTERM or SIGINT and drains it. Builds its own runtime.
pub fn run(start: Start) -> anyhow::Result<()> {
    let runtime = &start.loaded.settings.runtime;
    let mut builder = match runtime.model {
        RuntimeModel::MultiThread => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(runtime.workers.get());
            builder
        }
        RuntimeModel::PerCore => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().context("no runtime")?.block_on(serve(start))
}

async fn serve(mut start: Start) -> anyhow::Result<()> {
    // Taken before anything else, so that a signal during the start is not lost.
    let mut signals = Signals::new()?;
    let settings = start.loaded.settings.clone();
    let parts = tokio::select! {
        parts = build::parts(&settings, &start.password) => parts?,
        () = signals.stop() => return Ok(()),
    };
    let console = console::prepare(&settings).await?;
    let shutdown = Arc::new(Shutdown::default());
    let (contexts, threads) = start_workers(&settings, &parts, &shutdown).await?;
    serve_http(&settings, &parts, contexts.clone()).await?;
    if let Some(console) = console {
        console.serve(&parts, contexts, &shutdown)?;
    }
    let listen: Vec<String> = settings.front.listen.iter().map(ToString::to_string).collect();
    tracing::info!(listen = listen.join(", "), version = env!("CARGO_PKG_VERSION"), "ready");
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hang_up.recv() => {
                reload(&mut start.loaded, &start.source, &start.surroundings, &parts, &start.logging);
            }
        }
    }
    let limit = start.loaded.settings.front.drain_timeout;
    drain(&parts, &shutdown, limit, &mut signals).await;
    for thread in threads {
        // Its panic has been reported by the panic hook.
        let _ = thread.join();
    }
    Ok(())
}

type Threads = Vec<std::thread::JoinHandle<()>>;

async fn start_workers(
    settings: &Settings,
    parts: &Parts,
    shutdown: &Arc<Shutdown>,
) -> anyhow::Result<(Contexts, Threads)> {
    match settings.runtime.model {
        RuntimeModel::MultiThread => {
            let context = workers::context(parts, false);
            let listeners = workers::bind(settings, Sharing::Alone).await?;
            workers::serve(listeners, &context, shutdown);
            Ok((vec![context], Vec::new()))
        }
        RuntimeModel::PerCore => {
            let count = settings.runtime.workers.get();
            let contexts: Contexts = (0..count).map(|_| workers::context(parts, count > 1)).collect();
            // Each binds on a runtime of its own, which may not be done from within this one.
            let (settings, all, shutdown) = (settings.clone(), contexts.clone(), Arc::clone(shutdown));
            let threads =
                tokio::task::spawn_blocking(move || workers::spawn_threads(&settings, &all, &shutdown))
                    .await??;
            Ok((contexts, threads))
        }
    }
}

async fn serve_http(settings: &Settings, parts: &Parts, contexts: Contexts) -> anyhow::Result<()> {
    let Some(address) = &settings.http else { return Ok(()) };
    let listeners = Listener::bind(address, Sharing::Alone).await?;
    let topology = parts.shared.topology.clone();
    let readiness = move || match &topology.borrow().primary {
        Ok(_) => Readiness::Ready,
        Err(why) => Readiness::NotReady { why: why.to_string() },
    };
    let sample = sampler(parts, contexts);
    let pages = Arc::new(Pages {
        registry: Arc::clone(&parts.registry),
        readiness: Box::new(readiness),
        sample: Box::new(sample),
    });
    for listener in listeners {
        let pages = Arc::clone(&pages);
        tasks::spawn("http", async move { http::serve(listener, pages).await });
    }
    Ok(())
}

/// Sets the gauges that nobody keeps up to date.
fn sampler(parts: &Parts, contexts: Contexts) -> impl Fn() + Send + Sync + 'static {
    let (limits, topology) = (Arc::clone(&parts.limits), parts.shared.topology.clone());
    let (counters, pause) = (Arc::clone(&parts.shared.counters), Arc::clone(&parts.shared.pause));
    move || {
        let topology = Arc::clone(&topology.borrow());
        let standing = |id| topology.server(id).map(standing);
        let idle: Vec<_> = contexts.iter().map(|context| context.pool.idle()).collect();
        counters.show_pause(pause.standing().is_some(), pause.gate().waiting());
        limits.show(|id| idle.iter().filter_map(|idle| idle.get(&id)).sum(), standing);
    }
}

fn standing(server: &Server) -> telemetry::Standing {
    let role = match server.state {
        ServerState::Primary => "primary",
        ServerState::Replica => "replica",
        ServerState::NotServing(_) => "none",
    };
    let lag = match server.state {
        ServerState::Primary => Some(Duration::ZERO),
        _ => server.lag.map(|lag| lag.behind),
    };
    let drained = server.drained.is_some();
    telemetry::Standing { health: server.health.word(), role, drained, lag }
}

/// Lets sessions finish, then ends them.
async fn drain(parts: &Parts, shutdown: &Shutdown, limit: Duration, signals: &mut Signals) {
    let clients = || parts.shared.clients.load(Ordering::Relaxed);
    tracing::info!(clients = clients(), ?limit, "draining; a second signal ends at once");
    shutdown.advance(Phase::Draining);
    let finished = async {
        while clients() > 0 {
            clock::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        done = clock::within(limit, finished) => if done.is_err() {
            tracing::warn!(clients = clients(), "the drain took too long; the rest is cut");
        },
        () = signals.stop() => tracing::warn!(clients = clients(), "ended at once"),
    }
    shutdown.advance(Phase::Ending);
    // For the last words to go out.
    clock::sleep(DRAIN_LOOK).await;
    tracing::info!("stopped");
}

/// The signals that concern Headgate.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
