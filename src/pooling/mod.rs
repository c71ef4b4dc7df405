//! Which idle connection serves a session, and what must be sent on it first; what holds for users. Pure.

mod fit;
mod users;

pub use fit::{Fit, Setting, choose};
pub use users::{By, Chosen, Mode, Rule, Users};
