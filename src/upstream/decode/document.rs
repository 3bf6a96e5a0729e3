//! Parses JSON as devices write it.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::DecodeError;

/// Numbers that JSON cannot express, as Python, JavaScript and C print them.
const NOT_NUMBERS: [&[u8]; 4] = [b"nan(ind)", b"nan", b"infinity", b"inf"];

/// Parses a whole body as JSON. Nesting is bounded by serde_json (128 levels). A bare `NaN` or `Infinity`
/// is read as null.
pub(in crate::upstream) fn json(body: &[u8]) -> Result<Json, DecodeError> {
    // Programs in C send the end of their buffer along.
    let end = body.iter().rposition(|byte| !matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n'));
    let body = &body[..end.map_or(0, |last| last + 1)];
    if body.trim_ascii().is_empty() {
        return Err(DecodeError::new("the response is empty, but JSON is expected"));
    }
    let parsed = serde_json::from_slice(body).or_else(|error| match without_nan(body) {
        Cow::Owned(body) => serde_json::from_slice(&body),
        Cow::Borrowed(_) => Err(error),
    });
    parsed.map_err(|error| {
        DecodeError::new(format!(
            "the response is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

/// Replaces each of [`NOT_NUMBERS`], with any sign and in any case, by null where a value of JSON can stand.
fn without_nan(body: &[u8]) -> Cow<'_, [u8]> {
    let mut replaced: Vec<u8> = Vec::new();
    // Everything before `copied` is in `replaced`.
    let (mut copied, mut at) = (0, 0);
    let mut is_start = true;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                at += length_of_string(&body[at..]);
                is_start = false;
                continue;
            }
            b':' | b',' | b'[' | b' ' | b'\t' | b'\r' | b'\n' => is_start = true,
            _ => {
                let length = if is_start { length_of_nan(&body[at..]) } else { 0 };
                if length > 0 {
                    replaced.extend_from_slice(&body[copied..at]);
                    replaced.extend_from_slice(b"null");
                    at += length;
                    copied = at;
                    is_start = false;
                    continue;
                }
                is_start = false;
            }
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    replaced.extend_from_slice(&body[copied..]);
    Cow::Owned(replaced)
}

/// Returns the length of the string at the beginning of a text, with its quotation marks.
fn length_of_string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns the length of a whole word of [`NOT_NUMBERS`] at the beginning of a text, or 0.
fn length_of_nan(text: &[u8]) -> usize {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| b",]} \t\r\n".contains(byte));
    let is_here = |word: &&[u8]| {
        unsigned.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && is_end(unsigned.get(word.len()))
    };
    // Microsoft's C library prints 1.#INF, 1.#QNAN and -1.#IND00.
    if let Some(code) = unsigned.strip_prefix(b"1.#") {
        let length = code.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let is_code = length > 0 && is_end(code.get(length));
        return if is_code { text.len() - code.len() + length } else { 0 };
    }
    let word = NOT_NUMBERS.into_iter().find(is_here);
    word.map_or(0, |word| text.len() - unsigned.len() + word.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_nan_is_null_for_that_value_alone() {
        for (body, read) in [
            (r#"{"a":NaN,"b":1.50}"#, r#"{"a":null,"b":1.50}"#),
            (r#"{"a": Infinity, "b": -Infinity}"#, r#"{"a":null,"b":null}"#),
            (
                r#"[nan, -nan, inf, -inf, +Inf, NAN, -nan(ind)]"#,
                "[null,null,null,null,null,null,null]",
            ),
            ("NaN", "null"),
            (r#"{"a":1.#QNAN,"b":-1.#IND00, "c":1.#INF}"#, r#"{"a":null,"b":null,"c":null}"#),
            ("{\"a\":\tNaN\r\n}", r#"{"a":null}"#),
            // Within strings and names they stay.
            (r#"{"NaN":"NaN, [NaN]","b":NaN}"#, r#"{"NaN":"NaN, [NaN]","b":null}"#),
            (r#"{"a":"\"NaN","b":NaN,"c":"\\"}"#, r#"{"a":"\"NaN","b":null,"c":"\\"}"#),
        ] {
            assert_eq!(json(body.as_bytes()).unwrap().to_string(), read, "{body}");
        }
        for body in [
            "{\"a\":NaNs}",
            "{\"a\":xNaN}",
            "{\"a\":1NaN}",
            "{NaN:1}",
            "{\"a\":--NaN}",
            "NaN NaN",
            "[1.#]",
            "[1.#?]",
        ] {
            assert!(json(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn zeros_behind_the_document_are_ignored() {
        for body in ["{\"a\":1}\0", "{\"a\":1}\r\n\0\0", "{\"a\":1}\0\n"] {
            assert_eq!(json(body.as_bytes()).unwrap().to_string(), "{\"a\":1}", "{body:?}");
        }
        for body in ["\0", "\0{\"a\":1}", "{\"a\":1\0}"] {
            assert!(json(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn body_that_is_not_json_is_rejected() {
        for body in ["", " \n", "<html></html>", "{\"a\":1", "{\"a\":NaN", &"[".repeat(100_000)] {
            assert!(json(body.as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn json_without_nan_is_unchanged(text in "[ -~]{0,40}", number in proptest::num::f64::NORMAL) {
            let document = serde_json::json!({ &text: [&text, number, null, true], "b": text });
            let body = document.to_string();
            prop_assert_eq!(&*without_nan(body.as_bytes()), body.as_bytes());
        }

        #[test]
        fn any_bytes_are_json_or_an_error(body in "[\\[\\]{}:,\"\\\\ nNaAiIfF1-]{0,60}") {
            let _ = json(body.as_bytes());
        }
    }
}
