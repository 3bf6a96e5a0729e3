//! The request target (RFC 9112 3.2) and percent-decoding (RFC 3986 2.1).

use std::borrow::Cow;
use std::fmt::Write as _;

use http::Uri;

use crate::engine::RequestHead;

use super::problem::Problem;

/// Returns the path of the target, percent-decoded once. The absolute form is read as the origin form.
pub(super) fn decoded_path(target: &Uri) -> Result<Cow<'_, str>, Problem> {
    let path = target.path();
    // An escaped slash is data and no separator (RFC 3986 2.2). No parameter of a route contains a
    // slash, so such a path matches no route.
    if path.as_bytes().windows(3).any(|escape| escape.eq_ignore_ascii_case(b"%2f")) {
        return Err(Problem::unmatched());
    }
    percent_decoded(path)
        .ok_or_else(|| Problem::bad_request("The path holds an invalid percent-encoding."))
}

/// Decodes the escapes of a text; `None` if one is incomplete or the result is not UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, after) = tail.split_first_chunk::<2>()?;
            decoded.push(hex_digit(digits[0])? << 4 | hex_digit(digits[1])?);
            rest = after;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// Returns the path and query with every byte escaped that a URI cannot hold (RFC 3986 3.3, 3.4).
/// A `%` that begins no escape is data, and is escaped itself.
pub(super) fn escaped(path_and_query: &str) -> Cow<'_, str> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte);
    let is_escape = |at: usize| {
        let digits = path_and_query.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let stays = |at: usize, byte: u8| is_plain(byte) || (byte == b'%' && is_escape(at));
    if path_and_query.bytes().enumerate().all(|(at, byte)| stays(at, byte)) {
        return Cow::Borrowed(path_and_query);
    }
    let mut text = String::with_capacity(path_and_query.len() + 16);
    for (at, byte) in path_and_query.bytes().enumerate() {
        if stays(at, byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Cow::Owned(text)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Returns the `instance` of a problem: the path as sent, without the query.
pub(super) fn instance<'a>(head: impl Into<RequestHead<'a>>) -> Option<&'a str> {
    Some(head.into().target.path()).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_is_decoded_once() {
        for (text, decoded) in [
            ("/plain", Some("/plain")),
            ("/%70ing", Some("/ping")),
            ("/a%20b", Some("/a b")),
            ("/%2570ing", Some("/%70ing")),
            ("/%C3%a9", Some("/é")),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/%+1", None),
            ("/%ff", None),
        ] {
            assert_eq!(percent_decoded(text).as_deref(), decoded, "{text}");
        }
    }
}
