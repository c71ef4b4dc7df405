//! What must hold whatever happens; one a file.

mod acknowledged;
mod bounded;
mod divergence;
mod epochs;
mod flapping;
mod healed;
mod one_primary;
mod veto;

pub(crate) use acknowledged::no_acknowledged_commit_is_lost;
pub(crate) use bounded::every_wait_is_bounded;
pub(crate) use divergence::{followers_have_nothing_of_their_own, nothing_of_its_own};
pub(crate) use epochs::no_old_command_takes_effect;
pub(crate) use flapping::no_flapping;
pub(crate) use healed::unhealed;
pub(crate) use one_primary::{one_promotion, one_writer};
pub(crate) use veto::{no_promotion_of, no_revocation_while_heard};
