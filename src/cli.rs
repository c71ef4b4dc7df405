//! The command line: `headgate init`, `headgate check`, `headgate run`, `headgate explain`.
//!
//! The flags of all commands are made from the table of keys, so that every flag is a key of the file,
//! read by the same code and described by the same words. `init` has flags of its own: what it is told is not
//! what it writes.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use headgate::app::init;
use headgate::config::{BackendTls, Form, KEYS, Key, Override};
use headgate::topology::Address;

/// What the user asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Serve clients.
    Run(Input),
    /// Say what is wrong with the configuration and, where that is asked for, with the cluster.
    Check { input: Input, connect: bool },
    /// Ask a cluster and write a configuration for it.
    Init { request: init::Request, password_file: Option<PathBuf> },
    /// Say where a statement would go.
    Explain { input: Input, statement: String, schema: Option<String> },
}

/// Where the configuration is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) file: Option<PathBuf>,
    pub(crate) overrides: Vec<Override>,
}

/// Reads the arguments of the process. Prints help, version or what is wrong with the arguments, and
/// ends the process, where that is what they ask for.
pub(crate) fn request() -> Request {
    match from_matches(&command().get_matches()) {
        Ok(request) => request,
        Err(wrong) => wrong.exit(),
    }
}

fn command() -> Command {
    let run = with_flags(Command::new("run").about("Serve clients until told to stop")).after_help(
        "The control account's password comes from --control-password-file, else from the environment variable \
         HEADGATE_CONTROL_PASSWORD, else from the file that control.password_file names, else it is asked for on \
         the terminal.\n\nExample:\n  headgate run --server db1:3306 --server db2:3306 --control-user headgate",
    );
    let check = with_flags(
        Command::new("check")
            .about("Print every problem of the configuration, and of the cluster with --connect; 1 if there are any")
            .arg(
                Arg::new("connect")
                    .long("connect")
                    .action(ArgAction::SetTrue)
                    .help("Ask the servers as well: roles, grants, settings, accounts"),
            ),
    );
    let explain = with_flags(
        Command::new("explain")
            .about("Ask the servers and say where a statement would go, and why")
            .arg(Arg::new("statement").required(true).value_name("SQL").help("The statement, quoted"))
            .arg(
                Arg::new("schema")
                    .long("schema")
                    .value_name("NAME")
                    .help("The current schema of the session that sends it"),
            ),
    )
    .after_help(
        "Example:\n  headgate explain --server db1:3306 --control-user headgate 'SELECT a FROM t FOR UPDATE'",
    );
    Command::new("headgate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("One address for a MySQL or MariaDB cluster: writes go to the primary, reads to the replicas")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([init_command(), check, run, explain])
}

fn with_flags(command: Command) -> Command {
    let config =
        Arg::new("config").long("config").value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "Configuration file [default: /etc/headgate/headgate.toml, else ./headgate.toml, if it exists]",
        );
    let set = Arg::new("set").long("set").value_name("KEY=VALUE").action(ArgAction::Append).help(
        "Any key of the configuration file, such as routing.split=false; again for each item of a list",
    );
    command.arg(config).args(KEYS.iter().filter_map(flag)).arg(set)
}

/// The argument for a key that has a flag. Values are read by the key, not by clap, so that the command
/// line and the file complain alike.
fn flag(key: &'static Key) -> Option<Arg> {
    let (flag, value_name) = key.flag?;
    let mut help = key.meaning();
    if key.form == Form::Word {
        help = format!("{help} [{}]", key.kind());
    }
    if let Some(default) = key.default().filter(|default| default != "[]") {
        help = format!("{help} [default: {default}]");
    }
    let arg = Arg::new(key.name).long(flag.trim_start_matches('-')).value_name(value_name).help(help);
    Some(match key.form {
        Form::List => arg.action(ArgAction::Append),
        Form::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(PossibleValuesParser::new(["true", "false"])),
        Form::Text | Form::Word | Form::Whole => arg,
    })
}

fn from_matches(matches: &ArgMatches) -> Result<Request, clap::Error> {
    match matches.subcommand() {
        Some(("check", matches)) => {
            Ok(Request::Check { input: input(matches)?, connect: matches.get_flag("connect") })
        }
        Some(("init", matches)) => init_request(matches),
        Some(("explain", matches)) => {
            let text = |name: &str| matches.get_one::<String>(name).cloned();
            let (statement, schema) = (text("statement").unwrap_or_default(), text("schema"));
            Ok(Request::Explain { input: input(matches)?, statement, schema })
        }
        Some((_, matches)) => Ok(Request::Run(input(matches)?)),
        None => Err(clap::Error::new(ErrorKind::MissingSubcommand)),
    }
}

fn input(matches: &ArgMatches) -> Result<Input, clap::Error> {
    let mut overrides = Vec::new();
    for (key, (flag, _)) in KEYS.iter().filter_map(|key| Some((key, key.flag?))) {
        if let Some(values) = matches.get_many::<String>(key.name) {
            let values = values.cloned().collect();
            overrides.push(Override { key: key.name.to_owned(), flag: flag.to_owned(), values });
        }
    }
    for pair in matches.get_many::<String>("set").into_iter().flatten() {
        let Some((key, value)) = pair.split_once('=') else {
            let what = format!("--set {pair}: there is no '='; write --set KEY=VALUE\n");
            return Err(clap::Error::raw(ErrorKind::ValueValidation, what));
        };
        let (key, flag) = (key.trim(), format!("--set {key}"));
        match overrides.iter_mut().find(|one| one.flag == flag) {
            Some(one) => one.values.push(value.to_owned()),
            None => overrides.push(Override { key: key.to_owned(), flag, values: vec![value.to_owned()] }),
        }
    }
    Ok(Input { file: matches.get_one::<PathBuf>("config").cloned(), overrides })
}

/// The modes of TLS by their words.
const MODES: [BackendTls; 5] = [
    BackendTls::Disabled,
    BackendTls::Preferred,
    BackendTls::Required,
    BackendTls::VerifyCa,
    BackendTls::VerifyIdentity,
];

fn init_command() -> Command {
    let text = |name: &'static str, value_name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value_name).help(help)
    };
    let path = |name, help| text(name, "FILE", help).value_parser(value_parser!(PathBuf));
    let switch = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("init")
        .about("Ask a running cluster and write a configuration for it")
        .args([
            text("server", "ADDRESS", "A server of the cluster, HOST:PORT; again for each that is known")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(Address)),
            text("user", "USER", "An administrator of the servers, for this run only").default_value("root"),
            path("password-file", "File that holds the administrator's password and nothing else"),
            path("output", "The file to write").default_value("headgate.toml"),
            switch("force", "Replace that file if it exists"),
            switch("create-account", "Make the control account and a file with its password"),
            text("control-user", "USER", "Name of the control account").default_value("headgate"),
            text("control-host", "HOST", "Host part of the control account").default_value("%"),
            path(
                "control-password-file",
                "File for its password [default: control.password beside the output]",
            ),
            text("backend-tls", "MODE", "How servers are connected to [default: the safest that works]")
                .value_parser(PossibleValuesParser::new(MODES.map(BackendTls::word))),
            path("backend-ca", "Authority that signed the servers' certificates"),
        ])
        .after_help(
            "The administrator's password comes from --password-file, else from the environment variable \
             HEADGATE_INIT_PASSWORD, else it is asked for on the terminal. It is stored nowhere.\n\n\
             Example:\n  headgate init --server db1:3306 --create-account",
        )
}

fn init_request(matches: &ArgMatches) -> Result<Request, clap::Error> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let mut servers: Vec<Address> = Vec::new();
    for server in matches.get_many::<Address>("server").into_iter().flatten() {
        if !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    let mode = matches.get_one::<String>("backend-tls");
    let request = init::Request {
        servers,
        user: text("user"),
        output: path("output").unwrap_or_default(),
        force: matches.get_flag("force"),
        create_account: matches.get_flag("create-account"),
        control_user: text("control-user"),
        control_host: text("control-host"),
        control_password_file: path("control-password-file"),
        tls: mode.and_then(|word| MODES.into_iter().find(|mode| mode.word() == word)),
        ca: path("backend-ca"),
    };
    for (flag, value) in [("--user", &request.user), ("--control-user", &request.control_user)] {
        if value.is_empty() {
            return Err(clap::Error::raw(ErrorKind::ValueValidation, format!("{flag} names nobody\n")));
        }
    }
    Ok(Request::Init { request, password_file: path("password-file") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request, clap::Error> {
        let matches = command().try_get_matches_from(std::iter::once(&"headgate").chain(arguments))?;
        from_matches(&matches)
    }

    fn one(key: &str, flag: &str, values: &[&str]) -> Override {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Override { key: key.to_owned(), flag: flag.to_owned(), values }
    }

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn flags_become_overrides_of_their_keys() {
        let request = parse(&[
            "run",
            "--config",
            "h.toml",
            "--server",
            "db1:3306",
            "--server=[::1]:3307",
            "--control-user",
            "watch",
            "--workers",
            "2",
            "--require-tls",
            "--set",
            "routing.split=false",
            "--set",
            "log.filter=a=debug",
        ])
        .unwrap();
        let overrides = vec![
            one("listen.require_tls", "--require-tls", &["true"]),
            one("servers.addresses", "--server", &["db1:3306", "[::1]:3307"]),
            one("control.user", "--control-user", &["watch"]),
            one("runtime.workers", "--workers", &["2"]),
            one("routing.split", "--set routing.split", &["false"]),
            one("log.filter", "--set log.filter", &["a=debug"]),
        ];
        assert_eq!(request, Request::Run(Input { file: Some("h.toml".into()), overrides }));
    }

    #[test]
    fn a_list_can_be_set_item_by_item() {
        let set = ["check", "--set", "listen.address=0.0.0.0:1", "--set", "listen.address=0.0.0.0:2"];
        let overrides = vec![one("listen.address", "--set listen.address", &["0.0.0.0:1", "0.0.0.0:2"])];
        assert_eq!(
            parse(&set).unwrap(),
            Request::Check { input: Input { file: None, overrides }, connect: false }
        );
    }

    #[test]
    fn a_statement_is_taken_as_it_is() {
        let request = parse(&["explain", "--control-user", "watch", "SELECT 1", "--schema", "shop"]).unwrap();
        let overrides = vec![one("control.user", "--control-user", &["watch"])];
        let (statement, schema) = ("SELECT 1".to_owned(), Some("shop".to_owned()));
        assert_eq!(request, Request::Explain { input: Input { file: None, overrides }, statement, schema });
        assert!(parse(&["explain"]).is_err());
    }

    #[test]
    fn init_has_flags_of_its_own() {
        let given = ["init", "--server", "db1:3306", "--server=db1:3306", "--server", "[::1]:3307"];
        let Ok(Request::Init { request, password_file: None }) = parse(&given) else { panic!("it is right") };
        let servers = ["db1:3306", "[::1]:3307"].map(|text| text.parse().unwrap());
        assert_eq!(request.servers, servers);
        assert_eq!((request.user.as_str(), request.output.to_str()), ("root", Some("headgate.toml")));
        assert_eq!((request.tls, request.create_account, request.force), (None, false, false));
        let verified = parse(&["init", "--server", "a:1", "--backend-tls", "verify-ca", "--create-account"]);
        let Ok(Request::Init { request, .. }) = verified else { panic!("it is right") };
        assert_eq!((request.tls, request.create_account), (Some(BackendTls::VerifyCa), true));
        for wrong in [
            &["init"][..],
            &["init", "--server", "db1"],
            &["init", "--server", "a:1", "--backend-tls", "x"],
            &["init", "--server", "a:1", "--control-user", ""],
            &["init", "--server", "a:1", "--password", "s3cret"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let check = |arguments: &[&str]| assert!(parse(arguments).is_err(), "{arguments:?}");
        check(&[]);
        check(&["serve"]);
        check(&["run", "--sever", "db1:3306"]);
        check(&["run", "--set", "routing.split"]);
        check(&["run", "--control-password", "s3cret"]);
    }
}
