//! Reading `/metrics`.

/// One line of `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    /// The value of a label; empty if there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }

    /// Label values of ours hold no quotes, so none are unescaped.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels
            .trim_end_matches('}')
            .split("\",")
            .filter_map(|pair| pair.split_once("=\""))
            .map(|(label, value)| (label.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect();
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_samples() {
        let check = |line: &str, name: &str, labels: &[(&str, &str)], value: f64| {
            let sample = Sample::parse(line).unwrap();
            assert_eq!((sample.name.as_str(), sample.value), (name, value), "{line}");
            let found: Vec<_> = sample.labels.iter().map(|(l, v)| (l.as_str(), v.as_str())).collect();
            assert_eq!(found, labels, "{line}");
        };
        check("up 1", "up", &[], 1.0);
        check("a_total{x=\"1\"} 2.5", "a_total", &[("x", "1")], 2.5);
        check("a{x=\"b,c\",y=\"h:1\"} 3", "a", &[("x", "b,c"), ("y", "h:1")], 3.0);
        assert_eq!(Sample::parse("# HELP up whether"), None);
        assert_eq!(Sample::parse("nonsense"), None);
    }
}
