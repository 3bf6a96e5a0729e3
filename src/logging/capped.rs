//! Text of bounded length.

use std::fmt::{self, Write};

use crate::text::is_hidden;

/// Collects formatted text up to a number of bytes, and counts the bytes beyond.
///
/// A character that is escaped in the output counts at its escaped length, so the bound holds for the
/// output.
#[derive(Debug)]
pub(super) struct Capped {
    text: String,
    max_bytes: usize,
    /// Bytes counted against `max_bytes`.
    used: usize,
    /// Bytes of the original text that did not fit.
    cut: usize,
}

impl Capped {
    /// Returns an empty text that takes at most `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Capped {
        Capped { text: String::new(), max_bytes, used: 0, cut: 0 }
    }

    /// Returns the text, with the number of bytes that were cut off.
    pub(super) fn into_text(mut self) -> String {
        if self.cut > 0 {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "… [{} bytes cut]", self.cut);
        }
        self.text
    }

    fn push(&mut self, character: char) {
        let length = escaped_length(character);
        if self.cut > 0 || self.used + length > self.max_bytes {
            self.cut += character.len_utf8();
            return;
        }
        self.used += length;
        self.text.push(character);
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

/// Returns the length of a character in the output, as text or JSON, whichever is longer.
fn escaped_length(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        _ if is_hidden(character) => {
            character.escape_unicode().len().max(6 * character.len_utf16())
        }
        _ => character.len_utf8(),
    }
}

/// Returns true if a byte is a printable ASCII character that neither text nor JSON escapes.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{escape_json, escape_line};

    fn capped(text: &str, max_bytes: usize) -> String {
        let mut whole = Capped::new(max_bytes);
        whole.write_str(text).unwrap();
        // Written in pieces, the text is the same.
        let mut pieces = Capped::new(max_bytes);
        text.chars().for_each(|character| pieces.write_char(character).unwrap());
        let whole = whole.into_text();
        assert_eq!(pieces.into_text(), whole);
        whole
    }

    #[test]
    fn capped_text_is_cut_on_a_character_boundary_and_the_rest_counted() {
        for (text, max_bytes, expected) in [
            ("", 0, ""),
            ("plain", 5, "plain"),
            ("plain", 4, "plai… [1 bytes cut]"),
            ("größe", 3, "gr… [5 bytes cut]"),
            ("größe", 4, "grö… [3 bytes cut]"),
            // A shorter character behind the cut does not fill the gap.
            ("größe", 6, "größ… [1 bytes cut]"),
            ("a\u{1b}b", 6, "a… [2 bytes cut]"),
            ("a\u{1b}b", 7, "a\u{1b}… [1 bytes cut]"),
            ("a\"b", 3, "a\"… [1 bytes cut]"),
        ] {
            assert_eq!(capped(text, max_bytes), expected, "{text} {max_bytes}");
        }
    }

    #[test]
    fn capped_text_with_escapes_has_the_length_of_its_output_bounded() {
        for character in ["\u{1}", "\u{9b}", "\u{202e}", "\u{e0041}", "\"", "\n", "x"] {
            let capped = capped(&character.repeat(60_000), 1024);
            let text = escape_line(&capped).len();
            assert!(text < 1024 + 32, "{character:?}: {text}");
            let json = escape_json(&serde_json::to_string(&capped).unwrap()).len();
            assert!(json < 1024 + 32, "{character:?}: {json}");
        }
    }
}
