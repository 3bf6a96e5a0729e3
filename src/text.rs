//! Removes or escapes hidden characters in texts of upstreams, clients and files.
//!
//! Three kinds of characters change how a text looks without being visible: controls, which a
//! terminal executes (ESC, and CSI as U+009B); bidirectional controls, which reorder the characters
//! around them (U+202E makes `1.02` look like `20.1`); and characters without a glyph, which make
//! two different texts look alike. [`is_hidden`] lists them.
//!
//! | text | function | a hidden character becomes |
//! | --- | --- | --- |
//! | values, notes and errors of upstreams, when they are made or read from a file | [`clean`], [`clean_shared`] | a space, or U+FFFD |
//! | standard output and standard error of commands, the text log | [`escape`], [`escape_line`] | an escape: `\u{1b}` |
//! | JSON of the log and of `doctor` | [`escape_json`] | an escape of JSON: `\u001b` |
//!
//! Values are cleaned at their source, so HTML, SVG, JSON and shell output do not clean them again.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// Replaces a hidden character in a value.
const REPLACEMENT: char = '\u{fffd}';

/// Returns true for a character that changes how a text looks without being visible.
///
/// These are the controls (C0, DEL, C1), the line and paragraph separators, Unicode's
/// `Bidi_Control` and `Default_Ignorable_Code_Point` (Unicode 16, DerivedCoreProperties.txt), and
/// the interlinear annotations.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns true for a character that changes the shape of its neighbours: a joiner, which Persian, Indic
/// scripts and emoji use, or a variation selector. After a character of such a script its effect is visible.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Replaces each hidden character by what `replace` appends.
///
/// A joiner is kept if it follows a character that is not ASCII. Borrows a text without hidden
/// characters.
fn rewrite(text: &str, mut replace: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut may_join = false;
    for c in text.chars() {
        if is_hidden(c) && !(may_join && is_joiner(c)) {
            replace(&mut shown, c);
            may_join = false;
        } else {
            shown.push(c);
            may_join = !c.is_ascii() && !is_joiner(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns a value in one line: controls and separators become spaces, other hidden characters
/// U+FFFD.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| {
        let is_space = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        shown.push(if is_space { ' ' } else { REPLACEMENT });
    })
}

/// Cleans a shared text as [`clean`] does. The text is copied only if it has hidden characters.
pub(crate) fn clean_shared(text: Arc<str>) -> Arc<str> {
    match clean(&text) {
        Cow::Owned(cleaned) => cleaned.into(),
        Cow::Borrowed(_) => text,
    }
}

/// Escapes hidden characters except line feeds, for a text of several lines on a terminal.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| match c {
        '\n' => shown.push('\n'),
        c => shown.extend(c.escape_unicode()),
    })
}

/// Escapes hidden characters and line feeds, for one line of a terminal or a log.
pub(crate) fn escape_line(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| match c {
        '\n' => shown.push_str("\\n"),
        c => shown.extend(c.escape_unicode()),
    })
}

/// Escapes hidden characters of a JSON document, which keeps its meaning.
///
/// Outside of strings JSON allows no hidden character but whitespace, and in a string an escape means
/// the character itself (RFC 8259 7). Line feeds between tokens stay.
pub(crate) fn escape_json(document: &str) -> Cow<'_, str> {
    rewrite(document, |shown, c| match c {
        '\n' => shown.push('\n'),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    })
}

/// Returns a peer's text for one line of a log: without hidden characters, and of at most
/// `max_characters`.
pub(crate) fn one_line(bytes: &[u8], max_characters: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = clean(text.trim());
    let mut line: String = text.chars().take(max_characters).collect();
    if text.chars().nth(max_characters).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_character_is_replaced_in_values_and_escaped_on_terminals() {
        for (text, cleaned, escaped) in [
            ("Clear, 12 °C", "Clear, 12 °C", "Clear, 12 °C"),
            ("a\u{1b}[31mb\u{7}", "a [31mb ", "a\\u{1b}[31mb\\u{7}"),
            ("a\u{9b}31m\u{7f}", "a 31m ", "a\\u{9b}31m\\u{7f}"),
            ("a\nb", "a b", "a\\nb"),
            ("a\u{2028}b", "a b", "a\\u{2028}b"),
            ("1.02\u{202e}", "1.02\u{fffd}", "1.02\\u{202e}"),
            ("o\u{200d}k", "o\u{fffd}k", "o\\u{200d}k"),
            ("o\u{e0041}k", "o\u{fffd}k", "o\\u{e0041}k"),
            // A joiner in a Persian word, and a variation selector that makes a sun an emoji.
            ("می\u{200c}شود ☀\u{fe0f}", "می\u{200c}شود ☀\u{fe0f}", "می\u{200c}شود ☀\u{fe0f}"),
            ("☀\u{fe0f}\u{fe0f}", "☀\u{fe0f}\u{fffd}", "☀\u{fe0f}\\u{fe0f}"),
        ] {
            assert_eq!((&*clean(text), &*escape_line(text)), (cleaned, escaped));
        }
        assert_eq!(escape("a\nb\r\n"), "a\nb\\u{d}\n");
    }

    #[test]
    fn bidirectional_control_or_invisible_character_is_hidden() {
        let singles =
            "\u{61c}\u{200b}\u{200e}\u{200f}\u{2060}\u{feff}\u{ad}\u{3164}\u{180e}\u{e0001}";
        let ranges = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        for c in singles.chars().chain(ranges).chain('\0'..='\x1f').chain('\x7f'..='\u{9f}') {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in " aé°³µ漢Ω…—€🌧\u{fffd}".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let texts = ["a\u{1b}\u{9b}\u{202e}\u{e0041}b", "\n", "plain"];
        let document = format!("{:#}", serde_json::json!({ "texts": texts }));
        let escaped = escape_json(&document);
        assert!(!escaped.contains(|c| c != '\n' && is_hidden(c)), "{escaped}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, serde_json::json!({ "texts": texts }));
    }
}
