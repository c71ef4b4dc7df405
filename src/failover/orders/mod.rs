//! The machine's commands, as statements of each server.
//!
//! Each order opens a connection, is carried out on it, and answers with how the server stands then. Each may be given
//! twice. What cannot be taken back is sent so that the server itself compares the time (`Line::order`).

mod carry_out;
mod fence;
mod follow;
mod promote;
mod rebuild;
mod receiver;
mod semi_sync;

pub(super) use carry_out::{Office, carry_out};
pub(super) use receiver::set_heartbeat;
