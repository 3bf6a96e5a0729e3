//! Percent-encoding (RFC 3986 2.1).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Decodes the escapes of a text; `None` if one is incomplete or the result is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
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

/// Encodes a text as a part of a query: every byte but those that need no escape anywhere (RFC 3986 2.3).
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns true if a text has this escape, in upper or lower case.
pub(crate) fn has_escape(text: &str, escape: &[u8; 3]) -> bool {
    text.as_bytes().windows(3).any(|sent| sent.eq_ignore_ascii_case(escape))
}

/// Returns true if a path has an escaped slash or backslash, which some proxies decode to a separator.
pub(crate) fn has_escaped_separator(path: &str) -> bool {
    has_escape(path, b"%2f") || has_escape(path, b"%5c")
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
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

    #[test]
    fn name_is_one_segment_whatever_it_contains() {
        for (name, expected) in [
            ("tank_low", "tank_low"),
            ("a/../b?c", "a%2F..%2Fb%3Fc"),
            ("x y\r\nå", "x%20y%0D%0A%C3%A5"),
        ] {
            assert_eq!(percent_encoded(name), expected);
        }
    }
}
