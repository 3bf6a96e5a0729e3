//! Parts that the decoders share: their error type, and parsing of documents, numbers and texts.

mod document;
mod number;

use std::sync::Arc;

use serde_json::Value as Json;

use super::secrets::CUT;
use crate::board::Value;
use crate::text::clean;

pub(super) use document::json;
pub(super) use number::{
    Note, Quoted, in_unit, in_unit_unrounded, is_ambiguous, parse, plain_number, quantity, quoted,
    sent_as,
};

/// Most characters of a text value.
const MAX_TEXT: usize = 200;

/// A response is not what this kind of upstream sends. The message is one line. Of the response it quotes
/// nothing but the beginning of a value that would be shown; the source's secrets are redacted in both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    /// Creates an error with a reason.
    pub(super) fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError(reason.into())
    }
}

/// Returns a number, which may be written as a string, or the note for its absence.
pub(super) fn number(json: Option<&Json>) -> Result<f64, &'static str> {
    match json {
        None => Err(Value::UNSENT),
        Some(Json::Null) => Err("sent as null"),
        // A number out of range, such as 1e999, becomes infinite.
        Some(Json::Number(number)) => {
            number.as_f64().filter(|number| number.is_finite()).ok_or("sent out of range")
        }
        Some(Json::String(text)) => decimal(text).ok_or("sent as text that is not a number"),
        Some(_) => Err("not sent as a number"),
    }
}

/// Returns a text value, shortened by [`short_text`]. A boolean becomes `true` or `false`.
pub(super) fn text_value(json: Option<&Json>) -> Value {
    match json {
        None => Value::missing(None, Value::UNSENT),
        Some(Json::Null) => Value::missing(None, "sent as null"),
        Some(Json::String(text)) => match short_text(text) {
            Some(text) => Value::text(text),
            None => Value::missing(None, "sent as an empty text"),
        },
        Some(Json::Bool(truth)) => Value::text(if *truth { "true" } else { "false" }),
        Some(_) => Value::missing(None, "not sent as a text"),
    }
}

/// Returns the text as one line of at most [`MAX_TEXT`] characters, without hidden ones and with [`CUT`]
/// at the end if it was shortened; `None` if it is blank.
pub(super) fn short_text(text: &str) -> Option<Arc<str>> {
    let text = clean(text.trim());
    let mut line: String = text.chars().take(MAX_TEXT).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        line.push(CUT);
    }
    let line = line.trim();
    (!line.is_empty()).then(|| line.into())
}

/// Parses a finite decimal number, with spaces around it allowed. Rust's own parser also accepts `inf` and
/// `nan`.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes()
        .all(is_plain)
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_read_from_a_json_number_or_string() {
        for (json, read) in [
            ("12.5", Ok(12.5)),
            ("-0.25e1", Ok(-2.5)),
            ("\"12.5\"", Ok(12.5)),
            ("\" 7 \"", Ok(7.0)),
            ("\"+5\"", Ok(5.0)),
            ("null", Err("sent as null")),
            ("1e999", Err("sent out of range")),
            ("-1e999", Err("sent out of range")),
            ("\"1e999\"", Err("sent as text that is not a number")),
            ("\"NaN\"", Err("sent as text that is not a number")),
            ("\"inf\"", Err("sent as text that is not a number")),
            ("\"-46.00dBm\"", Err("sent as text that is not a number")),
            ("\"1,5\"", Err("sent as text that is not a number")),
            ("\"\"", Err("sent as text that is not a number")),
            ("\"1 2\"", Err("sent as text that is not a number")),
            ("true", Err("not sent as a number")),
            ("[1]", Err("not sent as a number")),
            ("{}", Err("not sent as a number")),
        ] {
            assert_eq!(number(Some(&serde_json::from_str(json).unwrap())), read, "{json}");
        }
        assert_eq!(number(None), Err("missing from the response"));
    }

    #[test]
    fn text_is_read_from_a_json_string_or_boolean() {
        let long = format!("\"{}\"", "é".repeat(300));
        for (json, text) in [
            ("\" Pump\\non \"", Some("Pump on")),
            ("\"\\u001b[2J1.02\\u202e\"", Some("[2J1.02\u{fffd}")),
            ("false", Some("false")),
            ("\"  \"", None),
            ("null", None),
            ("[]", None),
            (&*long, Some(&*format!("{}…", "é".repeat(200)))),
        ] {
            let value = text_value(Some(&serde_json::from_str(json).unwrap()));
            match text {
                Some(text) => assert_eq!(value, Value::text(text), "{json}"),
                None => assert!(value.datum.is_none() && value.note.is_some(), "{json}"),
            }
        }
    }
}
