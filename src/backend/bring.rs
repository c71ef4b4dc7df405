//! Brings a connection to what a session is, and no further than is asked.

use std::time::Duration;

use super::connection::{Connection, Defaults};
use super::error::BackendError;
use crate::pooling::{Fit, Setting};
use crate::session::{Assignments, Variables};
use crate::wire::Malformed;
use crate::wire::command::Command;

impl Connection {
    /// Sends what differs. False where the server took it for something else; what the connection is then, is not
    /// known.
    ///
    /// # Errors
    /// The server's refusal of a schema or of character sets, or a failure of the connection.
    pub async fn bring(
        &mut self,
        wanted: Setting<'_>,
        fit: Fit,
        limit: Duration,
    ) -> Result<bool, BackendError> {
        if fit.set_schema
            && let Some(schema) = wanted.schema
        {
            self.command(Command::InitDb, schema, limit).await?;
            self.schema = Some(schema.into());
        }
        if fit.set_names
            && let Some(names) = wanted.names
        {
            self.query(names, limit).await?;
            self.names = Some(names.into());
        }
        if fit.set_variables && !self.set_variables(wanted, limit).await? {
            return Ok(false);
        }
        if fit.set_user
            && let Some(sql) = wanted.user.sql()
        {
            match self.command(Command::Query, &sql, limit).await {
                Ok(_) => self.user = wanted.user.clone(),
                Err(BackendError::Refused { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// False where the server has set something else.
    async fn set_variables(&mut self, wanted: Setting<'_>, limit: Duration) -> Result<bool, BackendError> {
        let mut set = Assignments::default();
        self.variables.put_changes(wanted.variables, &self.defaults.variables, &mut set);
        self.local.put_changes(wanted.local, &Variables::DEFAULT, &mut set);
        if self.setting().autocommit != wanted.autocommit {
            set.put("autocommit", if wanted.autocommit { "1" } else { "0" });
        }
        let Some(sql) = set.sql() else { return Ok(true) };
        let reported = match self.query(&sql, limit).await {
            Ok(answer) => answer.variables,
            Err(BackendError::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let confirmed = wanted.variables.confirmed_by(&self.variables, &reported)
            && wanted.local.confirmed_by(&self.local, &reported)
            && self.setting().autocommit == wanted.autocommit;
        self.variables = wanted.variables.clone();
        self.local = wanted.local.clone();
        Ok(confirmed)
    }

    /// Gives a new connection the defaults that a session began with, whatever those of its server are by now
    /// (HAZARDS 4).
    ///
    /// # Errors
    /// A refusal, or a failure of the connection.
    pub async fn level(
        &mut self,
        defaults: &Variables,
        generation: u64,
        limit: Duration,
    ) -> Result<(), BackendError> {
        if let Some(sql) = Variables::DEFAULT.change_to(defaults, &Variables::DEFAULT) {
            let answer = self.query(&sql, limit).await?;
            // Of some variables servers say that they are out of use.
            self.warned = true;
            if !defaults.confirmed_by(&Variables::DEFAULT, &answer.variables) {
                return Err(Malformed::new("answer to a SET (not what was set)").into());
            }
        }
        // Whatever was set before, these are set now.
        self.variables = Variables::DEFAULT;
        self.defaults = Defaults { variables: defaults.clone(), generation };
        Ok(())
    }
}
