//! Log lines: written to standard error, as text for people or as JSON for machines.
//!
//! No statement text, no password and no row ever goes into a line above `trace`; secrets never do.

use std::fmt;
use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::{Layer, Registry};

/// What is wrong with a filter or with setting up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("{word:?} is neither a level nor TARGET=LEVEL")]
    NotALevel { word: String },
    #[error("this is not a log filter")]
    Filter {
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logging is already set up in this process")]
    AlreadySet {
        #[source]
        source: tracing::subscriber::SetGlobalDefaultError,
    },
    #[error("the log filter can no longer be changed")]
    Gone {
        #[source]
        source: reload::Error,
    },
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// The way to change what is written while Headgate runs.
#[derive(Clone)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logging")
    }
}

impl Logging {
    /// Replaces the filter: a level, or levels by module.
    pub fn set_filter(&self, filter: &str) -> Result<(), LoggingError> {
        let filter = parse(filter)?;
        self.filter.reload(filter).map_err(|source| LoggingError::Gone { source })
    }
}

/// Sets up logging for the whole process. Call once.
pub fn init(filter: &str, format: Format) -> Result<Logging, LoggingError> {
    let (subscriber, logging) =
        subscriber(parse(filter)?, format, std::io::stderr, std::io::stderr().is_terminal());
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|source| LoggingError::AlreadySet { source })?;
    Ok(logging)
}

/// Whether `filter` would be taken.
pub fn check_filter(filter: &str) -> Result<(), LoggingError> {
    parse(filter).map(drop)
}

/// tracing takes any bare word for a module name, so that `inof` would silence everything; here a word
/// alone must be a level.
fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let words: Vec<&str> = filter.split(',').map(str::trim).collect();
    for word in &words {
        let level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        if !level && !word.contains('=') {
            return Err(LoggingError::NotALevel { word: (*word).to_owned() });
        }
    }
    EnvFilter::builder().parse(words.join(",")).map_err(|source| LoggingError::Filter { source })
}

fn subscriber<W>(
    filter: EnvFilter,
    format: Format,
    writer: W,
    colours: bool,
) -> (impl Subscriber + Send + Sync, Logging)
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        Format::Text => tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).boxed(),
        Format::Json => {
            tracing_subscriber::fmt::layer().with_writer(writer).json().flatten_event(true).boxed()
        }
    };
    (tracing_subscriber::registry().with(filter).with(lines), Logging { filter: handle })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, say: impl FnOnce(&Logging)) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let (subscriber, logging) = subscriber(parse("info").unwrap(), format, move || writer.clone(), false);
        tracing::subscriber::with_default(subscriber, || say(&logging));
        String::from_utf8(lines.0.lock().clone()).unwrap()
    }

    #[test]
    fn a_filter_is_a_level_or_levels_by_module() {
        for filter in ["info", "OFF", "warn,headgate::monitor=debug", "headgate=trace", " info , a=warn "] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["", "inof", "info,", "headgate::monitor", "headgate=loud", "headgate==debug"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn the_filter_can_be_changed_while_running() {
        let text = logged(Format::Text, |logging| {
            tracing::debug!("before");
            logging.set_filter("debug").unwrap();
            tracing::debug!("after");
            assert!(logging.set_filter("inof").is_err());
            tracing::debug!("still");
        });
        assert!(!text.contains("before"), "{text}");
        assert!(text.contains("after") && text.contains("still"), "{text}");
    }

    #[test]
    fn json_lines_are_json() {
        let text = logged(Format::Json, |_| tracing::info!(server = "db1:3306", "connected"));
        let line = text.trim();
        assert!(line.starts_with('{') && line.ends_with('}') && !line.contains('\n'), "{text}");
        assert!(
            line.contains("\"server\":\"db1:3306\"") && line.contains("\"message\":\"connected\""),
            "{text}"
        );
    }
}
