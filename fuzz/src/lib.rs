//! What must hold for any bytes a peer can send: one module a target, each with one function, `check`.
//!
//! The targets under `fuzz/targets` feed them what libFuzzer invents; `tests/fuzz_corpus.rs` includes
//! this file and feeds them the corpora that were kept. A `check` fails by panicking.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a target reports")]
#![allow(unreachable_pub, reason = "tests/fuzz_corpus.rs includes this file as a module")]

pub mod auth_client;
pub mod auth_server;
pub mod classify;
pub mod command;
pub mod compress;
pub mod frame;
pub mod greeting;
pub mod gtid;
pub mod handshake_response;
pub mod lexer;
pub mod ok;
pub mod proxy_protocol;
pub mod reply;
pub mod reply_model;
pub mod session_track;
pub mod source;
