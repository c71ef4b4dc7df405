//! How to get in, for the person who watches.

use std::net::SocketAddr;

use headgate::lab::{Account, Headgate};

use crate::shop;
use crate::stage::USUAL_PORT;

/// What there is to try.
pub(crate) struct Invite {
    pub(crate) dsn: String,
    pub(crate) console: SocketAddr,
    pub(crate) metrics: String,
    /// What `./demo sql` and `./demo console` must be told.
    pub(crate) flag: String,
}

impl Invite {
    pub(crate) fn new(headgate: &Headgate, account: Account) -> Self {
        let Account { user, password } = account;
        let address = headgate.address();
        let port = address.port();
        Self {
            dsn: format!("mysql://{user}:{password}@{address}/{}", shop::SCHEMA),
            console: headgate.console_address(),
            metrics: format!("http://{}/metrics", headgate.http_address()),
            flag: if port == USUAL_PORT { String::new() } else { format!(" --port {port}") },
        }
    }

    /// For the picture, in few words.
    pub(crate) fn ways(&self) -> Vec<(&'static str, String)> {
        let Self { dsn, console, metrics, flag } = self;
        vec![
            ("clients", format!("{dsn}   ./demo sql{flag}")),
            ("console", format!("{console}, user admin   ./demo console{flag}")),
            ("metrics", metrics.clone()),
        ]
    }

    pub(crate) fn text(&self) -> String {
        let Self { dsn, console, metrics, flag } = self;
        format!(
            "\n  One address for all of them:   {dsn}\n  \
               Try it, in another terminal:   ./demo sql{flag}\n  \
               The console, as SQL:           ./demo console{flag}   (user admin on {console}; try SHOW SERVERS)\n  \
               Counters for Prometheus:       {metrics}\n  \
               Ctrl-C ends it and leaves nothing behind.\n"
        )
    }
}
