//! `headgate explain`: asks the servers once and says where a statement would go, by the code that decides.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::build;
use super::settings::Settings;
use crate::auth::Secret;
use crate::monitor;
use crate::net::tls::ClientTls;
use crate::routing::{Explanation, explain as decide};
use crate::runtime::clock;
use crate::session::SessionView;
use crate::sql::{LexMode, is_local_schema};
use crate::topology::{ServerState, Topology};

/// For the answers of all servers, beside the time that connecting takes.
const PATIENCE: Duration = Duration::from_secs(3);

/// Explains where a statement would go that a session sends right after its login.
///
/// # Errors
/// No primary can be found; the words say why.
pub fn explain(
    settings: &Settings,
    password: &Secret,
    statement: &str,
    schema: Option<&str>,
) -> anyhow::Result<Explanation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let tls = Arc::new(ArcSwap::from_pointee(ClientTls::load(&build::backend_tls(&settings.backend))?));
        let watch = build::watching(settings, password);
        let handles = monitor::start(build::servers(settings, &tls), watch).await;
        let topology = settled(handles.topology, settings.backend.connect_timeout + PATIENCE).await;
        let Some(facts) = &topology.facts else {
            match &topology.primary {
                Err(why) => bail!("there is no primary: {why}"),
                Ok(_) => bail!("the primary did not answer in time"),
            }
        };
        let local_schema = schema.is_some_and(|schema| is_local_schema(schema.as_bytes()));
        let session = SessionView { local_schema, ..SessionView::fresh(facts.generation) };
        // A text with parameters is there to be prepared.
        let (text, mode) = (statement.as_bytes(), LexMode { parameters: true, ..facts.lex_mode(true) });
        Ok(decide(text, mode, &session, &topology, settings.routing, false, clock::now()))
    })
}

/// The first picture in which the primary is known and the data of every replica has a date.
async fn settled(mut published: watch::Receiver<Arc<Topology>>, limit: Duration) -> Arc<Topology> {
    let complete = |topology: &Arc<Topology>| {
        let dated = |state: &ServerState| *state == ServerState::Replica;
        topology.facts.is_some()
            && topology.primary.is_ok()
            && topology.servers.iter().all(|server| !dated(&server.state) || server.as_of.is_some())
    };
    // Past the limit, what is known by then has to do.
    let _ = clock::within(limit, published.wait_for(complete)).await;
    let topology = published.borrow();
    Arc::clone(&topology)
}
