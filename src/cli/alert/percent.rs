//! Percent-encoding of names in paths and queries (RFC 3986 2.1).

use std::fmt::Write as _;

/// Encodes all characters but the unreserved ones (RFC 3986 2.3).
pub(super) fn encoded(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_one_segment_whatever_it_contains() {
        for (name, expected) in [
            ("tank_low", "tank_low"),
            ("a/../b?c", "a%2F..%2Fb%3Fc"),
            ("x y\r\nå", "x%20y%0D%0A%C3%A5"),
        ] {
            assert_eq!(encoded(name), expected);
        }
    }
}
