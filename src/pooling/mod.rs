//! Which idle connection serves a session, and what must be sent on it first. Pure.

mod fit;

pub use fit::{Fit, Setting, choose};
