//! Texts of bounded length.

/// Unit in which a service counts the length of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Bytes of UTF-8.
    Bytes,
    /// Code points.
    Characters,
    /// Code units of UTF-16.
    Utf16,
}

impl Measure {
    fn of_char(self, c: char) -> usize {
        match self {
            Measure::Bytes => c.len_utf8(),
            Measure::Characters => 1,
            Measure::Utf16 => c.len_utf16(),
        }
    }

    pub(super) fn of(self, text: &str) -> usize {
        text.chars().map(|c| self.of_char(c)).sum()
    }
}

/// Longest end of a text that was cut.
const MAX_END: usize = 48;

/// Returns a text of at most `limit` units. One that is longer ends with `…` and the number of characters that were
/// left out.
pub(super) fn cut(text: &str, limit: usize, measure: Measure) -> String {
    if measure.of(text) <= limit {
        return text.to_owned();
    }
    let kept = prefix(text, limit.saturating_sub(MAX_END), measure);
    let left_out = text.chars().count() - kept.chars().count();
    format!("{kept}… ({left_out} more characters)")
}

/// Returns a text of at most `limit` units, for a title: one that is longer ends with `…`.
pub(super) fn cut_title(text: &str, limit: usize, measure: Measure) -> String {
    if measure.of(text) <= limit {
        return text.to_owned();
    }
    format!("{}…", prefix(text, limit.saturating_sub(measure.of_char('…')), measure))
}

fn prefix(text: &str, limit: usize, measure: Measure) -> &str {
    let mut length = 0;
    let end = text.char_indices().find(|(_, c)| {
        length += measure.of_char(*c);
        length > limit
    });
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters_and_says_how_much_is_left_out() {
        for measure in [Measure::Bytes, Measure::Characters, Measure::Utf16] {
            for text in ["a".repeat(300), "é".repeat(300), "🌧".repeat(300)] {
                let shown = cut(&text, 100, measure);
                assert!(measure.of(&shown) <= 100 && measure.of(&shown) > 50, "{shown}");
                let (kept, end) = shown.split_once('…').unwrap();
                let left_out = 300 - kept.chars().count();
                assert_eq!(end, format!(" ({left_out} more characters)"));
                let title = cut_title(&text, 100, measure);
                assert!(measure.of(&title) <= 100 && measure.of(&title) > 95);
                assert!(title.ends_with('…'));
                assert_eq!(cut(&text, measure.of(&text), measure), text);
            }
        }
    }
}
