//! How a cluster keeps its copies, where it is not plain replication. Pure.
//!
//! [`Family`] is read from variables; [`group`] and [`aurora`] read who leads. Such clusters choose their primary
//! themselves: Headgate follows it and never promotes (HAZARDS 26).

pub mod aurora;
pub mod group;

mod kin;
mod kind;

pub use aurora::{Instance, endpoint};
pub use group::{Member, MemberState};
pub use kin::Kin;
pub use kind::{Family, Promotion};
