//! A picture that is redrawn in place, on the terminal's second screen, so that what stood on the
//! first is still there afterwards.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};

use crate::frame::{Frame, Size, Style, draw};

/// The second screen, taken. Given back when it is dropped, the cursor with it.
pub(crate) struct Screen(());

impl Screen {
    /// Where standard output is a terminal that can be drawn on.
    pub(crate) fn take() -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if dumb || !stdout().is_terminal() {
            return None;
        }
        put("\x1b[?1049h\x1b[?25l");
        Some(Self(()))
    }

    pub(crate) fn show(&self, frame: &Frame) {
        let mut text = "\x1b[H".to_owned();
        for (style, line) in draw(frame, size()) {
            // Writing to a String cannot fail. What was longer there is erased.
            let _ = match style {
                Style::Plain => writeln!(text, "{line}\x1b[K"),
                Style::Heading => writeln!(text, "\x1b[1m{line}\x1b[0m\x1b[K"),
                Style::Alarm => writeln!(text, "\x1b[1;31m{line}\x1b[0m\x1b[K"),
            };
        }
        text.push_str("\x1b[J");
        put(&text);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        put("\x1b[?25h\x1b[?1049l");
    }
}

/// Where nobody reads any more, there is nobody to tell.
fn put(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The terminal's size now, or what is usual where it does not tell.
#[allow(unsafe_code, reason = "ioctl(2) has no safe wrapper in std")]
fn size() -> Size {
    let mut told = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and that is what it is given.
    let answered = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut told) } == 0;
    if !answered || told.ws_col == 0 || told.ws_row == 0 {
        return Size { columns: 80, rows: 24 };
    }
    Size { columns: told.ws_col.into(), rows: told.ws_row.into() }
}
