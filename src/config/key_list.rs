//! Names of keys in one text: a fleet has half a million of them, of which an error may need a few.

/// Room for the names of most tables, bytes.
const CAPACITY: usize = 256;

/// Names in their order. One with a line break, which no key of this program has, counts as two.
#[derive(Debug, Default)]
pub(super) struct KeyList(String);

impl KeyList {
    pub(super) fn push(&mut self, key: &str) {
        if self.0.is_empty() {
            self.0.reserve(CAPACITY);
        }
        self.0.push_str(key);
        self.0.push('\n');
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split_terminator('\n')
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.iter().any(|known| known == key)
    }

    /// Returns the names as a text for people.
    pub(super) fn joined(&self) -> String {
        self.iter().collect::<Vec<_>>().join(", ")
    }
}
