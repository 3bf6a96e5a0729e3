//! Reads the cookies of a request (RFC 6265 5.4) without trusting any of them.

use ::http::HeaderMap;
use ::http::header::COOKIE;

/// Cookies of one kind that are tried. A browser sends one for each server of ours on the same
/// host, as cookies are not separated by port, and one more for each path that another program on
/// that host has set.
const MOST_TRIED: usize = 8;

/// A cookie's name and value.
#[derive(Clone, Copy)]
pub(super) struct Cookie<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// Cookies whose name is `prefix` and a port number, in the order sent, over all `Cookie` fields.
///
/// The port is not compared: the value proves whose cookie it is. So a session is good at every
/// listener of this server, and the cookie of another server is passed over.
pub(super) fn of_kind<'a>(
    headers: &'a HeaderMap,
    prefix: &'a str,
) -> impl Iterator<Item = Cookie<'a>> {
    let fields = headers.get_all(COOKIE).into_iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(move |pair| {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let port = name.strip_prefix(prefix)?;
        let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|it| it.is_ascii_digit());
        is_port.then_some(Cookie { name, value })
    });
    pairs.take(MOST_TRIED)
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn cookies_are_found_wherever_they_stand() {
        let mut headers = HeaderMap::new();
        for field in [
            "a=b; pumphouse_session_443=one;pumphouse_session_443=two",
            "pumphouse_session_=no; pumphouse_session_x=no; pumphouse_session_123456=no",
            "pumphouse_session_80; Pumphouse_session_80=no; xpumphouse_session_80=no",
            "pumphouse_session_6443=three=four; ",
        ] {
            headers.append(COOKIE, HeaderValue::from_static(field));
        }
        headers.append(COOKIE, HeaderValue::from_bytes(b"pumphouse_session_1=\xff").unwrap());
        let found = of_kind(&headers, "pumphouse_session_");
        let found: Vec<_> = found.map(|cookie| (cookie.name, cookie.value)).collect();
        let expected = [
            ("pumphouse_session_443", "one"),
            ("pumphouse_session_443", "two"),
            ("pumphouse_session_6443", "three=four"),
        ];
        assert_eq!(found, expected);
        let many = "pumphouse_session_1=x;".repeat(1000);
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&many).unwrap())]);
        assert_eq!(of_kind(&headers, "pumphouse_session_").count(), MOST_TRIED);
    }
}
