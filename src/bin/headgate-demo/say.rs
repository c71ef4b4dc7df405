//! Lines for the person who watches.

use std::io::Write;
use std::time::Instant;

/// Prints a text. Where nobody reads any more, there is nobody to tell.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A part that stands now, and how long it took since `begun`.
pub(crate) fn step(part: &str, what: &str, begun: Instant) {
    say(&format!("  {part:<9} {what} ({:.1} s)", begun.elapsed().as_secs_f64()));
}
