//! Conditional requests (RFC 9110 13).

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// Result of the preconditions of a GET or HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evaluation {
    /// Send the representation.
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412: a precondition does not hold.
    Failed,
}

/// Times with which conditions on dates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dates {
    /// Time at which the representation last changed.
    pub(super) changed: Timestamp,
    /// Time of the response.
    pub(super) now: Timestamp,
}

/// Evaluates the preconditions in the order of RFC 9110 13.2.2. Without `dates` it ignores the
/// conditions on dates.
///
/// It also ignores an `If-Modified-Since` in the future. Such a client has a representation from before
/// the clock was set back, and would otherwise keep it until the clock has caught up.
pub(super) fn evaluate(
    headers: &HeaderMap,
    etag: &HeaderValue,
    dates: Option<Dates>,
) -> Evaluation {
    let changed = dates.map(|dates| dates.changed.as_second());
    let now = dates.map(|dates| dates.now.as_second());
    if headers.contains_key(IF_MATCH) {
        if !any_tag(headers, IF_MATCH, etag, Compare::Strong) {
            return Evaluation::Failed;
        }
    } else if let (Some(since), Some(changed)) = (date(headers, IF_UNMODIFIED_SINCE), changed)
        && changed > since
    {
        return Evaluation::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if any_tag(headers, IF_NONE_MATCH, etag, Compare::Weak) {
            return Evaluation::NotModified;
        }
    } else if let (Some(since), Some(changed)) = (date(headers, IF_MODIFIED_SINCE), changed)
        && changed <= since
        && now.is_some_and(|now| since <= now)
    {
        return Evaluation::NotModified;
    }
    Evaluation::Send
}

/// Comparison of entity tags (RFC 9110 8.8.3.2). Ours are all strong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

fn any_tag(headers: &HeaderMap, name: HeaderName, etag: &HeaderValue, compare: Compare) -> bool {
    headers.get_all(name).iter().any(|field| {
        field.as_bytes().trim_ascii() == b"*" || lists_tag(field.as_bytes(), etag, compare)
    })
}

/// Returns true if a list of entity tags contains ours. A tag may contain commas, so the list is read
/// tag by tag. The first element that is not a tag ends the list.
fn lists_tag(mut list: &[u8], etag: &HeaderValue, compare: Compare) -> bool {
    loop {
        while let Some((b' ' | b'\t' | b',', rest)) = list.split_first() {
            list = rest;
        }
        let (weak, opaque) = match list.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, list),
        };
        let Some(inside) = opaque.strip_prefix(b"\"") else { return false };
        let Some(length) = inside.iter().position(|&byte| byte == b'"') else { return false };
        let (tag, rest) = opaque.split_at(length + 2);
        if tag == etag.as_bytes() && (compare == Compare::Weak || !weak) {
            return true;
        }
        list = rest;
    }
}

/// Returns the date in a field as seconds since 1970. A field that is repeated or is not a date counts
/// as absent (RFC 9110 13.1.3, 13.1.4).
fn date(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    let mut fields = headers.get_all(name).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let time = httpdate::parse_http_date(field.to_str().ok()?).ok()?;
    Timestamp::try_from(time).ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::Evaluation::{Failed, NotModified, Send};
    use super::*;

    const BEFORE: &str = "Sat, 31 Jan 2026 17:15:59 GMT";
    const EQUAL: &str = "Sat, 31 Jan 2026 17:16:00 GMT";
    const NOW: &str = "Sat, 31 Jan 2026 17:20:00 GMT";
    const FUTURE: &str = "Sat, 31 Jan 2026 17:20:01 GMT";

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_the_rfc() {
        let etag = HeaderValue::from_static("\"a,b\"");
        let dates = Dates {
            changed: "2026-01-31T17:16:00.5Z".parse().unwrap(),
            now: "2026-01-31T17:20:00.9Z".parse().unwrap(),
        };
        let table: &[(&[(&str, &str)], Evaluation)] = &[
            (&[], Send),
            (&[("if-none-match", "\"a,b\"")], NotModified),
            (&[("if-none-match", "W/\"a,b\"")], NotModified),
            (&[("if-none-match", "\"x\" ,, \t\"y\",W/\"a,b\"")], NotModified),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], NotModified),
            (&[("if-none-match", " * ")], NotModified),
            (&[("if-none-match", "a,b")], Send),
            (&[("if-none-match", "\"a")], Send),
            (&[("if-none-match", "")], Send),
            (&[("if-none-match", "w/\"a,b\"")], Send),
            (&[("if-none-match", "\"a\", \"b\"")], Send),
            (&[("if-modified-since", EQUAL)], NotModified),
            (&[("if-modified-since", BEFORE)], Send),
            (&[("if-modified-since", NOW)], NotModified),
            (&[("if-modified-since", FUTURE)], Send),
            (&[("if-none-match", "\"a,b\""), ("if-modified-since", FUTURE)], NotModified),
            (&[("if-modified-since", "Saturday, 31-Jan-26 17:16:00 GMT")], NotModified),
            (&[("if-modified-since", "Sat Jan 31 17:16:00 2026")], NotModified),
            (&[("if-modified-since", "yesterday")], Send),
            (&[("if-modified-since", EQUAL), ("if-modified-since", EQUAL)], Send),
            // The date is ignored beside a tag, whether it would match or not.
            (&[("if-none-match", "\"x\""), ("if-modified-since", EQUAL)], Send),
            (&[("if-none-match", "\"a,b\""), ("if-modified-since", BEFORE)], NotModified),
            (&[("if-match", "\"a,b\"")], Send),
            (&[("if-match", "*")], Send),
            (&[("if-match", "W/\"a,b\"")], Failed),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-match", "\"a,b\""), ("if-none-match", "\"a,b\"")], NotModified),
            (&[("if-unmodified-since", EQUAL)], Send),
            (&[("if-unmodified-since", BEFORE)], Failed),
            (&[("if-unmodified-since", FUTURE)], Send),
            (&[("if-match", "\"a,b\""), ("if-unmodified-since", BEFORE)], Send),
        ];
        for (fields, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_static(value),
                );
            }
            assert_eq!(evaluate(&headers, &etag, Some(dates)), *expected, "{fields:?}");
        }
    }

    #[test]
    fn condition_on_a_date_without_a_date_is_ignored() {
        let etag = HeaderValue::from_static("\"a\"");
        for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(EQUAL))]);
            assert_eq!(evaluate(&headers, &etag, None), Send);
        }
    }
}
