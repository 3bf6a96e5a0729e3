//! Request ids: one name for a request in its response, in the log, and in the log of the proxy
//! before us.

use http::{HeaderName, HeaderValue};

use crate::engine::{Request, Response};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Proxies write 36 characters, or 55 where it is a trace's.
const LONGEST: usize = 64;

/// A random 64-bit number is met twice once in billions of requests.
const DIGITS: usize = 16;

/// The id of a request: what a trusted proxy has given it, or one of our own.
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// A new one. Takes no lock and looks at no clock: the numbers are this thread's own.
    pub(super) fn new() -> RequestId {
        let mut digits = [0; DIGITS];
        let mut rest = fastrand::u64(..);
        for digit in &mut digits {
            *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
        }
        RequestId(HeaderValue::from_bytes(&digits).expect("hexadecimal digits fit any field"))
    }

    /// The one that the request has come with, if a trusted proxy gave it and it is fit for a
    /// log; else a new one.
    pub(super) fn of(request: &Request) -> RequestId {
        let given = request.headers.get(X_REQUEST_ID).filter(|_| request.proxied);
        given.filter(|id| is_sane(id)).cloned().map_or_else(RequestId::new, RequestId)
    }

    pub(super) fn as_str(&self) -> &str {
        // Made of nothing but visible ASCII, whoever made it.
        self.0.to_str().unwrap_or_default()
    }

    /// Names the response by it.
    pub(super) fn put_on(self, response: &mut Response) {
        response.headers_mut().insert(X_REQUEST_ID, self.0);
    }
}

fn is_sane(id: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::site::fixture::request;

    #[test]
    fn a_trusted_proxys_id_is_taken_if_it_is_sane() {
        let long = "a".repeat(LONGEST + 1);
        for (given, taken) in [
            ("7f3c9d2e5b1a4f60", true),
            ("0af76519-16cd-43dd-8448-eb211c80319c", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            ("a", true),
            (&long[..LONGEST], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a\tb", false),
            ("<script>", false),
        ] {
            let mut request = request("GET", "/", &[("x-request-id", given)]);
            assert_ne!(RequestId::of(&request).as_str(), given, "anybody could have written it");
            request.proxied = true;
            assert_eq!(RequestId::of(&request).as_str() == given, taken, "{given:?}");
        }
    }

    #[test]
    fn our_own_are_short_and_differ() {
        let ids: HashSet<String> =
            (0..1000).map(|_| RequestId::new().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == DIGITS));
    }
}
