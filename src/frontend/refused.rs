//! What the primary refuses at once, and is held back until it is known whether the client is to be told.

use super::errand::Errand;
use super::fate::Fate;
use super::reign::Ran;
use super::relay::{self, RelayError};
use super::session::{Closing, Session};
use crate::backend::SERVER_SHUTDOWN;
use crate::topology::{Mark, Trouble};
use crate::wire::frame::HEADER;
use crate::wire::reply::End;

/// An ERR that is the whole reply.
pub(super) struct Refusal {
    pub(super) end: End,
    /// As the client would get it.
    pub(super) held: Vec<u8>,
    pub(super) mark: Option<Mark>,
    /// The command may run on another primary.
    pub(super) again: bool,
}

impl Session {
    /// Passes a refusal on, unless the session goes on elsewhere. Nothing where the client was told.
    pub(super) async fn refused_at_once(
        &mut self,
        errand: &Errand<'_>,
        refusal: Refusal,
    ) -> Result<Option<Ran>, Closing> {
        let Refusal { end, held, mark, again } = refusal;
        let seq = held.get(HEADER - 1).copied().unwrap_or(1);
        if again && errand.stands && is_read_only_refusal(&end, &held) && self.held_back().is_none() {
            self.report_primary(Trouble::ReadOnly);
            self.pass = None;
            self.leave_primary();
            self.pause_for_primary().await;
            return Ok(Some(Ran::Again));
        }
        if end.error == Some(SERVER_SHUTDOWN)
            && let Some(ran) = self.outlives_shutdown(errand, seq).await?
        {
            return Ok(Some(ran));
        }
        if errand.stands {
            relay::discard_command(&mut self.client).await?;
        }
        self.settle_on_primary(errand, &end, mark);
        let limit = self.context.shared.limits().client_write_timeout;
        self.client.send(&held, limit).await.map_err(RelayError::Client)?;
        Ok(None)
    }

    /// The server refused a command because it ends, or because this connection is to end. Nothing where the client is to
    /// be told so: where only the connection ends, and where it is for the client to find out what was done.
    /// `seq`: the number that the answer has.
    async fn outlives_shutdown(&mut self, errand: &Errand<'_>, seq: u8) -> Result<Option<Ran>, Closing> {
        self.report_primary(Trouble::Lost);
        if !self.survives_loss().await {
            return Ok(None);
        }
        if self.may_run_elsewhere(errand) {
            self.leave_primary();
            return Ok(Some(Ran::Again));
        }
        if !self.is_undone(errand) {
            return Ok(None);
        }
        if errand.stands {
            relay::discard_command(&mut self.client).await?;
        }
        self.cut_off();
        self.cut_short = None;
        self.tell(seq, &Fate::RolledBack.told()).await?;
        Ok(Some(Ran::Answered(None)))
    }
}

/// Whether a server refused a statement before it did anything, because it is read only: ER_READ_ONLY_MODE, and
/// ER_OPTION_PREVENTS_STATEMENT where the option is that one.
fn is_read_only_refusal(end: &End, packet: &[u8]) -> bool {
    let names = |option: &[u8]| memchr::memmem::find(packet, option).is_some();
    match end.error {
        Some(1836) => true,
        Some(1290) => names(b"read-only") || names(b"read_only"),
        _ => false,
    }
}
