//! The nearest known name to one that is not known.

/// The candidate nearest to `word`, if any is near enough to be a slip of the pen: an edit for every
/// three letters, at least one. The first of several equally near.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::osa_distance(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["max_idle", "idle_timeout", "wait_timeout"];
        let check =
            |word: &str, found: Option<&str>| assert_eq!(nearest(word, names.into_iter()), found, "{word}");
        check("max_idel", Some("max_idle"));
        check("MAX_IDLE", Some("max_idle"));
        check("idle_timout", Some("idle_timeout"));
        check("weight", None);
        check("", None);
        check("x", None);
    }
}
