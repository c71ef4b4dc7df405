//! Which servers belong to the cluster, found from those that are known. Pure.
//!
//! [`queries`] holds the questions, [`Word`] is what one server says of itself and of others, [`discover`] makes
//! of all words which further servers there are, with the evidence and whether they may be asked. [`Roster`] keeps
//! who is known, adds and forgets, and never has one server twice. Names are looked up and servers asked by a shell.

pub mod queries;

mod banned;
mod found;
mod lead;
mod networks;
mod places;
mod roster;
mod who;
mod word;

pub use banned::NotAdded;
pub use found::{Doubt, Found, Listed, May, discover};
pub use lead::{Claim, Evidence};
pub use networks::{Network, Networks};
pub use places::Places;
pub use roster::{Change, Entry, Origin, Policy, Roster, Standing};
pub use who::{Likeness, Who};
pub use word::Word;

#[cfg(test)]
mod tests;
