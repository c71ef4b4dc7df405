//! Failover on real servers: a thin shell about [`election::Machine`](crate::election::Machine).
//!
//! One task owns the machine ([`driver`]). It is told what each server says of itself, asked over a connection of its
//! own ([`watch`]), has the machine's commands carried out ([`orders`], [`state`], [`hooks`], [`gate`]), and publishes
//! where it stands ([`View`]) for the console. Sessions that outlive their primary wait at a [`Gate`], and so does all
//! traffic while an operator pauses it ([`Pause`]). What happens is written in the [`Journal`]. Nothing is decided here that is about who becomes the primary.

mod answers;
mod directory;
mod driver;
#[cfg(all(feature = "lab", debug_assertions))]
mod fault;
mod gate;
mod handle;
mod heartbeat;
mod hooks;
mod joining;
mod journal;
mod line;
mod members;
mod office;
mod orders;
mod pause;
mod rival;
mod settings;
mod start;
mod state;
mod tell;
mod view;
mod watch;
mod write_probe;

pub use gate::{Gate, InLine, Pass};
pub use handle::Handle;
pub use journal::Journal;
pub use pause::{Pause, Paused};
pub use settings::{Account, Hooks, Publish, Relayed, Settings};
pub use start::start;
pub use state::{StateError, remembered};
pub use view::{Happened, Standing, View, Wish, WishOutcome, wall_clock_text};
pub use write_probe::{WriteProbe, start as start_write_probe};
