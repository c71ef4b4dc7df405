//! Reads views and stored functions, when they have changed.

use std::sync::Arc;

use super::prober::Prober;
use crate::backend::{BackendError, Connection};
use crate::probing::catalog::{self, Fingerprint};
use crate::topology::{Catalog, Definitions, Flavor, Traps};
use crate::wire::answer::Answer;

/// The last reading, and what it can be recognised by.
#[derive(Debug, Default)]
pub(super) struct Reading {
    known: Option<(Key, Arc<Catalog>)>,
    /// So many looks go by before bodies that were too many are asked for again.
    rest: u32,
    /// What stored code leaves behind.
    traps: Option<(Fingerprint, Arc<Traps>)>,
}

/// All that a catalog is made from, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    views: Fingerprint,
    /// Nothing where some functions may not be seen, or there are too many.
    functions: Option<Fingerprint>,
    loadable: Option<Vec<String>>,
}

/// What came of a reading.
enum Read {
    All(Arc<Catalog>),
    /// Past the bounds, or past the time the server may take.
    TooMuch,
    /// Something changed whenever it was read.
    Restless,
}

/// How often bodies that change while they are read are read again.
const ATTEMPTS: usize = 3;

/// Looks to let go by when there was too much to read.
const REST: u32 = 12;

impl Prober {
    /// What is defined now: as read before, where nothing has changed.
    pub(super) async fn ask_catalog(
        &self,
        connection: &mut Connection,
        grants: &Answer,
        version: u32,
        reading: &mut Reading,
    ) -> Result<Arc<Catalog>, BackendError> {
        let dialect = connection.flavor().dialect();
        if reading.rest == 0 {
            match self.read_catalog(connection, grants, version, reading).await? {
                Read::All(catalog) => return Ok(catalog),
                Read::TooMuch => {
                    tracing::info!("views are too many to be read, so none is taken to only read");
                    (reading.known, reading.rest) = (None, REST);
                }
                // Whoever changes them tells of the next change, and the next look is near.
                Read::Restless => {}
            }
        } else {
            reading.rest -= 1;
        }
        // The names alone, which makes nothing pure.
        let names = self.ask(connection, catalog::VIEW_NAMES).await?;
        Ok(Arc::new(Catalog::new(&catalog::only_names(names), dialect, version)))
    }

    async fn read_catalog(
        &self,
        connection: &mut Connection,
        grants: &Answer,
        version: u32,
        reading: &mut Reading,
    ) -> Result<Read, BackendError> {
        let flavor = connection.flavor();
        let shows_functions = catalog::grants_show_functions(flavor, grants);
        let mut key = self.ask_key(connection, flavor, shows_functions).await?;
        for _ in 0..ATTEMPTS {
            let Some(now) = key else { return Ok(Read::TooMuch) };
            if let Some((_, known)) = reading.known.as_ref().filter(|(read, _)| *read == now) {
                return Ok(Read::All(Arc::clone(known)));
            }
            let Some(definitions) = self.ask_definitions(connection, &now).await? else {
                return Ok(Read::TooMuch);
            };
            // What changed in between may be half in the bodies.
            key = self.ask_key(connection, flavor, shows_functions).await?;
            if key.as_ref() == Some(&now) {
                let read = move || Catalog::new(&definitions, flavor.dialect(), version);
                // Megabytes may have to be read, and others wait for this thread.
                let Ok(read) = tokio::task::spawn_blocking(read).await else { return Ok(Read::TooMuch) };
                let read = Arc::new(read);
                reading.known = Some((now, Arc::clone(&read)));
                return Ok(Read::All(read));
            }
        }
        Ok(Read::Restless)
    }

    /// Nothing where the views are too many to be read.
    async fn ask_key(
        &self,
        connection: &mut Connection,
        flavor: Flavor,
        shows_functions: bool,
    ) -> Result<Option<Key>, BackendError> {
        let read = |answer: Option<Answer>| Fingerprint::read(&answer?).filter(|print| !print.is_too_much());
        let Some(views) = read(self.try_ask(connection, &catalog::view_fingerprint()).await?) else {
            return Ok(None);
        };
        let (mut functions, mut loadable) = (None, None);
        if shows_functions {
            functions = read(self.try_ask(connection, &catalog::function_fingerprint()).await?);
            let names = self.try_ask(connection, catalog::loadable(flavor)).await?;
            loadable = names.and_then(|names| catalog::read_loadable(flavor, &names));
        }
        Ok(Some(Key { views, functions, loadable }))
    }

    async fn ask_definitions(
        &self,
        connection: &mut Connection,
        key: &Key,
    ) -> Result<Option<Definitions>, BackendError> {
        let Some(views) = self.try_ask(connection, &catalog::views()).await? else { return Ok(None) };
        let mut functions = None;
        if key.functions.is_some() {
            let bodies = self.try_ask(connection, &catalog::functions()).await?;
            let parameters = self.try_ask(connection, catalog::PARAMETERS).await?;
            functions = bodies.zip(parameters).map(|(bodies, names)| catalog::read_functions(bodies, names));
        }
        let views = catalog::read_views(views);
        Ok(Some(Definitions { views, functions, loadable: key.loadable.clone() }))
    }

    /// Stored code that leaves something behind. Nothing where some may not be seen, or there is too much.
    pub(super) async fn ask_traps(
        &self,
        connection: &mut Connection,
        grants: &Answer,
        reading: &mut Reading,
    ) -> Result<Option<Arc<Traps>>, BackendError> {
        let flavor = connection.flavor();
        if !catalog::grants_show_stored_code(flavor, grants) {
            return Ok(None);
        }
        let Some(suspicious) = self.try_ask(connection, &catalog::suspicious_code()).await? else {
            return Ok(None);
        };
        if suspicious.rows.is_empty() {
            return Ok(Some(Arc::default()));
        }
        let Some(now) = self.try_ask(connection, &catalog::stored_code_fingerprint()).await? else {
            return Ok(None);
        };
        let Some(now) = Fingerprint::read(&now).filter(|now| !now.is_too_much()) else { return Ok(None) };
        if let Some((_, known)) = reading.traps.as_ref().filter(|(read, _)| *read == now) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(code) = self.try_ask(connection, &catalog::stored_code()).await? else { return Ok(None) };
        let Some(code) = catalog::read_stored_code(code) else { return Ok(None) };
        let read = move || Traps::new(&code, flavor.dialect());
        let Ok(traps) = tokio::task::spawn_blocking(read).await.map(Arc::new) else { return Ok(None) };
        // What changed in between has another fingerprint at the next look.
        reading.traps = Some((now, Arc::clone(&traps)));
        Ok(Some(traps))
    }

    /// Nothing where the server refuses, or takes too long.
    async fn try_ask(
        &self,
        connection: &mut Connection,
        select: &str,
    ) -> Result<Option<Answer>, BackendError> {
        match self.ask(connection, &catalog::bounded(connection.flavor(), select)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(BackendError::Refused { error }) => {
                tracing::debug!(%error, select, "a question about what is defined is refused");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
