//! Content negotiation (RFC 9110 12.5).

use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderName};

/// Content codings of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not compressed.
    Identity,
    /// RFC 1952.
    Gzip,
}

/// A quality value in thousandths (RFC 9110 12.4.2).
type Quality = u16;

const FULL: Quality = 1000;

/// Returns the coding for a body that exists in both (RFC 9110 12.5.3).
pub(super) fn coding(headers: &HeaderMap) -> Coding {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for (coding, quality) in elements(headers, ACCEPT_ENCODING) {
        let slot = match coding {
            _ if coding.eq_ignore_ascii_case("gzip") => &mut gzip,
            // A recipient reads x-gzip as gzip (RFC 9110 8.4.1.3).
            _ if coding.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            _ if coding.eq_ignore_ascii_case("identity") => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *slot = Some(slot.unwrap_or(0).max(quality));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    // A client that names gzip but not identity wants gzip, at whatever quality.
    let identity = identity.or(any).unwrap_or(0);
    if gzip > 0 && gzip >= identity { Coding::Gzip } else { Coding::Identity }
}

/// Returns true if the client prefers a page to JSON: its `Accept` names `text/html`, with a higher
/// quality, or with the same quality and more precisely (RFC 9110 12.5.1). `*/*` alone, as curl sends
/// it, gets JSON.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let html = preference(headers, "text", &["html"]);
    let json = preference(headers, "application", &["problem+json", "json"]);
    html.0 > 0 && html > json
}

/// Returns the quality of a media type and the precision of the range that decides it: 2 for the
/// type itself, 1 for `type/*`, 0 for `*/*`. The most precise range decides.
fn preference(headers: &HeaderMap, kind: &str, subtypes: &[&str]) -> (Quality, u8) {
    let mut best: Option<(u8, Quality)> = None;
    for (range, quality) in elements(headers, ACCEPT) {
        let Some((range_kind, range_subtype)) = range.split_once('/') else { continue };
        let precision = if range == "*/*" {
            0
        } else if !range_kind.eq_ignore_ascii_case(kind) {
            continue;
        } else if range_subtype == "*" {
            1
        } else if subtypes.iter().any(|subtype| range_subtype.eq_ignore_ascii_case(subtype)) {
            2
        } else {
            continue;
        };
        best = best.max(Some((precision, quality)));
    }
    best.map_or((0, 0), |(precision, quality)| (quality, precision))
}

/// Returns the elements of a list field with their qualities. Skips an element whose quality is
/// malformed.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = (&str, Quality)> {
    let fields = headers.get_all(name).into_iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).filter_map(|element| {
        let mut parts = element.split(';').map(|part| part.trim_matches([' ', '\t']));
        let token = parts.next().filter(|token| !token.is_empty())?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.eq_ignore_ascii_case("q").then_some(value)
        });
        Some((token, weight.map_or(Some(FULL), quality)?))
    })
}

/// Parses a `qvalue`: `0` or `1` with at most three decimals, at most 1.
fn quality(text: &str) -> Option<Quality> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: Quality = format!("{decimals:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn coding_follows_accept_encoding() {
        for (field, expected) in [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("GZip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Gzip),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", Coding::Gzip),
            ("*", Coding::Gzip),
            ("*;q=0", Coding::Identity),
            ("gzip;q=0", Coding::Identity),
            ("gzip;q=0.000", Coding::Identity),
            ("gzip;q=0, *", Coding::Identity),
            ("gzip;q=0.001", Coding::Gzip),
            ("gzip ; Q=0.5", Coding::Gzip),
            ("identity, gzip;q=0.5", Coding::Identity),
            ("identity;q=0.5, gzip;q=0.5", Coding::Gzip),
            ("identity;q=0.5, *;q=0", Coding::Identity),
            ("identity;q=0", Coding::Identity),
            ("gzip;q=2", Coding::Identity),
            ("gzip;q=1.001", Coding::Identity),
            ("gzip;q=0.1234", Coding::Identity),
            ("gzip;q=", Coding::Identity),
            ("gzip;q=-1", Coding::Identity),
            ("deflate, br", Coding::Identity),
        ] {
            let headers =
                HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(field))]);
            assert_eq!(coding(&headers), expected, "{field:?}");
        }
        assert_eq!(coding(&HeaderMap::new()), Coding::Identity);
    }

    #[test]
    fn accept_encoding_of_several_lines_is_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(coding(&headers), Coding::Gzip);
    }

    #[test]
    fn accept_field_that_prefers_html_selects_a_page() {
        for (field, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("Text/HTML;level=1", true),
            ("text/html, */*", true),
            ("text/*", true),
            ("*/*", false),
            ("", false),
            ("text/html;q=0", false),
            ("text/html;q=0, */*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.9", false),
            ("application/problem+json;q=0.5, text/html", true),
            ("text/html, application/json", false),
            ("text/plain", false),
            ("nonsense", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(field))]);
            assert_eq!(prefers_html(&headers), expected, "{field:?}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
