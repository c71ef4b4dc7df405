//! The `headgate` command: reads the configuration, sets up logging, gets the password, runs.
//!
//! Ends with 0 after an orderly stop, 1 when something failed (or `check` found more than warnings), 2 when the
//! command line or the configuration is wrong and starting again would not help.

mod cli;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use headgate::app::init;
use headgate::app::run::{Start, run};
use headgate::app::settings::{Loaded, PasswordSource, Settings, Source, Surroundings};
use headgate::auth::Secret;
use headgate::config::{LogFormat, Problems};
use headgate::telemetry::logging;

fn main() -> ExitCode {
    let terminal = std::io::stdin().is_terminal();
    let surroundings = Surroundings::of_process(terminal);
    match cli::request() {
        cli::Request::Check { input, connect } => {
            check(&Source::find(input.file, input.overrides), &surroundings, connect)
        }
        cli::Request::Init { request, password_file } => {
            outcome(initialise(&request, password_file, terminal))
        }
        cli::Request::Run(input) => with_settings(input, surroundings, |loaded, source, surroundings| {
            start(loaded, source, surroundings)
        }),
        cli::Request::Explain { input, statement, schema } => {
            with_settings(input, surroundings, |loaded, _, _| explain(&loaded, &statement, schema.as_deref()))
        }
    }
}

/// Reads the configuration and goes on with it. What fails is said on standard error.
fn with_settings(
    input: cli::Input,
    surroundings: Surroundings,
    work: impl FnOnce(Loaded, Source, Surroundings) -> anyhow::Result<()>,
) -> ExitCode {
    let source = Source::find(input.file, input.overrides);
    let loaded = match source.load(&surroundings) {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::from(2);
        }
    };
    outcome(work(loaded, source, surroundings))
}

/// What failed is said on standard error.
fn outcome(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("headgate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// `headgate check`: the problems on standard output, where they can be piped.
fn check(source: &Source, surroundings: &Surroundings, connect: bool) -> ExitCode {
    let loaded = match source.load(surroundings) {
        Ok(loaded) => loaded,
        Err(Problems(problems)) => {
            tell(&Problems(problems).to_string());
            return ExitCode::FAILURE;
        }
    };
    tell(&describe(source, &loaded));
    if !connect {
        return ExitCode::SUCCESS;
    }
    let settings = &loaded.settings;
    let asked =
        control_password(settings).and_then(|password| headgate::app::check::check(settings, &password));
    match asked {
        Ok(verdict) => {
            tell(&format!("\n{}", verdict.text));
            if verdict.problems { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => outcome(Err(error)),
    }
}

/// `headgate init`.
fn initialise(request: &init::Request, password_file: Option<PathBuf>, terminal: bool) -> anyhow::Result<()> {
    let password = || {
        let source = PasswordSource::of_administrator(password_file, terminal)?;
        let ask = || rpassword::prompt_password(format!("Password of {}: ", request.user));
        Ok(source.fetch(ask)?)
    };
    init::init(request, password, tell)
}

/// To standard output. A reader that went away has read enough.
fn tell(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn describe(source: &Source, loaded: &Loaded) -> String {
    let from = match &source.file {
        Some(path) => path.display().to_string(),
        None => "no file, defaults and flags only".to_owned(),
    };
    let warnings: Vec<String> =
        Source::warnings(loaded).iter().map(|warning| format!("\nwarning: {warning}")).collect();
    let servers: Vec<String> = loaded.settings.servers.iter().map(ToString::to_string).collect();
    let listen: Vec<String> = loaded.settings.front.listen.iter().map(ToString::to_string).collect();
    let (listen, servers, warnings) = (listen.join(", "), servers.join(", "), warnings.concat());
    format!("{from}: no problems\nlistens on {listen}\nserves {servers}{warnings}")
}

/// `headgate run`, once the configuration is known to be right.
fn start(loaded: Loaded, source: Source, surroundings: Surroundings) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    let format = match settings.log.format {
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
    };
    let logging = logging::init(&settings.log.filter, format).context("logging could not be set up")?;
    let password = control_password(settings)?;
    match &source.file {
        Some(path) => tracing::info!(file = %path.display(), "configuration read"),
        None => tracing::info!("no configuration file; using defaults and flags"),
    }
    for warning in Source::warnings(&loaded) {
        tracing::warn!(remedy = warning.remedy, "{}", warning.what);
    }
    run(Start { loaded, password, source, surroundings, logging })
}

/// `headgate explain`: the decision on standard output.
fn explain(loaded: &Loaded, statement: &str, schema: Option<&str>) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    let explanation =
        headgate::app::explain::explain(settings, &control_password(settings)?, statement, schema)?;
    tell(&explanation.to_string());
    Ok(())
}

fn control_password(settings: &Settings) -> anyhow::Result<Secret> {
    let ask =
        || rpassword::prompt_password(format!("Password of control account {}: ", settings.control.user));
    settings.control.password.fetch(ask).context("there is no password for the control account")
}

/// To standard error; nothing can be done when even that is closed.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
