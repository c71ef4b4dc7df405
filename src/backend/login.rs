//! Proves a user to a server: at the login, and again on an idle connection.

use std::time::Duration;

use super::connect::{Credentials, Purpose};
use super::connection::{Connection, receive_packet, send_packet};
use super::error::BackendError;
use crate::auth::Secret;
use crate::auth::client_side::{Channel, Exchange, FirstAnswer, Setup, Step};
use crate::runtime::clock;
use crate::wire::auth_switch::AuthSwitch;
use crate::wire::command::Command;
use crate::wire::encode::put_nul_terminated;
use crate::wire::login_request::put_attributes;
use crate::wire::ok::EOF;

impl Connection {
    /// The first move towards this connection's server.
    pub(super) fn start_exchange(&self, secret: &Secret) -> Result<(Exchange, FirstAnswer), BackendError> {
        let setup = Setup {
            secret: secret.duplicate(),
            channel: self.channel,
            // Without TLS the operator has chosen to trust the network; a client library would have to
            // be told, but then could not log in at all after the server's restart.
            may_ask_key: self.channel == Channel::Plain,
            may_send_clear: false,
        };
        Ok(Exchange::start(setup, &self.plugin, &self.nonce)?)
    }

    /// Goes on with the server until its verdict.
    pub(super) async fn finish_exchange(&mut self, mut exchange: Exchange) -> Result<(), BackendError> {
        loop {
            let (header, payload) = receive_packet(&mut self.link).await?;
            if payload.first() == Some(&EOF)
                && let Ok(request) = AuthSwitch::parse(&payload)
                && !request.data.is_empty()
            {
                // COM_CHANGE_USER goes on with the last nonce seen.
                self.nonce = request.data.to_vec();
            }
            match exchange.on_packet(&payload) {
                Step::Send(answer) => {
                    let mut seq = header.seq.wrapping_add(1);
                    send_packet(&mut self.link, &mut seq, &answer).await?;
                }
                Step::Wait => {}
                Step::Accepted => {
                    self.note_ok(&payload, &mut |_| {})?;
                    self.login_ok = payload;
                    self.proven = clock::now();
                    return Ok(());
                }
                Step::Refused(error) => return Err(BackendError::Refused { error }),
                Step::Failed(failure) => return Err(failure.into()),
            }
        }
    }

    /// Proves a user anew on an idle connection of that user, and makes it as fresh as a new one
    /// (COM_CHANGE_USER). After an error the connection is of no further use.
    pub async fn change_user(
        &mut self,
        credentials: Credentials<'_>,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<(), BackendError> {
        clock::within(limit, self.change_user_unbounded(credentials)).await??;
        self.schema = credentials.schema.map(Into::into);
        self.forget_session();
        self.prepare(purpose, limit).await
    }

    async fn change_user_unbounded(&mut self, credentials: Credentials<'_>) -> Result<(), BackendError> {
        let (exchange, first) = self.start_exchange(credentials.secret)?;
        self.begin();
        let mut payload = zeroize::Zeroizing::new(vec![Command::ChangeUser as u8]);
        put_nul_terminated(&mut payload, credentials.user);
        payload.push(u8::try_from(first.response.len()).unwrap_or(0));
        payload.extend_from_slice(&first.response);
        put_nul_terminated(&mut payload, credentials.schema.unwrap_or_default());
        payload.extend_from_slice(&credentials.collation.to_le_bytes());
        put_nul_terminated(&mut payload, &first.plugin);
        put_attributes(&mut payload, credentials.attributes);
        send_packet(&mut self.link, &mut 0, &payload).await?;
        self.finish_exchange(exchange).await?;
        self.finish(self.status);
        Ok(())
    }

    /// Undoes what a session left behind (COM_RESET_CONNECTION): transaction, locks, temporary tables,
    /// variables. Not roles, and not the schema.
    pub async fn reset(&mut self, purpose: Purpose, limit: Duration) -> Result<(), BackendError> {
        self.command(Command::ResetConnection, &[], limit).await?;
        self.forget_session();
        self.choose_schema_again(limit).await?;
        self.prepare(purpose, limit).await
    }

    /// Makes the character set of the schema that of what is loaded and created, as after a login. A reset makes it the
    /// server's and leaves the schema.
    pub async fn choose_schema_again(&mut self, limit: Duration) -> Result<(), BackendError> {
        if let Some(schema) = self.schema.clone() {
            self.command(Command::InitDb, &schema, limit).await?;
        }
        Ok(())
    }

    /// A client has had the session reset: it is made ready again.
    pub async fn was_reset(&mut self, limit: Duration) -> Result<(), BackendError> {
        self.forget_session();
        self.prepare(self.purpose, limit).await
    }
}
