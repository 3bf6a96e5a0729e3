//! Text of a bounded length, whose control characters are escaped on the way in.

use std::fmt::{self, Write};

use crate::text::is_hidden;

/// Collects formatted text up to a number of bytes and counts the rest.
///
/// A peer's text must not end a line early, move the cursor or reorder what a terminal shows. With
/// [`Escapes::Visible`] such characters are therefore replaced by `\n` or `\u{1b}`.
#[derive(Debug)]
pub(super) struct Capped {
    text: String,
    max_bytes: usize,
    /// Bytes counted against `max_bytes`, escapes at their written length.
    used: usize,
    /// Bytes of the original text that did not fit.
    cut: usize,
    escapes: Escapes,
}

/// Treatment of control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Replaced here, for a text that is written as it is.
    Visible,
    /// Kept, for a text that JSON escapes later.
    ByJson,
}

impl Capped {
    /// Returns an empty text that takes at most `max_bytes`.
    pub(super) fn new(max_bytes: usize, escapes: Escapes) -> Capped {
        Capped { text: String::new(), max_bytes, used: 0, cut: 0, escapes }
    }

    /// Returns the text, with a mark of how much was cut off.
    pub(super) fn into_text(mut self) -> String {
        if self.cut > 0 {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "… [{} bytes cut]", self.cut);
        }
        self.text
    }

    fn push(&mut self, character: char) {
        let escaped = is_hidden(character);
        let length = match (escaped, self.escapes, character) {
            (true, _, _) => character.escape_default().len(),
            (false, Escapes::ByJson, '"' | '\\') => 2,
            (false, _, _) => character.len_utf8(),
        };
        if self.cut > 0 || self.used + length > self.max_bytes {
            self.cut += character.len_utf8();
            return;
        }
        self.used += length;
        if escaped && self.escapes == Escapes::Visible {
            self.text.extend(character.escape_default());
        } else {
            self.text.push(character);
        }
    }
}

impl Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut > 0 {
            self.cut += text.len();
        } else if self.used + text.len() <= self.max_bytes && text.bytes().all(is_plain) {
            self.used += text.len();
            self.text.push_str(text);
        } else {
            text.chars().for_each(|character| self.push(character));
        }
        Ok(())
    }
}

/// Whether a byte is a printable ASCII character that neither form escapes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capped(text: &str, max_bytes: usize, escapes: Escapes) -> String {
        let mut whole = Capped::new(max_bytes, escapes);
        whole.write_str(text).unwrap();
        // In pieces it is the same.
        let mut pieces = Capped::new(max_bytes, escapes);
        text.chars().for_each(|character| pieces.write_char(character).unwrap());
        let whole = whole.into_text();
        assert_eq!(pieces.into_text(), whole);
        whole
    }

    #[test]
    fn text_beyond_the_cap_is_cut_on_a_character_boundary_and_counted() {
        for (text, max_bytes, expected) in [
            ("", 0, ""),
            ("plain", 5, "plain"),
            ("plain", 4, "plai… [1 bytes cut]"),
            ("größe", 3, "gr… [5 bytes cut]"),
            ("größe", 4, "grö… [3 bytes cut]"),
            // A shorter character behind the cut does not fill the gap.
            ("größe", 6, "größ… [1 bytes cut]"),
            ("a\u{1b}b", 6, "a… [2 bytes cut]"),
            ("a\u{1b}b", 7, "a\\u{1b}… [1 bytes cut]"),
        ] {
            assert_eq!(capped(text, max_bytes, Escapes::Visible), expected, "{text} {max_bytes}");
        }
    }

    #[test]
    fn controls_and_direction_marks_are_escaped_and_other_text_is_kept() {
        for (text, expected) in [
            ("2 ft³ at 5 °C, \"x\" \\ \u{1f6b0}", "2 ft³ at 5 °C, \"x\" \\ \u{1f6b0}"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31m\u{7f}\u{9b}\0", "\\u{1b}[31m\\u{7f}\\u{9b}\\u{0}"),
            ("\u{202e}\u{2066}\u{2028}\u{200f}", "\\u{202e}\\u{2066}\\u{2028}\\u{200f}"),
        ] {
            assert_eq!(capped(text, 1000, Escapes::Visible), expected);
            assert_eq!(capped(text, 1000, Escapes::ByJson), text);
        }
    }

    #[test]
    fn escapes_of_json_count_at_their_written_length() {
        let capped = capped(&"\u{1}".repeat(60_000), 1024, Escapes::ByJson);
        let written = serde_json::to_string(&capped).unwrap().len();
        assert!(written < 1024 + 256, "{written}");
    }
}
