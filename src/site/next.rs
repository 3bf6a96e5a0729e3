//! The path to redirect to after a form: that of signing in, or a command on an alert.
//!
//! It comes from the address that the visitor followed, which an attacker may have written, so only
//! a path of this site is accepted: anything else would make the form an open redirect.

use super::target::has_dot_segment;
use crate::access::SiteUrl;
use crate::access::percent::{has_escaped_separator, percent_decoded};

/// Path of the dashboard.
pub(super) const HOME: &str = "/";

/// Maximum number of bytes of a path with its query.
const MAX_BYTES: usize = 2048;

/// Returns `text` if it is a path of this site, and else the path of the dashboard. The path of the public
/// address is removed from its beginning.
///
/// `//host` and `/\host` name another host, and browsers remove tabs and line breaks before they
/// parse an address (URL Standard 4.4). A segment of dots leads out of the site, to another program below the
/// same host; a proxy that decodes the path finds such segments behind escaped separators, too. The paths of
/// sign-in and sign-out are not accepted, because they would redirect again.
pub(super) fn checked<'t>(text: &'t str, site_url: Option<&SiteUrl>) -> &'t str {
    let folder = site_url.map_or("", |url| url.path().trim_end_matches('/'));
    let inner = text.strip_prefix(folder).filter(|inner| inner.starts_with('/'));
    let text = inner.unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    let is_path = text.strip_prefix('/').is_some_and(|rest| !rest.starts_with('/'));
    let path = text.split('?').next().unwrap_or_default();
    let is_accepted = is_path
        && text.len() <= MAX_BYTES
        && text.bytes().all(is_plain)
        && !has_dot_segment(path)
        && !has_escaped_separator(path)
        && !matches!(path, "/login" | "/logout");
    if is_accepted { text } else { HOME }
}

/// Returns the checked path in `next=` of a query.
pub(super) fn of_query(query: &str, site_url: Option<&SiteUrl>) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("next="));
    let decoded = value.and_then(percent_decoded);
    checked(decoded.as_deref().unwrap_or_default(), site_url).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_another_site_is_replaced_by_the_dashboard() {
        for good in [
            "/",
            "/source/tank?range=7d",
            "/x?u=//y",
            "/x?u=/../y%2F..",
            "/.well-known/x",
            "/a..b/...",
            "/a%252F..b",
        ] {
            assert_eq!(checked(good, None), good);
        }
        let long = format!("/{}", "x".repeat(MAX_BYTES));
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
            "/..",
            "/../grafana/logout",
            "/./source",
            "/source/../../grafana",
            "/source/..?range=7d",
            "/source/.",
            "/%2e%2E/grafana",
            "/.%2e/grafana",
            "/%2E./grafana",
            "/source/%2e",
            "/..%2fgrafana",
            "/source%2F..%2F..%2Fgrafana",
            "/%2F%2Fevil.example",
            "/..%5cgrafana",
            "/%5C%5cevil.example",
            "/login",
            "/login?next=/login",
            "/logout",
            &long,
        ] {
            assert_eq!(checked(bad, None), "/", "{bad:?}");
        }
    }

    #[test]
    fn path_of_the_public_address_is_removed() {
        let url: SiteUrl = "https://tank.example/pumphouse/".parse().unwrap();
        for (text, expected) in [
            ("/pumphouse/source/tank?range=7d", "/source/tank?range=7d"),
            ("/pumphouse/", "/"),
            ("/source/tank", "/source/tank"),
            ("/pumphouses/x", "/pumphouses/x"),
            ("/pumphouse//evil.example", "/"),
            ("/pumphouse/../grafana", "/"),
            ("/pumphouse/%2e%2e/grafana", "/"),
            ("/pumphouse/login", "/"),
            ("/pumphouse", "/pumphouse"),
            ("//evil.example/pumphouse/", "/"),
        ] {
            assert_eq!(checked(text, Some(&url)), expected, "{text}");
        }
    }

    #[test]
    fn next_of_a_query_is_decoded_once() {
        for (query, expected) in [
            ("", "/"),
            ("next=", "/"),
            ("next=/source/tank", "/source/tank"),
            ("next=%2Fsource%2Ftank%3Frange%3D7d", "/source/tank?range=7d"),
            ("a=b&next=/x", "/x"),
            ("next=%2F%2Fevil.example", "/"),
            ("next=/%5Cevil.example", "/"),
            ("next=/%255Cevil.example", "/"),
            ("next=/%252e%252e/grafana", "/"),
            ("next=/%25255Cevil.example", "/%255Cevil.example"),
            ("next=/%09/evil.example", "/"),
            ("next=%zz", "/"),
            ("next=/x&next=//evil.example", "/x"),
        ] {
            assert_eq!(of_query(query, None), expected, "{query}");
        }
    }
}
