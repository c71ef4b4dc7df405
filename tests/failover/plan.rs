//! What a stage is to be.

use std::ffi::OsString;
use std::path::Path;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Builder, Cluster, Flavor};

/// What a stage is to be.
#[derive(Clone)]
pub(crate) struct Plan {
    flavor: Flavor,
    acknowledged: bool,
    logged: bool,
    server_options: Vec<String>,
    arguments: Vec<String>,
}

impl Plan {
    /// Semi-synchronous replication that waits for ever, and a Headgate whose sessions outlive their primary.
    pub(crate) fn new(flavor: Flavor) -> Self {
        Self { flavor, acknowledged: true, logged: false, server_options: Vec::new(), arguments: Vec::new() }
    }

    /// Commits wait for no replica.
    pub(crate) fn asynchronous(mut self) -> Self {
        self.acknowledged = false;
        self
    }

    /// Every statement that a server gets is in its general log.
    pub(crate) fn logged(mut self) -> Self {
        self.logged = true;
        self
    }

    /// An option of every server, `name=value`.
    pub(crate) fn server_option(mut self, option: &str) -> Self {
        self.server_options.push(option.to_owned());
        self
    }

    /// More arguments of Headgate.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(super) fn builder(&self) -> Builder {
        let mut builder = Cluster::builder(self.flavor).semi_sync(self.acknowledged).general_log(self.logged);
        if self.acknowledged {
            // Nothing that was acknowledged is on one server alone.
            let options: &[&str] = match self.flavor {
                Flavor::MySql => &["rpl_semi_sync_source_timeout=1000000000"],
                Flavor::MariaDb => {
                    &["rpl_semi_sync_master_timeout=1000000000", "rpl_semi_sync_master_wait_point=AFTER_SYNC"]
                }
            };
            builder = options.iter().fold(builder, |builder, option| builder.server_option(*option));
        }
        self.server_options.iter().fold(builder, |builder, option| builder.server_option(option))
    }

    pub(super) fn headgate(&self, state: &Path, die_at: &Path) -> HeadgateOptions {
        let mut options = HeadgateOptions {
            state: Some(state.to_owned()),
            environment: vec![("HEADGATE_DIE_FILE".to_owned(), OsString::from(die_at))],
            ..HeadgateOptions::default()
        }
        .failover();
        let usual = [
            "--set=failover.cooldown=0ms",
            "--failover-sessions=outlive",
            "--log=info,headgate::admin=warn,headgate::frontend=warn,headgate::failover=debug",
        ];
        for argument in usual.into_iter().chain(self.arguments.iter().map(String::as_str)) {
            options = options.argument(argument);
        }
        options
    }
}
