//! Explains a line that is not TOML: what was written, and what to write.
//!
//! A message repeats numbers and words such as `True`, and no other value: that may be a secret.

use toml_span::{Error, ErrorKind, Span};

use super::super::scalar::parse_duration;
use super::super::secret::is_secret_name;

/// Tables of which there may be several, by their last name.
const ARRAYS: [&str; 4] = ["source", "user", "token", "certificate"];

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

/// Explains a table that occurs twice. The position is that of the line to change.
pub(super) fn duplicate_table(text: &str, name: &str, first: Span, second: Span) -> (Span, String) {
    let header = |span: Span| line_at(text, span.start).1.trim();
    let is_double = |span: Span| header(span).starts_with("[[");
    let first_line = line_number(text, first.start);
    if is_double(first) == is_double(second) {
        let message = format!(
            "the table {} is in line {first_line} already; move its keys there",
            shown_header(header(second), name)
        );
        return (second, message);
    }
    let is_array = ARRAYS.contains(&name);
    let wrong = if is_double(second) == is_array { first } else { second };
    let other = if wrong == first { second } else { first };
    let written = shown_header(header(wrong), name);
    let path = written.trim_matches(['[', ']']);
    let (right, reason) = match is_array {
        true => (format!("[[{path}]]"), "there may be several"),
        false => (format!("[{path}]"), "there is one"),
    };
    let line = line_number(text, other.start);
    let message = format!("{written} must be written {right}, as in line {line}: {reason}");
    // A table that an array follows was its only element; the other way round the span is the header.
    (header_span(text, wrong), message)
}

/// Returns the position of the header of a line.
fn header_span(text: &str, span: Span) -> Span {
    let (start, line) = line_at(text, span.start);
    let start = start + line.len() - line.trim_start().len();
    Span::new(start, start)
}

/// Returns a header without its comment.
fn shown_header(line: &str, name: &str) -> String {
    match line.rfind(']') {
        Some(end) if line.starts_with('[') => line[..=end].to_owned(),
        _ => format!("[{name}]"),
    }
}

/// Explains an error of the parser by the line that it is in.
pub(super) fn line(text: &str, error: &Error) -> (Span, String) {
    // At its end, a text without a line end is at fault in its last line.
    let span = match error.span.start {
        start if start >= text.len() => Span::new(text.trim_end().len(), text.len()),
        _ => error.span,
    };
    let (start, line) = line_at(text, span.start);
    let found = text.get(span.start..).and_then(|rest| rest.chars().next());
    if let Some(message) = found.and_then(|found| odd_character(found, line)) {
        return (span, message);
    }
    // The line itself is sound, so what begins above it has no end.
    if toml_span::parse(line).is_ok()
        && let Some((at, key)) = open_above(text, start)
    {
        let message = format!("the list or table of \"{key}\" is not closed; end it by ] or }}");
        return (Span::new(at, at), message);
    }
    let first = start + line.len() - line.trim_start().len();
    if let Some(message) = odd_line(line.trim()) {
        return (Span::new(first, first), message);
    }
    let message = header(line.trim()).or_else(|| assignment(line, error));
    (span, message.unwrap_or_else(|| format!("not TOML: {error}")))
}

/// Returns the nearest line above a position that opens a list or an inline table, by its start and its key.
fn open_above(text: &str, end: usize) -> Option<(usize, &str)> {
    let mut end = end;
    while let Some(before) = text[..end].strip_suffix('\n') {
        let (start, line) = line_at(text, before.len());
        let opens = |open, close| line.matches(open).count() > line.matches(close).count();
        if opens('[', ']') || opens('{', '}') {
            let (key, _) = line.split_once('=')?;
            return Some((start + line.len() - line.trim_start().len(), key.trim()));
        }
        end = start;
    }
    None
}

/// Explains a character that has no place in a configuration.
fn odd_character(found: char, line: &str) -> Option<String> {
    const QUOTES: &str = "“”„‟«»‘’‚‛′″´`";
    let code = found as u32;
    Some(match found {
        _ if QUOTES.contains(found) => {
            format!(
                "{found} is a typographic quotation mark, as word processors write it; write \""
            )
        }
        '\0' => {
            "a zero byte: the file is damaged, or is not a text; restore it from a copy".to_owned()
        }
        '\r' => "the line ends with CR alone; convert the file to LF, such as by dos2unix -c mac"
            .to_owned(),
        '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{3000}' | '\u{feff}' => {
            format!("an invisible character, U+{code:04X}; delete it, or write a blank")
        }
        _ if found.is_control() && !found.is_ascii_whitespace() => {
            format!("a control character, U+{code:04X}; delete it")
        }
        '{' if line.trim_start().starts_with('{') => {
            "the file is JSON, and must be TOML: [site], then title = \"…\"".to_owned()
        }
        _ => return None,
    })
}

/// Explains lines of other formats.
fn odd_line(line: &str) -> Option<String> {
    if line.starts_with("//") || line.starts_with(';') || line.starts_with("--") {
        return Some("a comment begins with #".to_owned());
    }
    let conflict = ["<<<<<<<", "=======", ">>>>>>>"];
    if conflict.iter().any(|mark| line.starts_with(mark)) {
        return Some(
            "a conflict of a version control system; keep one side, and delete this line"
                .to_owned(),
        );
    }
    None
}

/// Explains a faulty header of a table.
fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix('[')?;
    let name = name.trim_start_matches('[').split([']', '#']).next()?.trim();
    if line.contains('=') && !line.contains(']') {
        return None;
    }
    let is_array = ARRAYS.contains(&name.rsplit('.').next().unwrap_or(name));
    let right = if is_array { format!("[[{name}]]") } else { format!("[{name}]") };
    (!name.is_empty()).then(|| format!("the header of a table is not complete; write {right}"))
}

/// Explains a line `key = value`.
fn assignment(line: &str, error: &Error) -> Option<String> {
    let line = line.trim();
    let end = line.find(['=', ':', '"', '\'', ' ', '\t']).unwrap_or(line.len());
    let key = line[..end].trim();
    let rest = line[end..].trim_start();
    let Some(value) = rest.strip_prefix('=') else {
        return Some(no_equals_sign(key, rest));
    };
    let value = without_comment(value.trim());
    if value.is_empty() {
        return Some(format!("\"{key}\" has no value; delete the line for the default"));
    }
    match value.chars().next()? {
        quote @ ('"' | '\'') => Some(quoted(key, value, quote, error)),
        '[' => Some(format!(
            "the list of \"{key}\" is not complete: check its quotation marks, commas and ]"
        )),
        '{' => Some(format!(
            "the table of \"{key}\" is not complete: {key} = {{ … }} has name = value, commas and }}"
        )),
        _ => Some(bare(key, value)),
    }
}

/// Returns a value without the comment behind it, if that is not in a string.
fn without_comment(value: &str) -> &str {
    if value.contains(['"', '\'']) {
        return value;
    }
    value.split(" #").next().unwrap_or(value).trim_end()
}

fn no_equals_sign(key: &str, rest: &str) -> String {
    if rest.starts_with(':') {
        return format!("\"{key}\" is followed by a colon; write {key} = …");
    }
    if key.is_empty() {
        return "a line is [table], key = value, or a comment that begins with #".to_owned();
    }
    match rest.split_once('=') {
        Some((more, _)) if !more.contains(['"', '\'']) => {
            let key = format!("{key} {}", more.trim());
            format!("the key \"{key}\" contains a blank; names of keys have _ instead")
        }
        _ => format!("\"{key}\" is not followed by \"=\"; write {key} = …"),
    }
}

/// Explains a value that begins with a quotation mark.
fn quoted(key: &str, value: &str, quote: char, error: &Error) -> String {
    match error.kind {
        ErrorKind::InvalidEscape(_)
        | ErrorKind::InvalidHexEscape(_)
        | ErrorKind::InvalidEscapeValue(_) => {
            return format!(
                "\"{key}\" contains a backslash, which begins an escape; write \\\\, or '…' in place of \"…\""
            );
        }
        _ => {}
    }
    if value.matches(quote).count() % 2 == 1 {
        return format!("the text of \"{key}\" has no closing quotation mark");
    }
    // What follows the first text.
    let after = value[1..].find(quote).map_or("", |end| &value[end + 2..]);
    match after.trim_start() {
        rest if rest.starts_with(',') => {
            format!("\"{key}\" has several values; write a list: {key} = [\"…\", \"…\"]")
        }
        rest if rest.contains('=') => {
            format!(
                "a second key follows the value of \"{key}\"; write each key on a line of its own"
            )
        }
        _ => format!(
            "the text of \"{key}\" contains quotation marks; write \\\" for them, or '…' in place of \"…\""
        ),
    }
}

/// Explains a value that is neither in quotation marks nor a number, true or false.
fn bare(key: &str, value: &str) -> String {
    let is_secret = is_secret_name(key);
    let quoted = |value: &str| match is_secret {
        true => format!("{key} = \"…\""),
        false => format!("{key} = \"{value}\""),
    };
    match value.to_ascii_lowercase().as_str() {
        word @ ("true" | "false") => {
            return format!("\"{key}\": {value} must be in lower case; write {key} = {word}");
        }
        "yes" | "on" | "y" => return no_truth(key, value, true),
        "no" | "off" | "n" => return no_truth(key, value, false),
        "null" | "none" | "nil" | "~" => {
            return format!("\"{key}\" has no value; delete the line for the default");
        }
        _ => {}
    }
    if value.starts_with("${") {
        return format!(
            "\"{key}\": a variable must be in quotation marks; write {key} = \"${{…}}\""
        );
    }
    let begins_as_number = value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_secret || !begins_as_number || value.len() > 40 {
        return format!("\"{key}\": a text must be in quotation marks; write {key} = \"…\"");
    }
    if parse_duration(value).is_some() {
        return format!(
            "\"{key}\": a duration must be in quotation marks; write {}",
            quoted(value)
        );
    }
    if let Some(number) = repaired_number(value) {
        return format!("\"{key}\": {value} is not a number of TOML; write {key} = {number}");
    }
    let digits =
        value.find(|c: char| !(c.is_ascii_digit() || "+-._".contains(c))).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    if number.parse::<f64>().is_ok() && !unit.contains([':', '/', '.']) {
        return format!(
            "\"{key}\": {value} is neither a number nor a text in quotation marks; write {key} = {number}, \
             or {}",
            quoted(value)
        );
    }
    format!("\"{key}\": a text must be in quotation marks; write {}", quoted(value))
}

fn no_truth(key: &str, value: &str, truth: bool) -> String {
    format!(
        "\"{key}\": {value} is neither true, false nor a text in quotation marks; write {key} = {truth}, or \
         {key} = \"{value}\""
    )
}

/// Returns a number as TOML writes it: with digits on both sides of a point, without leading zeros.
fn repaired_number(value: &str) -> Option<String> {
    let plain = match value.split_once(',') {
        // Before exactly three digits, a comma separates thousands.
        Some((_, digits)) if digits.len() == 3 => value.replace(',', ""),
        Some(_) => value.replace(',', "."),
        None => value.to_owned(),
    };
    let number: f64 = plain.parse().ok()?;
    number.is_finite().then(|| number.to_string())
}
