//! Free labels of units: `unit_label = "bales"`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Name of a unit that the program does not know. Its numbers are shown and recorded, and never
/// converted.
///
/// Labels are interned, so that a unit can be copied. The texts live as long as the process; their
/// number is bounded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(&'static str);

/// Most characters of a label.
pub const MAX_LABEL: usize = 24;

/// Most labels of a process. Labels come from the configuration and from the recorded history.
const MAX_LABELS: usize = 4_096;

static LABELS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl Label {
    /// Returns the label with this text. Returns `None` if the text is blank, longer than
    /// [`MAX_LABEL`], begins or ends with a blank, has a control character or one that JSON escapes,
    /// or if the process has too many labels.
    pub fn new(text: &str) -> Option<Label> {
        let is_plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '\u{7f}'..='\u{9f}');
        let is_valid = !text.is_empty()
            && text.trim() == text
            && text.chars().count() <= MAX_LABEL
            && text.chars().all(is_plain)
            && crate::text::clean(text) == text;
        if !is_valid {
            return None;
        }
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = labels.get(text) {
            return Some(Label(known));
        }
        if labels.len() >= MAX_LABELS {
            return None;
        }
        let text: &'static str = Box::leak(text.into());
        labels.insert(text);
        Some(Label(text))
    }

    /// Returns the text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_label_is_plain_and_short() {
        for text in ["bales", "m³/h", "fish per hour", "%RH"] {
            assert_eq!(Label::new(text).map(Label::as_str), Some(text));
            assert_eq!(Label::new(text), Label::new(text));
        }
        for text in ["", " ", " bales", "a\nb", "a\"b", "a\\b", "\u{202e}x", &"x".repeat(25)] {
            assert_eq!(Label::new(text), None, "{text:?}");
        }
    }
}
