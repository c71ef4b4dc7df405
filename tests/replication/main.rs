//! Binary logs through Headgate: what tools read is what the primary sends, and a real replica follows.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]

mod place;
mod replica;
mod tools;
