//! What a session has changed, and how far it has read and written. Pure.

mod abandoned;
mod behind;
mod bonds;
mod charset;
mod hold;
mod left;
mod observe;
mod outcome;
mod predict;
mod prepared;
mod state;
mod user_variables;
mod variables;
mod view;

pub use abandoned::Abandoned;
pub use behind::{Behind, Here, Shown, joins_diagnostics, keeps_diagnostics, outlives_questions};
pub use charset::ReadBack;
pub use hold::Hold;
pub use left::Said;
pub use outcome::{End, Source, Touched};
pub use prepared::{Prepared, Statements};
pub use state::State;
pub use user_variables::UserVariables;
pub use variables::{Assignments, CARRIED, Handling, Variables, levels};
pub use view::{Changed, Isolation, SessionView};
