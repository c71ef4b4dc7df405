//! Real clusters on loopback, for the demo, the tests and the benches.
