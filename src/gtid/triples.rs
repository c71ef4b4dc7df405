//! The texts of MariaDB: `domain-server-sequence`, one after the other.

use super::BadGtid;

/// One transaction, as MariaDB names it.
pub(super) struct Triple {
    pub(super) domain: u32,
    pub(super) server: u32,
    pub(super) sequence: u64,
}

/// Reads a text of them, with commas between; `kind` says in the error what the text was to be.
pub(super) fn triples<'a>(
    text: &'a str,
    kind: &'static str,
) -> impl Iterator<Item = Result<Triple, BadGtid>> + 'a {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(move |part| triple(part).ok_or_else(|| BadGtid::new(text, kind)))
}

fn triple(part: &str) -> Option<Triple> {
    let mut fields = part.split('-');
    let (domain, server, sequence) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    Some(Triple {
        domain: domain.parse().ok()?,
        server: server.parse().ok()?,
        sequence: sequence.parse().ok()?,
    })
}
