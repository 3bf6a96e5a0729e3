//! Request ids, which identify a request in its response, in the log, and in the log of a reverse proxy
//! in front of the server.

use http::{HeaderName, HeaderValue};

use crate::engine::{Request, Response};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest accepted id. Proxies write 36 characters, or 55 for a trace.
const MAX_LENGTH: usize = 64;

/// Hexadecimal digits of a random 64-bit number, which repeats once in billions of requests.
const DIGITS: usize = 16;

/// Id of a request: that of a trusted proxy, or a random one.
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Returns a random id. Takes no lock and reads no clock: the generator is this thread's own.
    pub(super) fn new() -> RequestId {
        let mut digits = [0; DIGITS];
        let mut rest = fastrand::u64(..);
        for digit in &mut digits {
            *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
        }
        RequestId(HeaderValue::from_bytes(&digits).expect("hexadecimal digits fit any field"))
    }

    /// Returns the id in the request if a trusted proxy sent it and it is fit for a log, else a random
    /// one.
    pub(super) fn of(request: &Request) -> RequestId {
        let given = request.headers.get(X_REQUEST_ID).filter(|_| request.proxied);
        given.filter(|id| is_valid(id)).cloned().map_or_else(RequestId::new, RequestId)
    }

    pub(super) fn as_str(&self) -> &str {
        // Visible ASCII only, from either source.
        self.0.to_str().unwrap_or_default()
    }

    /// Adds the id to the response.
    pub(super) fn put_on(self, response: &mut Response) {
        response.headers_mut().insert(X_REQUEST_ID, self.0);
    }
}

fn is_valid(id: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::site::fixture::request;

    #[test]
    fn id_of_a_trusted_proxy_is_used_if_it_is_valid() {
        let long = "a".repeat(MAX_LENGTH + 1);
        for (given, taken) in [
            ("7f3c9d2e5b1a4f60", true),
            ("0af76519-16cd-43dd-8448-eb211c80319c", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            ("a", true),
            (&long[..MAX_LENGTH], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a\tb", false),
            ("<script>", false),
        ] {
            let mut request = request("GET", "/", &[("x-request-id", given)]);
            assert_ne!(RequestId::of(&request).as_str(), given, "any client could have written it");
            request.proxied = true;
            assert_eq!(RequestId::of(&request).as_str() == given, taken, "{given:?}");
        }
    }

    #[test]
    fn random_ids_are_short_and_differ() {
        let ids: HashSet<String> =
            (0..1000).map(|_| RequestId::new().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == DIGITS));
    }
}
