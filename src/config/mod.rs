//! The configuration file: read, checked as a whole, compared. Pure.
//!
//! One table (`keys`) names every key with its type, default, range, command-line flag and meaning.
//! The typed [`Config`], the reader, the flags of `headgate run`, the reload plan and
//! docs/configuration.md all come from that table, so none of them can drift from the others.
//!
//! Reading never stops at the first mistake: [`read()`] notes every [`Problem`] of a file and of the
//! command line, each with its place, what is wrong and what to write instead. What one key
//! means beside another (a certificate without its key) is `app::settings`' business, not this module's.
//! Passwords have no key here: the file names a file that holds one.

mod choice;
mod defaults;
mod diff;
mod doorway;
mod duration;
mod endpoint;
mod key;
mod keys;
mod network;
mod on_off;
mod problem;
mod read;
mod reference;
mod setting;
mod suggest;
mod value;
mod weight;

pub use choice::{
    BackendTls, Balance, Compression, Consistency, FailoverMode, FailoverSessions, HeartbeatChoice,
    LogFormat, PoolMode, PrimaryReads, ProxyProtocol, RuntimeModel, WhenLagging,
};
pub use diff::{Change, ReloadPlan, diff};
pub use doorway::Doorway;
pub use endpoint::{Endpoint, EndpointError};
pub use key::{Key, Reload};
pub use keys::{
    Clients, Config, Control, Failover, Health, KEYS, Limits, Listen, Log, Pool, Routing, Runtime, Servers,
    State,
};
pub use network::{Network, NetworkError, UserRule};
pub use on_off::OnOff;
pub use problem::{Place, Problem, Problems};
pub use read::{FILE_LIMIT, Reading, read};
pub use reference::reference;
pub use setting::Form;
pub use value::Override;
pub use weight::Weight;

#[cfg(test)]
mod tests;
