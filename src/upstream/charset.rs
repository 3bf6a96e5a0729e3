//! Converts text in any character encoding to UTF-8.
//!
//! A byte order mark decides, then the declared `charset` (RFC 9110 8.3.2), then the bytes. JSON is UTF-8
//! (RFC 8259 8.1), but devices also send it as UTF-16, or in ISO 8859-1 for the sake of a degree sign.
//! Bytes that are invalid in their encoding become U+FFFD: they cost one text and not the response.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use ureq::http::HeaderValue;

/// Returns a body as UTF-8 without a byte order mark. It may be up to three times as long as before.
pub(super) fn to_utf8(mut body: Vec<u8>, content_type: Option<&HeaderValue>) -> Vec<u8> {
    let mark = Encoding::for_bom(&body);
    let (encoding, start) = mark.unwrap_or_else(|| {
        let declared = content_type.and_then(|value| declared(value.as_bytes()));
        // Devices declare UTF-8 and send the degree sign of ISO 8859-1, or UTF-16.
        let is_true = |encoding: &&Encoding| match utf16_order(&body) {
            Some(found) => found == *encoding,
            None => *encoding != UTF_8 || std::str::from_utf8(&body).is_ok(),
        };
        (declared.filter(is_true).unwrap_or_else(|| undeclared(&body)), 0)
    });
    if encoding == UTF_8 && std::str::from_utf8(&body[start..]).is_ok() {
        body.drain(..start);
        return body;
    }
    let (text, _) = encoding.decode_without_bom_handling(&body[start..]);
    text.into_owned().into_bytes()
}

/// Returns the encoding that a Content-Type field declares; `None` for an unknown one.
fn declared(content_type: &[u8]) -> Option<&'static Encoding> {
    let parameters = content_type.split(|byte| *byte == b';').skip(1);
    let charset = parameters.into_iter().find_map(|parameter| {
        let (name, value) = parameter.split_at(parameter.iter().position(|byte| *byte == b'=')?);
        name.trim_ascii().eq_ignore_ascii_case(b"charset").then(|| &value[1..])
    })?;
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b' ' | b'\t');
    let start = charset.iter().position(|byte| !is_quote(byte))?;
    let end = charset.iter().rposition(|byte| !is_quote(byte))?;
    Encoding::for_label(&charset[start..=end])
}

/// Returns the encoding of a text in UTF-16, which the first character shows: in JSON and HTML it is ASCII, and one
/// of its two bytes zero.
fn utf16_order(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [0, 1..=127, ..] => Some(UTF_16BE),
        [1..=127, 0, ..] => Some(UTF_16LE),
        _ => None,
    }
}

/// Returns the encoding of a text that neither has a byte order mark nor declares one.
fn undeclared(body: &[u8]) -> &'static Encoding {
    match utf16_order(body) {
        Some(encoding) => encoding,
        _ if std::str::from_utf8(body).is_ok() => UTF_8,
        // The superset of ISO 8859-1 that browsers use for it, too.
        _ => WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes a text in UTF-16 with the given order of the bytes of each unit.
    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_is_converted_by_mark_then_declaration_then_bytes() {
        let text = "{\"t\":\"21.5 °C\"}";
        let utf8 = text.as_bytes().to_vec();
        let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let (little, big) = (utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes));
        let marked = |mark: &[u8], body: &[u8]| [mark, body].concat();
        for (body, content_type) in [
            (utf8.clone(), None),
            (utf8.clone(), Some("application/json; charset=utf-8")),
            (utf8.clone(), Some("application/json; charset=nonsense")),
            (marked(b"\xef\xbb\xbf", &utf8), None),
            // A mark is stronger than a declaration.
            (marked(b"\xef\xbb\xbf", &utf8), Some("text/html; charset=iso-8859-1")),
            (marked(b"\xff\xfe", &little), None),
            (marked(b"\xff\xfe", &little), Some("application/json; charset=utf-8")),
            (marked(b"\xfe\xff", &big), Some("application/json")),
            (little.clone(), None),
            (big.clone(), None),
            (little.clone(), Some("application/json; charset=utf-8")),
            (little.clone(), Some("application/json; charset=iso-8859-1")),
            (big.clone(), Some("application/json; charset=utf-16")),
            (little, Some("application/json;charset=\"UTF-16LE\"")),
            (big, Some("text/json; q=1; Charset = 'utf-16be'")),
            (latin1.clone(), None),
            (latin1.clone(), Some("application/json; charset=ISO-8859-1")),
            (latin1, Some("application/json; charset=windows-1252")),
        ] {
            let header = content_type.map(HeaderValue::from_static);
            let converted = to_utf8(body, header.as_ref());
            assert_eq!(String::from_utf8(converted).unwrap(), text, "{content_type:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_as_declared_is_read_like_an_undeclared_one() {
        let header = HeaderValue::from_static("application/json; charset=utf-8");
        let converted = to_utf8(b"{\"t\":\"21.5 \xb0C\"}".to_vec(), Some(&header));
        assert_eq!(String::from_utf8(converted).unwrap(), "{\"t\":\"21.5 \u{b0}C\"}");
        let header = HeaderValue::from_static("application/json; charset=utf-16le");
        let converted = to_utf8(b"\x00\xd8a\x00".to_vec(), Some(&header));
        assert_eq!(String::from_utf8(converted).unwrap(), "\u{fffd}a", "a surrogate alone");
        assert_eq!(to_utf8(Vec::new(), None), b"");
        assert_eq!(to_utf8(b"\0".to_vec(), None), b"\0");
    }
}
