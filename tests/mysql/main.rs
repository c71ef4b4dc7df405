//! Tests on real MySQL and MariaDB clusters.
//!
//! - [`catalog`]: views and stored functions, by what they reach;
//! - [`change_user`]: COM_CHANGE_USER, directly and through Headgate;
//! - [`compression`]: what is offered, and that it takes place;
//! - [`defaults`]: replicas with defaults of their own;
//! - [`differential`]: one script directly on the primary and through Headgate, packet for packet;
//! - [`explain`]: the command that says where a statement would go;
//! - [`kill`]: KILL, time limits and clients that vanish, and nobody else is hit;
//! - [`login`]: what a login may and may not do, on every method and TLS mode;
//! - [`pools`]: who gets a connection, and for how long;
//! - [`prepared`]: statements of the binary protocol, on replicas too;
//! - [`variables`]: what is known of session variables is so on every server;
//! - [`read_only`]: transactions that are declared read only, on replicas;
//! - [`kill_race`]: all of that at once over shared connections;
//! - [`soak`]: hundreds of clients over few connections, each of which knows what it must be answered;
//! - [`stalled`]: clients that do not read their replies;
//! - [`split`]: writes on the primary, reads on replicas, none of them stale.
//!
//! [`servers`] starts one cluster a flavor for all of them, [`headgate`] the binary under test.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

/// Tests that run on a flavor, in a module of that name.
macro_rules! on {
    ($flavor:ident $module:ident: $($name:ident)*) => {
        mod $module {
            use super::Flavor;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(Flavor::$flavor).await;
                }
            )*
        }
    };
}

mod catalog;
mod chance;
mod change_user;
mod client;
mod compression;
mod defaults;
mod differential;
mod explain;
mod headgate;
mod hidden;
mod interleaved;
mod interloper;
mod kill;
mod kill_race;
mod leaks;
mod leaks_of_names;
mod login;
mod looking_back;
mod pools;
mod prepared;
mod prepared_edges;
mod read_only;
mod script;
mod servers;
mod sharing;
mod soak;
mod split;
mod stalled;
mod transcript;
mod variables;
