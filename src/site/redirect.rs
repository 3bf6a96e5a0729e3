//! The plain listeners beside the TLS ones: all that they say is where to go.

use ::http::header::LOCATION;
use ::http::uri::Authority;
use ::http::{HeaderValue, StatusCode, header};

use super::problem;
use crate::http::{Activity, Body, Refusal, Reply, Request, RequestHead, Response, Service};

/// HTTPS has this port unless another is named (RFC 9110 4.2.2).
const HTTPS: u16 = 443;

/// Sends every request to the same path over HTTPS.
#[derive(Debug, Clone, Copy)]
pub struct Redirect {
    /// Where the TLS listeners are.
    pub port: u16,
}

impl Redirect {
    /// The address to go to; `None` when the request does not say whom it wants.
    fn target(&self, request: &Request) -> Option<HeaderValue> {
        let asked = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let asked = asked.and_then(|host| host.parse::<Authority>().ok());
        // The absolute form goes before Host (RFC 9112 3.2.2).
        let authority = request.target.authority().cloned().or(asked)?;
        let host = authority.host();
        let path = request.target.path_and_query().map_or("/", |path| path.as_str());
        let port = if self.port == HTTPS { String::new() } else { format!(":{}", self.port) };
        HeaderValue::try_from(format!("https://{host}{port}{path}")).ok()
    }

    fn respond(&self, request: &Request) -> Response {
        let Some(target) = self.target(request) else {
            let detail = "Say by Host which server you want; it is reached by https.";
            return problem(StatusCode::BAD_REQUEST, detail, request.target.path());
        };
        let mut response = Response::new(Body::empty());
        // 308 keeps the method, which 301 does not (RFC 9110 15.4.9).
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, target);
        response
    }
}

impl Service for Redirect {
    fn call(&self, request: &Request, activity: &Activity) -> Reply {
        activity.set_route("redirect");
        self.respond(request).into()
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        let instance = head.map_or("/", |head| head.target.path());
        problem(refusal.status(), refusal.detail(), instance)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::Peer;

    fn answer(port: u16, target: &str, host: Option<&str>) -> (u16, Option<String>) {
        let request = Request {
            method: ::http::Method::GET,
            target: target.parse().unwrap(),
            version: ::http::Version::HTTP_11,
            headers: host
                .map(|host| (header::HOST, HeaderValue::from_str(host).unwrap()))
                .into_iter()
                .collect(),
            body: Bytes::new(),
            peer: Peer { address: None, tls: false },
            client: None,
            proxied: false,
        };
        let response = Redirect { port }.respond(&request);
        let location = response.headers().get(LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    }

    #[test]
    fn the_same_path_over_https() {
        for (port, target, host, location) in [
            (6443, "/", Some("tank.example:6080"), "https://tank.example:6443/"),
            (443, "/a?b=c", Some("tank.example"), "https://tank.example/a?b=c"),
            (6443, "/", Some("[::1]:80"), "https://[::1]:6443/"),
            (443, "http://other.example/x", Some("tank.example"), "https://other.example/x"),
        ] {
            assert_eq!(answer(port, target, host), (308, Some(location.to_owned())), "{target}");
        }
        for (target, host) in [("/", None), ("/", Some("a b")), ("*", None)] {
            assert_eq!(answer(443, target, host), (400, None), "{target} {host:?}");
        }
    }
}
