//! Carries a failover out, and holds clients meanwhile.

mod gate;

pub use gate::{Gate, InLine, Pass};
