//! Durations as people write them: a whole number and a unit, "250ms" or "10s".

use std::time::Duration;

use super::setting::{Complaint, Form, Setting};
use super::value::{Shape, Value};

/// Units in milliseconds, from the largest that is shown to the smallest.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Setting for Duration {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "duration".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        match &value.shape {
            Shape::Text(text) => parse(text).ok_or_else(|| {
                let remedy = "write a whole number and a unit, such as \"250ms\", \"10s\", \"5m\" or \"1h\"";
                vec![Complaint::expected("a duration", value, remedy)]
            }),
            Shape::Whole(number) => {
                let what = format!("{number} has no unit");
                Err(vec![Complaint::new(what, format!("write \"{number}s\" or \"{number}ms\""))])
            }
            _ => Err(vec![Complaint::expected("a duration", value, "write it in quotes, such as \"10s\"")]),
        }
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", text(*self)))
    }
}

pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    Some(Duration::from_millis(number.checked_mul(*scale)?))
}

/// The shortest exact form: the largest unit that leaves a whole number.
pub(super) fn text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (unit, scale) = UNITS
        .iter()
        .find(|(_, scale)| millis != 0 && millis.is_multiple_of(u128::from(*scale)))
        .unwrap_or(&("ms", 1));
    format!("{}{unit}", millis / u128::from(*scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_number_and_a_unit() {
        let check = |written: &str, millis: Option<u64>| {
            assert_eq!(parse(written), millis.map(Duration::from_millis), "{written:?}");
        };
        check("250ms", Some(250));
        check("10s", Some(10_000));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check(" 10 s ", Some(10_000));
        check("0ms", Some(0));
        check("10", None);
        check("s", None);
        check("", None);
        check("-1s", None);
        check("1.5s", None);
        check("1m30s", None);
        check("18446744073709551615h", None);
        check("99999999999999999999s", None);
    }

    #[test]
    fn shows_the_largest_exact_unit() {
        let check = |millis: u64, shown: &str| assert_eq!(text(Duration::from_millis(millis)), shown);
        check(0, "0ms");
        check(250, "250ms");
        check(1_500, "1500ms");
        check(10_000, "10s");
        check(60_000, "1m");
        check(7_200_000, "2h");
    }
}
