//! From the configuration to what the modules need: checked, completed, typed.
//!
//! `config` knows what one key may hold; this module knows what the keys mean together (a certificate
//! needs its key, a verified server needs an authority), fills in what depends on the machine (cores,
//! the state directory), and hands out plain parts that the composition root gives to each module.
//! It also finds the file, so that SIGHUP reads the same sources again.

mod admission;
mod failover;
mod model;
mod password;
mod resolve;
mod routing;
mod source;

pub use model::{
    Admin, BackendLink, CertificateFiles, Control, Doorway, Front, Log, Pool, Runtime, Settings, Watch,
    WriteWatch,
};
pub use password::{
    ADMINISTRATOR_PASSWORD_VARIABLE, CONTROL_PASSWORD_VARIABLE, PasswordError, PasswordSource,
};
pub use resolve::{Surroundings, resolve};
pub use source::{Loaded, Source};

#[cfg(test)]
mod tests;
