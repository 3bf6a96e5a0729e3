//! The address to go to after sign-in. It comes from the visitor's address bar, so it may have been
//! written by an attacker: only a path of this site passes.

use crate::site::target::percent_decoded;

use super::HOME;

/// Bytes of an address at most.
const LONGEST: usize = 2048;

/// The address, if it is a path of this site, else the dashboard.
///
/// `//host` and `/\host` name another host, and browsers drop control characters before they look.
/// The pages of sign-in and sign-out themselves would lead nowhere.
pub(super) fn checked(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    let is_path = text.strip_prefix('/').is_some_and(|rest| !rest.starts_with('/'));
    let path = text.split('?').next().unwrap_or_default();
    let is_good = is_path
        && text.len() <= LONGEST
        && text.bytes().all(is_plain)
        && !matches!(path, "/login" | "/logout");
    if is_good { text } else { HOME }
}

/// The address that `next=` of a query names.
pub(super) fn of_query(query: &str) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("next="));
    let decoded = value.and_then(percent_decoded);
    checked(decoded.as_deref().unwrap_or_default()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_pass() {
        for good in ["/", "/source/tank?range=7d", "/a/../b", "/%2F%2Fevil.example", "/x?u=//y"] {
            assert_eq!(checked(good), good);
        }
        let long = format!("/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            "source",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "https://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/\r\nSet-Cookie: a=b",
            "/\0",
            "/\u{7f}",
            "/é",
            "/a#b",
            "@evil.example",
            "/login",
            "/login?next=/login",
            "/logout",
            &long,
        ] {
            assert_eq!(checked(bad), "/", "{bad:?}");
        }
    }

    #[test]
    fn query_is_decoded_once() {
        for (query, expected) in [
            ("", "/"),
            ("next=", "/"),
            ("next=/source/tank", "/source/tank"),
            ("next=%2Fsource%2Ftank%3Frange%3D7d", "/source/tank?range=7d"),
            ("a=b&next=/x", "/x"),
            ("next=%2F%2Fevil.example", "/"),
            ("next=/%5Cevil.example", "/"),
            ("next=/%255Cevil.example", "/%5Cevil.example"),
            ("next=/%09/evil.example", "/"),
            ("next=%zz", "/"),
            ("next=/x&next=//evil.example", "/x"),
        ] {
            assert_eq!(of_query(query), expected, "{query}");
        }
    }
}
