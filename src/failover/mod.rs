//! Failover on real servers: a thin shell about [`election::Machine`](crate::election::Machine).
//!
//! One task owns the machine ([`driver`]). It is told what each server says of itself, asked over a connection of its
//! own ([`watch`]), has the machine's commands carried out ([`orders`], [`state`], [`hooks`], [`gate`]), and publishes
//! where it stands ([`View`]) for the console. Nothing is decided here that is about who becomes the primary.

mod answers;
mod directory;
mod driver;
#[cfg(all(feature = "lab", debug_assertions))]
mod fault;
mod gate;
mod handle;
mod heartbeat;
mod hooks;
mod line;
mod office;
mod orders;
mod rival;
mod settings;
mod start;
mod state;
mod tell;
mod view;
mod watch;

pub use gate::{Gate, InLine, Pass};
pub use handle::Handle;
pub use settings::{Account, Hooks, Publish, Relayed, Settings};
pub use start::start;
pub use state::StateError;
pub use view::{Happened, Standing, View, Wish, WishOutcome, wall_clock_text};
