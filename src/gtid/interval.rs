/// Sequence numbers as disjoint, growing, non-adjacent intervals, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn count(&self) -> u128 {
        self.iter().map(|(first, last)| u128::from(last - first) + 1).sum()
    }

    /// Adds `first..=last`.
    pub(super) fn add(&mut self, first: u64, last: u64) {
        if self.0.last().is_none_or(|(_, end)| end.saturating_add(1) < first) {
            self.0.push((first, last));
            return;
        }
        // Where the new interval begins, and how many old ones it touches.
        let from = self.0.partition_point(|(_, end)| end.saturating_add(1) < first);
        let to = self.0.partition_point(|(start, _)| *start <= last.saturating_add(1));
        let start = self.0.get(from).map_or(first, |(start, _)| first.min(*start));
        let end = to.checked_sub(1).and_then(|at| self.0.get(at)).map_or(last, |(_, end)| last.max(*end));
        let merged = if from < to { (start, end) } else { (first, last) };
        self.0.splice(from..to, [merged]);
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        other.iter().all(|(first, last)| {
            let at = self.0.partition_point(|(_, end)| *end < first);
            self.0.get(at).is_some_and(|(start, end)| *start <= first && last <= *end)
        })
    }

    pub(super) fn union(&mut self, other: &Self) {
        for (first, last) in other.iter() {
            self.add(first, last);
        }
    }

    pub(super) fn subtract(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.0.as_slice();
        for (mut first, last) in self.iter() {
            while let Some(((_, end), rest)) = holes.split_first() {
                if *end >= first {
                    break;
                }
                holes = rest;
            }
            let mut whole = true;
            for (start, end) in holes.iter().take_while(|(start, _)| *start <= last) {
                if first < *start {
                    left.push((first, start - 1));
                }
                if *end >= last {
                    whole = false;
                    break;
                }
                first = first.max(end + 1);
            }
            if whole {
                left.push((first, last));
            }
        }
        Self(left)
    }
}
