use std::collections::HashSet;

/// Names of things in the catalogue, such as views, found in any case without allocation.
///
/// A name is kept without its schema: a view of that name anywhere counts. Names outside ASCII can be spelled
/// in several character sets and cases, so one of them in the catalogue makes every such name a hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: HashSet<Box<[u8]>>,
    foreign: bool,
}

/// No server allows more than 64 characters of up to four bytes.
const LONGEST: usize = 256;

impl Names {
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.foreign
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the bytes of a name, as a client sent them, may be one of these.
    pub fn contains(&self, name: &[u8]) -> bool {
        if !name.is_ascii() {
            return self.foreign;
        }
        let mut folded = [0; LONGEST];
        let Some(folded) = folded.get_mut(..name.len()) else { return false };
        folded.copy_from_slice(name);
        folded.make_ascii_lowercase();
        self.names.contains(&*folded)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            let name = name.as_ref();
            if name.is_ascii() {
                all.names.insert(name.to_ascii_lowercase().into_bytes().into());
            } else {
                all.foreign = true;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let names: Names = ["Orders_View", "größe"].into_iter().collect();
        assert!(names.contains(b"orders_VIEW"));
        assert!(!names.contains(b"orders"));
        assert!(names.contains("GRÖSSE".as_bytes()));
        assert!(!names.contains(&[b'x'; 300]));
        assert!(Names::default().is_empty() && !names.is_empty());
    }

    #[test]
    fn without_foreign_names_no_foreign_name_is_one() {
        let names: Names = ["v"].into_iter().collect();
        assert!(!names.contains(b"v\xf6"));
    }
}
