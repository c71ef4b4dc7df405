//! What a client is told of what was under way when its primary was lost.

use std::time::Duration;

use crate::backend::{NO_SERVER, SERVER_LOST};
use crate::session::Hold;
use crate::wire::err::ErrPacket;

/// What became of a transaction that was open when its primary was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing that could have committed it was sent.
    RolledBack,
    /// A statement in it that may commit by itself has failed, or an XA branch may be prepared.
    Unknown,
}

impl Fate {
    pub(super) fn told(self) -> ErrPacket {
        match self {
            // ER_LOCK_DEADLOCK, after which every client may begin the transaction anew.
            Self::RolledBack => {
                let text = "the primary was lost, and the transaction is rolled back; begin it again";
                ErrPacket::own(1213, b"40001", text)
            }
            Self::Unknown => {
                let text =
                    "the primary was lost, and whether the open transaction was committed is not known";
                ErrPacket::own(SERVER_LOST, b"HY000", text)
            }
        }
    }
}

pub(super) fn replaced() -> ErrPacket {
    ErrPacket::own(1053, b"08S01", "another server is the primary now; connect again")
}

pub(super) fn left_behind(why: Hold) -> ErrPacket {
    let text =
        format!("the primary was lost, and with it what this session had there ({why}); connect again");
    ErrPacket::own(1053, b"08S01", &text)
}

pub(super) fn crowded() -> ErrPacket {
    ErrPacket::own(1040, b"08004", "there is no primary, and too many clients wait for one")
}

pub(super) fn crowded_by_pause() -> ErrPacket {
    let text = "traffic is paused by an operator (PAUSE on Headgate's console), and too many clients wait";
    ErrPacket::own(1040, b"08004", text)
}

pub(super) fn paused(limit: Duration) -> ErrPacket {
    let text = format!(
        "traffic is paused by an operator (PAUSE on Headgate's console), and was not resumed within {} s \
         (failover.hold); nothing was done",
        limit.as_secs()
    );
    ErrPacket::own(NO_SERVER, b"HY000", &text)
}

pub(super) fn no_primary(why: &str, limit: Duration) -> ErrPacket {
    let text =
        format!("there is no primary ({why}), and none came within {} s (failover.hold)", limit.as_secs());
    ErrPacket::own(NO_SERVER, b"HY000", &text)
}
