//! Lines of a text by position.

/// Returns the number of the line at a position, counted from one.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Returns the start and the text of the line at a position, without its end.
pub(super) fn line_at(text: &str, at: usize) -> (usize, &str) {
    let at = if text.is_char_boundary(at.min(text.len())) { at.min(text.len()) } else { 0 };
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let line = &text[start..end];
    (start, line.strip_suffix('\r').unwrap_or(line))
}
