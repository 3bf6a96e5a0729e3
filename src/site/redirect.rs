//! The service of plain listeners beside TLS: each response redirects to HTTPS or is an error.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode, header};

use super::finish::{self, add_security_headers};
use super::methods::is_known;
use super::problem::Problem;
use super::target;
use crate::access::Gate;
use crate::engine::{
    Activity, Authority, Body, Refusal, Reply, Request, RequestHead, Response, Service,
};

/// Default port of HTTPS (RFC 9110 4.2.2).
const HTTPS: u16 = 443;

/// Redirects every request to the same path over HTTPS.
#[derive(Debug)]
pub struct Redirect {
    /// Port of the TLS listeners.
    pub port: u16,
    /// Gate with the rules in force. Their `names` apply to redirects, too: a redirect to a foreign name
    /// would help the page of another site to reach this server.
    pub gate: Arc<Gate>,
}

impl Redirect {
    /// Returns the address to redirect to.
    fn location(&self, request: &Request) -> Result<HeaderValue, Problem> {
        if !is_known(&request.method) {
            return Err(Problem::method_unknown());
        }
        self.gate.check_host(&self.gate.active_rules(), request)?;
        // The engine has put the authority of an absolute target into Host.
        let host = request.headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
        let authority = Authority::parse(host).map_err(|_| {
            Problem::bad_request(
                "The Host field does not name a host; without one there is no address to \
                 redirect to.",
            )
        })?;
        let path = request.target.path_and_query().map_or("", |path| path.as_str());
        if !path.starts_with('/') {
            return Err(Problem::bad_request(
                "The target * has no address over HTTPS; send the request to the TLS listener.",
            ));
        }
        let host = authority.written_host();
        let port = if self.port == HTTPS { String::new() } else { format!(":{}", self.port) };
        let location = format!("https://{host}{port}{}", target::escaped(path));
        HeaderValue::try_from(location)
            .map_err(|_| Problem::bad_request("The request target is malformed."))
    }

    fn respond(&self, request: &Request) -> Response {
        let location = match self.location(request) {
            Ok(location) => location,
            Err(problem) => {
                let mut response = finish::respond_json(&problem, target::instance(request));
                add_security_headers(&mut response);
                return response;
            }
        };
        let mut response = Response::new(Body::empty());
        // 308 keeps the method, which 301 does not (RFC 9110 15.4.9).
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, location);
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
        finish::problem(refusal.status(), refusal.detail(), instance)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::access::Rules;
    use crate::engine::Peer;

    fn request(target: &str, host: Option<&str>) -> Request {
        Request {
            method: http::Method::GET,
            target: target.parse().unwrap(),
            version: http::Version::HTTP_11,
            headers: host
                .map(|host| (header::HOST, HeaderValue::from_str(host).unwrap()))
                .into_iter()
                .collect(),
            body: Bytes::new(),
            peer: Peer { address: None, tls: false },
            client: None,
            proxied: false,
        }
    }

    fn answer(
        port: u16,
        target: &str,
        host: Option<&str>,
        names: &[&str],
    ) -> (u16, Option<String>) {
        let request = request(target, host);
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        let gate = Arc::new(Gate::new(Rules { names, ..Rules::default() }).unwrap());
        let response = Redirect { port, gate }.respond(&request);
        let location = response.headers().get(LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    }

    #[test]
    fn every_target_with_a_host_is_redirected_to_the_same_path() {
        for (port, target, host, location) in [
            (6443, "/", "tank.example:6080", "https://tank.example:6443/"),
            (443, "/a?b=c", "tank.example", "https://tank.example/a?b=c"),
            (443, "/", "tank.example:", "https://tank.example/"),
            (6443, "/", "[::1]:80", "https://[::1]:6443/"),
            (443, "/", "a%20b", "https://a%20b/"),
            (443, "//evil.example/x", "tank.example", "https://tank.example//evil.example/x"),
            (443, "/a%2Fb?c=%zz&d=%", "t", "https://t/a%2Fb?c=%25zz&d=%25"),
            (443, "/{a}|\"b\"?c=^d?", "t", "https://t/%7Ba%7D%7C%22b%22?c=%5Ed?"),
            (443, "/é", "t", "https://t/%C3%A9"),
        ] {
            let expected = (308, Some(location.to_owned()));
            assert_eq!(answer(port, target, Some(host), &[]), expected, "{target} {host}");
        }
    }

    #[test]
    fn request_without_an_address_over_https_is_refused() {
        for (target, host) in [
            ("/", None),
            ("/", Some("")),
            ("/", Some(":80")),
            ("/", Some("a b")),
            ("/", Some("tank.example:abc")),
            ("*", Some("tank.example")),
            ("*", None),
        ] {
            assert_eq!(answer(443, target, host, &[]), (400, None), "{target} {host:?}");
        }
    }

    #[test]
    fn unknown_method_is_not_redirected() {
        let names = Rules::default();
        let mut request = request("/", Some("tank.example"));
        let redirect = Redirect { port: 443, gate: Arc::new(Gate::new(names).unwrap()) };
        assert_eq!(redirect.respond(&request).status(), 308);
        request.method = "BREW".parse().unwrap();
        assert_eq!(redirect.respond(&request).status(), 501);
    }

    #[test]
    fn host_beside_the_names_is_misdirected() {
        let names = ["tank.example", "::1"];
        for (host, code) in [
            (Some("tank.example:6080"), 308),
            (Some("[::1]"), 308),
            (Some("evil.example"), 421),
            (Some("[::1]evil.example"), 421),
            (Some(""), 421),
            (None, 421),
        ] {
            assert_eq!(answer(443, "/", host, &names).0, code, "{host:?}");
        }
    }
}
