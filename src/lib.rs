//! Headgate: a MySQL-protocol proxy that sends writes to the primary and reads to the replicas.
//!
//! The library exists for Headgate's own binary, tests and benches; its API is not stable.
//! ARCHITECTURE.md has the map. Imports point downward only, from the composition root to the
//! languages, and `tests/architecture.rs` holds them to it.

// Composition root.
pub mod app;

// Layer 5: conversations.
pub mod admin;
pub mod frontend;

// Layer 4: shells.
pub mod backend;
pub mod failover;
pub mod monitor;
pub mod net;
pub mod pool;
pub mod runtime;
pub mod telemetry;

// Layer 3: decisions.
pub mod admission;
pub mod election;
pub mod pooling;
pub mod probing;
pub mod rolling;
pub mod routing;

// Layer 2: models.
pub mod session;
pub mod topology;

// Layer 1: languages.
pub mod auth;
pub mod config;
pub mod gtid;
pub mod sql;
pub mod wire;

#[cfg(feature = "lab")]
pub mod lab;
