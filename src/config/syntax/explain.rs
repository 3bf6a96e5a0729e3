//! Explains a line that is not TOML, by its fault and the correction.
//!
//! A message repeats numbers and words such as `True`, and no other value: see [`Subject`].

use toml_span::{Error, ErrorKind, Span};

use super::super::scalar::parse_duration;
use super::header;
use super::line::line_at;
use super::subject::{Subject, is_near_key};

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
        let subject = Subject::new("", key);
        let message =
            format!("the list or table {} is not closed; end it by ] or }}", subject.of());
        return (Span::new(at, at), message);
    }
    let first = start + line.len() - line.trim_start().len();
    if let Some(message) = odd_line(line.trim()) {
        return (Span::new(first, first), message);
    }
    if let Some(explained) = header::part_before_array(text, start) {
        return explained;
    }
    let table = header::table_at(text, start);
    let at_fault = text.get(span.start..).unwrap_or_default();
    let message =
        header::incomplete(line.trim()).or_else(|| assignment(&table, line, at_fault, error));
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

/// Explains a line `key = value` of a table, whose fault is at the begin of `at_fault`.
fn assignment(table: &str, line: &str, at_fault: &str, error: &Error) -> Option<String> {
    let line = line.trim();
    if line.starts_with('[') {
        return None;
    }
    let end = line.find(['=', ':', '"', '\'', ' ', '\t']).unwrap_or(line.len());
    let key = line[..end].trim();
    let rest = line[end..].trim_start();
    let subject = Subject::new(table, key);
    let Some(value) = rest.strip_prefix('=') else {
        return Some(no_equals_sign(&subject, key, rest));
    };
    let value = without_comment(value.trim());
    if value.is_empty() {
        return Some(no_value(&subject));
    }
    let (of, example) = (subject.of(), subject.example());
    match value.chars().next()? {
        '[' | '{' if begins_with_large_number(at_fault) => Some(format!(
            "a number {of} is out of range; the largest is {}, longer ones must be texts in quotation marks",
            i64::MAX
        )),
        quote @ ('"' | '\'') => Some(quoted(&subject, value, quote, error)),
        '[' => {
            Some(format!("the list {of} is not complete: check its quotation marks, commas and ]"))
        }
        '{' => Some(format!(
            "the table {of} is not complete: {example} = {{ … }} has name = value, commas and }}"
        )),
        _ => Some(bare(&subject, value)),
    }
}

fn no_value(subject: &Subject<'_>) -> String {
    format!("{} has no value; delete the line for the default", subject.name())
}

/// Returns a value without the comment behind it, if that is not in a string.
fn without_comment(value: &str) -> &str {
    if value.contains(['"', '\'']) {
        return value;
    }
    value.split(" #").next().unwrap_or(value).trim_end()
}

fn no_equals_sign(subject: &Subject<'_>, key: &str, rest: &str) -> String {
    let (name, example) = (subject.name(), subject.example());
    if rest.starts_with(':') {
        return format!("{name} is followed by a colon; write {example} = …");
    }
    if key.is_empty() {
        return "a line is [table], key = value, or a comment that begins with #".to_owned();
    }
    match rest.split_once('=') {
        Some((more, _)) if !more.contains(['"', '\'']) => {
            let key = format!("{key} {}", more.trim());
            let what = match is_near_key(&key) {
                true => format!("the key \"{key}\""),
                false => "the key of this line".to_owned(),
            };
            format!("{what} contains a blank; names of keys have _ instead")
        }
        _ => format!("{name} is not followed by \"=\"; write {example} = …"),
    }
}

/// Returns true if a line has a text without its closing quotation mark.
pub(super) fn has_open_text(line: &str) -> bool {
    let Some((_, value)) = line.split_once('=') else { return false };
    let value = value.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    quote.is_some_and(|quote| value.matches(quote).count() % 2 == 1)
}

/// Explains a value that begins with a quotation mark.
fn quoted(subject: &Subject<'_>, value: &str, quote: char, error: &Error) -> String {
    let (name, of, example) = (subject.name(), subject.of(), subject.example());
    match error.kind {
        ErrorKind::InvalidEscape(_)
        | ErrorKind::InvalidHexEscape(_)
        | ErrorKind::InvalidEscapeValue(_) => {
            return format!(
                "{name} contains a backslash, which begins an escape; write \\\\, or '…' in place of \"…\""
            );
        }
        _ => {}
    }
    if value.matches(quote).count() % 2 == 1 {
        return format!("the text {of} has no closing quotation mark");
    }
    // What follows the first text.
    let after = value[1..].find(quote).map_or("", |end| &value[end + 2..]);
    match after.trim_start() {
        rest if rest.starts_with(',') => {
            format!("{name} has several values; write a list: {example} = [\"…\", \"…\"]")
        }
        rest if rest.contains('=') => {
            format!("a second key follows the value {of}; write each key on a line of its own")
        }
        _ => format!(
            "the text {of} contains quotation marks; write \\\" for them, or '…' in place of \"…\""
        ),
    }
}

/// Explains a value that is neither in quotation marks nor a number, true or false.
fn bare(subject: &Subject<'_>, value: &str) -> String {
    let (name, example) = (subject.name(), subject.example());
    let quoted = format!("{example} = \"{value}\"");
    match value.to_ascii_lowercase().as_str() {
        word @ ("true" | "false") => {
            return format!("{name}: {value} must be in lower case; write {example} = {word}");
        }
        "yes" | "on" | "y" => return no_truth(subject, value, true),
        "no" | "off" | "n" => return no_truth(subject, value, false),
        "null" | "none" | "nil" | "~" => return no_value(subject),
        _ => {}
    }
    if value.starts_with("${") {
        return format!(
            "{name}: a variable must be in quotation marks; write {example} = \"${{…}}\""
        );
    }
    let begins_as_number = value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !subject.repeats_value() || !begins_as_number || value.len() > 40 {
        return format!("{name}: a text must be in quotation marks; write {example} = \"…\"");
    }
    if parse_duration(value).is_some() {
        return format!("{name}: a duration must be in quotation marks; write {quoted}");
    }
    if is_whole_number(value) && whole_number(value).is_none() {
        let limit = match value.starts_with('-') {
            true => format!("the smallest number is {}", i64::MIN),
            false => format!("the largest number is {}", i64::MAX),
        };
        return format!("{name}: {value} is out of range; {limit}");
    }
    if let Some(number) = repaired_number(value) {
        return format!("{name}: {value} is not a number of TOML; write {example} = {number}");
    }
    let digits =
        value.find(|c: char| !(c.is_ascii_digit() || "+-._".contains(c))).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    if number.parse::<f64>().is_ok() && !unit.contains([':', '/', '.']) {
        return format!(
            "{name}: {value} is neither a number nor a text in quotation marks; write {example} = {number}, \
             or {quoted}"
        );
    }
    format!("{name}: a text must be in quotation marks; write {quoted}")
}

fn no_truth(subject: &Subject<'_>, value: &str, truth: bool) -> String {
    let (name, example) = (subject.name(), subject.example());
    format!(
        "{name}: {value} is neither true, false nor a text in quotation marks; write {example} = {truth}, or \
         {example} = \"{value}\""
    )
}

/// Returns true if a value consists of digits and, before them, a sign.
fn is_whole_number(value: &str) -> bool {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// Returns true if a text begins with a whole number that TOML cannot hold.
fn begins_with_large_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let word = text.split(|c| !is_part(c)).next().unwrap_or_default();
    is_whole_number(word) && whole_number(word).is_none()
}

/// Returns a whole number that TOML can hold. Underscores may separate digits.
fn whole_number(value: &str) -> Option<i64> {
    value.replace('_', "").parse().ok()
}

/// Returns a number as TOML writes it: with digits on both sides of a point, without leading zeros.
fn repaired_number(value: &str) -> Option<String> {
    let plain = match value.split_once(',') {
        // Before exactly three digits, a comma separates thousands.
        Some((_, digits)) if digits.len() == 3 => value.replace(',', ""),
        Some(_) => value.replace(',', "."),
        None => value.to_owned(),
    };
    // A float would change the digits of a large number.
    if is_whole_number(&plain) {
        return Some(whole_number(&plain)?.to_string());
    }
    let number: f64 = plain.parse().ok()?;
    number.is_finite().then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repaired_number_keeps_every_digit_or_is_none() {
        for (value, expected) in [
            ("08", Some("8")),
            ("5,8", Some("5.8")),
            ("1,400", Some("1400")),
            ("09007199254740993", Some("9007199254740993")),
            ("9223372036854775807", Some("9223372036854775807")),
            ("99999999999999999999999", None),
            ("9223372036854775,808", None),
        ] {
            assert_eq!(repaired_number(value).as_deref(), expected, "{value}");
        }
    }
}
