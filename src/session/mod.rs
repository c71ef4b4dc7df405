//! What a session has changed, and how far it has read and written. Pure.

mod abandoned;
mod charset;
mod outcome;
mod predict;
mod prepared;
mod state;
mod variables;
mod view;

pub use abandoned::Abandoned;
pub use charset::ReadBack;
pub use outcome::{End, Source, Touched};
pub use prepared::{Prepared, Statements};
pub use state::State;
pub use variables::{CARRIED, Handling, Variables, levels};
pub use view::{Changed, SessionView};
