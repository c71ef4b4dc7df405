//! The threads that serve clients.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::build::Parts;
use super::settings::{Doorway, Settings};
use crate::frontend::{self, Context, Entrance};
use crate::net::listener::{Listener, Sharing};
use crate::pool::Pool;
use crate::runtime::clock;
use crate::runtime::shutdown::{self, Phase, Shutdown};
use crate::runtime::tasks::{self, Owned};
use crate::topology::ServerId;

/// How often idle connections are looked through.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether servers may be asked for more connections, and whether those who wait for one get it.
const EASE_EVERY: Duration = Duration::from_millis(100);

/// The contexts of all workers, for what looks at all of them.
pub(super) type Contexts = Vec<Arc<Context>>;

/// One worker's share of the sessions.
pub(super) fn context(parts: &Parts, one_of_several: bool) -> Arc<Context> {
    let pool = Pool::new(Arc::clone(&parts.limits), one_of_several);
    Arc::new(Context { shared: Arc::clone(&parts.shared), pool })
}

/// A listener, and what holds for those who come in there.
pub(super) type Open = (Listener, Entrance);

/// Binds the listeners of one worker. Only the first serves Unix sockets, which cannot be shared.
pub(super) async fn bind(settings: &Settings, sharing: Sharing) -> anyhow::Result<Vec<Open>> {
    let mut listeners = Vec::new();
    for Doorway { address, entrance } in &settings.front.listen {
        if sharing != Sharing::Next || !matches!(address, crate::topology::Address::Unix(_)) {
            let bound = Listener::bind(address, sharing).await?;
            listeners.extend(bound.into_iter().map(|listener| (listener, *entrance)));
        }
    }
    Ok(listeners)
}

/// Accepts clients on the current runtime.
pub(super) fn serve(listeners: Vec<Open>, context: &Arc<Context>, shutdown: &Shutdown) {
    for (listener, entrance) in listeners {
        let accept = frontend::run(listener, entrance, Arc::clone(context), shutdown.listener());
        tasks::spawn("listener", accept);
    }
    let (limits, servers) = (Arc::clone(context.pool.limits()), Arc::clone(context));
    let ease = move || {
        let topology = servers.topology();
        limits.ease(|id| topology.server(id)?.max_connections, clock::now());
    };
    ease();
    let mut easing = shutdown.listener();
    tasks::spawn("ease", async move {
        while clock::within(EASE_EVERY, easing.reached(Phase::Ending)).await.is_err() {
            ease();
        }
    });
    tasks::spawn("servers", follow(Arc::clone(context), shutdown.listener()));
    let (context, mut ending) = (Arc::clone(context), shutdown.listener());
    tasks::spawn("expire", async move {
        while clock::within(EXPIRE_EVERY, ending.reached(Phase::Ending)).await.is_err() {
            context.pool.expire(clock::now());
        }
    });
}

/// Keeps connections ready at the servers that come, where that is wished, and closes those to servers that go or
/// are drained.
async fn follow(context: Arc<Context>, shutdown: shutdown::Listener) {
    let keeps_ready = context.pool.limits().limits().ready.min_idle > 0;
    let mut topology = context.shared.topology.clone();
    let mut known: HashMap<ServerId, Option<Owned>> = HashMap::new();
    let mut drained: HashSet<ServerId> = HashSet::new();
    loop {
        let now = Arc::clone(&topology.borrow_and_update());
        known.retain(|id, _| {
            let stays = now.server(*id).is_some_and(|server| !server.leaving);
            if !stays {
                context.pool.leave_server(*id);
            }
            stays
        });
        for server in now.servers.iter().filter(|server| !server.leaving) {
            known.entry(server.id).or_insert_with(|| {
                let ready = || frontend::keep_ready(server.id, Arc::clone(&context), shutdown.clone());
                keeps_ready.then(|| Owned::spawn("ready", ready()))
            });
        }
        let now_drained =
            now.servers.iter().filter(|server| server.drained.is_some()).map(|server| server.id);
        let before = std::mem::replace(&mut drained, now_drained.collect());
        drained.difference(&before).for_each(|id| context.pool.close_idle(*id));
        if topology.changed().await.is_err() {
            return;
        }
    }
}

/// Starts one thread a worker, each with a runtime and listeners of its own.
pub(super) fn spawn_threads(
    settings: &Settings,
    contexts: &Contexts,
    shutdown: &Arc<Shutdown>,
) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (number, context) in contexts.iter().enumerate() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listeners =
            runtime.block_on(bind(settings, if number == 0 { Sharing::First } else { Sharing::Next }))?;
        let (context, shutdown) = (Arc::clone(context), Arc::clone(shutdown));
        let thread = std::thread::Builder::new().name(format!("worker-{number}"));
        let work = move || {
            runtime.block_on(async {
                serve(listeners, &context, &shutdown);
                shutdown.listener().reached(Phase::Ending).await;
                // Sessions hear it as well, and get a moment to say so.
                clock::sleep(Duration::from_millis(100)).await;
            });
        };
        threads.push(thread.spawn(work).context("no thread for a worker")?);
    }
    Ok(threads)
}
