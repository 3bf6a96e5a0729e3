//! What the decoders have in common: their error, and how numbers and texts are read.

use std::sync::Arc;

use serde_json::Value as Json;

use super::secrets::CUT;
use crate::board::Value;
use crate::text::clean;

/// Characters of a text value at most; a longer one is no label for people.
const MAX_TEXT: usize = 200;

/// Why an answer is not what this kind of upstream sends. One line for people;
/// never quotes the answer, which may hold what is not ours to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    /// That reason.
    pub(super) fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError(reason.into())
    }
}

/// Parses a whole body as JSON. Nesting is bounded by serde_json (128 levels).
pub(super) fn json(body: &[u8]) -> Result<Json, DecodeError> {
    if body.trim_ascii().is_empty() {
        return Err(DecodeError::new("the answer is empty where JSON is expected"));
    }
    serde_json::from_slice(body).map_err(|error| {
        DecodeError::new(format!(
            "the answer is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

/// A number, also where it is written as a string; the note says why there is none.
pub(super) fn number(json: Option<&Json>) -> Result<f64, &'static str> {
    match json {
        None => Err("missing from the answer"),
        Some(Json::Null) => Err("sent as null"),
        // A number out of range, such as 1e999, is infinite here.
        Some(Json::Number(number)) => {
            number.as_f64().filter(|number| number.is_finite()).ok_or("sent out of range")
        }
        Some(Json::String(text)) => clean_number(text).ok_or("sent as text that is no number"),
        Some(_) => Err("not sent as a number"),
    }
}

/// A short text; a boolean is told as it was written.
pub(super) fn text_value(json: Option<&Json>) -> Value {
    match json {
        None => Value::missing(None, "missing from the answer"),
        Some(Json::Null) => Value::missing(None, "sent as null"),
        Some(Json::String(text)) => match short_text(text) {
            Some(text) => Value::text(text),
            None => Value::missing(None, "sent as an empty text"),
        },
        Some(Json::Bool(truth)) => Value::text(if *truth { "true" } else { "false" }),
        Some(_) => Value::missing(None, "not sent as a text"),
    }
}

/// One line of bounded length without hidden characters, with [`CUT`] at its end if there was
/// more; `None` when nothing is left.
pub(super) fn short_text(text: &str) -> Option<Arc<str>> {
    let text = clean(text.trim());
    let mut line: String = text.chars().take(MAX_TEXT).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        line.push(CUT);
    }
    let line = line.trim();
    (!line.is_empty()).then(|| line.into())
}

/// A finite decimal number and nothing else, spaces around it aside. Rust's own
/// parser would take `inf` and `nan` too.
pub(super) fn clean_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let clean =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes()
        .all(clean)
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_json() {
        for (json, read) in [
            ("12.5", Ok(12.5)),
            ("-0.25e1", Ok(-2.5)),
            ("\"12.5\"", Ok(12.5)),
            ("\" 7 \"", Ok(7.0)),
            ("\"+5\"", Ok(5.0)),
            ("null", Err("sent as null")),
            ("1e999", Err("sent out of range")),
            ("-1e999", Err("sent out of range")),
            ("\"1e999\"", Err("sent as text that is no number")),
            ("\"NaN\"", Err("sent as text that is no number")),
            ("\"inf\"", Err("sent as text that is no number")),
            ("\"-46.00dBm\"", Err("sent as text that is no number")),
            ("\"1,5\"", Err("sent as text that is no number")),
            ("\"\"", Err("sent as text that is no number")),
            ("\"1 2\"", Err("sent as text that is no number")),
            ("true", Err("not sent as a number")),
            ("[1]", Err("not sent as a number")),
            ("{}", Err("not sent as a number")),
        ] {
            assert_eq!(number(Some(&serde_json::from_str(json).unwrap())), read, "{json}");
        }
        assert_eq!(number(None), Err("missing from the answer"));
    }

    #[test]
    fn texts_from_json() {
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

    #[test]
    fn what_is_no_json() {
        for body in ["", " \n", "<html></html>", "{\"a\":1", "{\"a\":NaN}", &"[".repeat(100_000)] {
            assert!(json(body.as_bytes()).is_err());
        }
    }
}
