//! Binary logs through Headgate: what tools read is what the primary sends, and a real replica follows.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]
#![allow(clippy::disallowed_methods, reason = "real servers take real time")]

mod place;
mod replica;
mod tools;
