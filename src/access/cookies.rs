//! Reads the cookies of a request (RFC 6265 5.4).

use http::header::COOKIE;

use super::scheme::requested_port;
use super::site_url::SiteUrl;
use crate::engine::Request;

/// Most cookies of one kind that are verified. Cookies are not separated by port, so a browser sends those
/// of every server of ours on the same host, and any that other programs on that host have set.
const MAX_TRIED: usize = 8;

/// A cookie's name and value.
#[derive(Clone, Copy)]
pub(super) struct Cookie<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// Returns the cookies whose name is `prefix` and a port number, from all Cookie fields: first those of the
/// port in the browser's URL, then the others, each in the order sent.
///
/// A cookie of another port may be valid too, since a session is valid at every listener of this server; its
/// signature decides. Other programs on the host may set any number of cookies, but they cannot push the
/// cookie of this port beyond [`MAX_TRIED`].
pub(super) fn of_kind<'a>(
    request: &'a Request,
    site_url: Option<&SiteUrl>,
    prefix: &'a str,
) -> impl Iterator<Item = Cookie<'a>> {
    let port = requested_port(request, site_url).to_string();
    let own = pairs(request, prefix).filter_map({
        let port = port.clone();
        move |(sent, cookie)| (sent == port).then_some(cookie)
    });
    let others =
        pairs(request, prefix).filter_map(move |(sent, cookie)| (sent != port).then_some(cookie));
    own.chain(others).take(MAX_TRIED)
}

/// Returns the cookies of the prefix in the order sent, each with its port. A pair that is malformed or not
/// UTF-8 is skipped, and the others are read: browsers store any bytes that another program on the host sets.
fn pairs<'a>(request: &'a Request, prefix: &'a str) -> impl Iterator<Item = (&'a str, Cookie<'a>)> {
    let fields = request.headers.get_all(COOKIE).into_iter().map(|field| field.as_bytes());
    fields.flat_map(|field| field.split(|byte| *byte == b';')).filter_map(move |pair| {
        let pair = str::from_utf8(pair).ok()?;
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let port = name.strip_prefix(prefix)?;
        let is_port =
            (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        is_port.then_some((port, Cookie { name, value }))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, Version};

    use super::*;
    use crate::engine::Peer;

    const PREFIX: &str = "pumphouse_session_";

    fn request(fields: &[&[u8]]) -> Request {
        let field = |field: &&[u8]| (COOKIE, HeaderValue::from_bytes(field).unwrap());
        Request {
            method: Method::GET,
            target: "https://tank.example:6443/".parse().unwrap(),
            version: Version::HTTP_11,
            headers: fields.iter().map(field).collect::<HeaderMap>(),
            body: bytes::Bytes::new(),
            peer: Peer { address: None, tls: true, user: None },
            client: None,
            proxied: false,
        }
    }

    fn found(request: &Request) -> Vec<(&str, &str)> {
        of_kind(request, None, PREFIX).map(|cookie| (cookie.name, cookie.value)).collect()
    }

    #[test]
    fn cookies_are_found_in_every_field_and_place() {
        let request = request(&[
            b"a=b; pumphouse_session_443=one;pumphouse_session_443=two",
            b"pumphouse_session_=no; pumphouse_session_x=no; pumphouse_session_123456=no",
            b"pumphouse_session_80; Pumphouse_session_80=no; xpumphouse_session_80=no",
            b"pumphouse_session_6444=three=four; ",
        ]);
        let expected = [
            ("pumphouse_session_443", "one"),
            ("pumphouse_session_443", "two"),
            ("pumphouse_session_6444", "three=four"),
        ];
        assert_eq!(found(&request), expected);
    }

    #[test]
    fn pair_that_is_not_utf8_is_skipped_alone() {
        let request = request(&[
            b"theme=caf\xe9; pumphouse_session_6443=good; x=\xff",
            b"pumphouse_session_1=\xff;pumphouse_session_2=two",
        ]);
        let expected = [("pumphouse_session_6443", "good"), ("pumphouse_session_2", "two")];
        assert_eq!(found(&request), expected);
    }

    #[test]
    fn cookie_of_the_requested_port_comes_before_any_number_of_others() {
        let junk = "pumphouse_session_1=x;".repeat(1000);
        let request = request(&[junk.as_bytes(), b"pumphouse_session_6443=good"]);
        let found = found(&request);
        assert_eq!(found.len(), MAX_TRIED);
        assert_eq!(found[0], ("pumphouse_session_6443", "good"));
    }
}
