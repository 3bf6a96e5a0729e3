//! Makes texts of upstreams, clients and files safe to show.
//!
//! Three sorts of characters change how a text looks without being seen themselves: controls, which
//! a terminal obeys (ESC, and CSI as U+009B); bidirectional controls, which reorder what stands
//! around them (U+202E turns `1.02` into `20.1`); and characters that have no glyph, which make two
//! texts look alike. [`is_hidden`] names them all.
//!
//! | where | by | hidden characters become |
//! | --- | --- | --- |
//! | texts of upstreams, where a value, a note or an error is made, or is read from a file | [`clean`], [`clean_shared`] | a space, or U+FFFD |
//! | standard output and standard error of commands, the text log | [`escape`], [`escape_line`] | an escape: `\u{1b}` |
//! | JSON of the log and of `doctor` | [`escape_json`] | JSON's own escape: `\u001b` |
//!
//! So HTML, SVG, JSON and shell output need no rule of their own.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// Stands for a hidden character in a value.
const REPLACEMENT: char = '\u{fffd}';

/// Returns true for a character that changes how a text looks without being seen itself.
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

/// Returns true for a character that shapes its neighbours: a joiner of Persian, Indic scripts and
/// emoji, or a variation selector. It is not hidden behind a character of such a script.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Replaces hidden characters, each by what `replace` appends to the text.
fn rewrite(text: &str, mut replace: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut shapes = false;
    for c in text.chars() {
        if is_hidden(c) && !(shapes && is_joiner(c)) {
            replace(&mut shown, c);
            shapes = false;
        } else {
            shown.push(c);
            shapes = !c.is_ascii() && !is_joiner(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns a line to be kept and shown: controls and separators become spaces, other hidden
/// characters U+FFFD.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| {
        let is_space = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        shown.push(if is_space { ' ' } else { REPLACEMENT });
    })
}

/// [`clean`] for a shared text, which is copied only if it has hidden characters.
pub(crate) fn clean_shared(text: Arc<str>) -> Arc<str> {
    match clean(&text) {
        Cow::Owned(cleaned) => cleaned.into(),
        Cow::Borrowed(_) => text,
    }
}

/// Returns a text of several lines for a terminal: hidden characters but line feeds are escaped.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| match c {
        '\n' => shown.push('\n'),
        c => shown.extend(c.escape_unicode()),
    })
}

/// Returns a text for one line of a terminal or a log: hidden characters are escaped, and so are
/// line feeds.
pub(crate) fn escape_line(text: &str) -> Cow<'_, str> {
    rewrite(text, |shown, c| match c {
        '\n' => shown.push_str("\\n"),
        c => shown.extend(c.escape_unicode()),
    })
}

/// Returns the same JSON document with hidden characters escaped. They stand in strings only, and
/// there an escape means the character (RFC 8259 7). Line feeds between tokens stay.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_replaced_in_values_and_escaped_on_terminals() {
        for (text, cleaned, escaped) in [
            ("Clear, 12 °C", "Clear, 12 °C", "Clear, 12 °C"),
            ("a\u{1b}[31mb\u{7}", "a [31mb ", "a\\u{1b}[31mb\\u{7}"),
            ("a\u{9b}31m\u{7f}", "a 31m ", "a\\u{9b}31m\\u{7f}"),
            ("a\nb", "a b", "a\\nb"),
            ("a\u{2028}b", "a b", "a\\u{2028}b"),
            ("1.02\u{202e}", "1.02\u{fffd}", "1.02\\u{202e}"),
            ("o\u{200d}k", "o\u{fffd}k", "o\\u{200d}k"),
            ("o\u{e0041}k", "o\u{fffd}k", "o\\u{e0041}k"),
            // A joiner of a script that needs it, and a sun as an emoji.
            ("می\u{200c}شود ☀\u{fe0f}", "می\u{200c}شود ☀\u{fe0f}", "می\u{200c}شود ☀\u{fe0f}"),
            ("☀\u{fe0f}\u{fe0f}", "☀\u{fe0f}\u{fffd}", "☀\u{fe0f}\\u{fe0f}"),
        ] {
            assert_eq!((&*clean(text), &*escape_line(text)), (cleaned, escaped));
        }
        assert_eq!(escape("a\nb\r\n"), "a\nb\\u{d}\n");
    }

    #[test]
    fn every_bidirectional_control_and_invisible_character_is_hidden() {
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
    fn json_with_escapes_means_the_same() {
        let texts = ["a\u{1b}\u{9b}\u{202e}\u{e0041}b", "\n", "plain"];
        let document = format!("{:#}", serde_json::json!({ "texts": texts }));
        let escaped = escape_json(&document);
        assert!(!escaped.contains(|c| c != '\n' && is_hidden(c)), "{escaped}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, serde_json::json!({ "texts": texts }));
    }
}
