//! Figures of several rounds.

/// The middle of the figures; the mean of the two middle ones of an even number. `None` of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The median over the rounds of `a` in relation to `b` in the same round, which what the machine
/// does meanwhile disturbs less than the relation of two medians.
pub(crate) fn ratio(a: &[f64], b: &[f64]) -> Option<f64> {
    median(a.iter().zip(b).map(|(a, b)| a / b))
}
