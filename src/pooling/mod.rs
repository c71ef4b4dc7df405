//! Which idle connection serves a session, and what must be sent on it first; who is next; what holds for users. Pure.

mod account;
mod allowance;
mod fit;
mod ledger;
mod refill;
mod shortage;
mod users;

pub use allowance::{Allowance, Squeeze};
pub use fit::{Fit, Setting, choose};
pub use ledger::{Claim, Ledger, Number, Offered, Want};
pub use refill::{Readiness, Refill, Stock};
pub use shortage::Shortage;
pub use users::{By, Chosen, Mode, Rule, Users};
