//! Real clusters on loopback, for the demo, the tests and the benches.

pub mod headgate;

pub use headgate::Headgate;
