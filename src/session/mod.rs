//! What a session has changed, and how far it has read and written. Pure.
//!
//! Two witnesses move the mirror: what the lexer predicts when a command begins, and what the server
//! reports in the reply. What neither can name makes the session *changed*, and a changed session reads
//! from the primary until it is reset. Nothing here knows a connection or a route.

mod charset;
mod floors;
mod state;
mod why;

#[cfg(test)]
mod tests;

pub use charset::Charset;
pub use floors::Floors;
pub use state::{Act, End, Outcome, SessionView, Source, Start, State};
pub use why::Why;
