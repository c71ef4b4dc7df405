//! What a session has changed, and how far it has read and written. Pure.

mod state;

pub use state::{Changed, End, SessionView, Source, State, Touched};
