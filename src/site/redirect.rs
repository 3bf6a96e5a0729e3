//! Redirects: to HTTPS, by the service of plain listeners beside TLS, and to the site's path with its last
//! slash.

use std::sync::Arc;

use http::header::{InvalidHeaderValue, LOCATION};
use http::{HeaderValue, StatusCode, Uri, header};

use super::finish::{self, add_security_headers};
use super::methods::is_known;
use super::problem::Problem;
use super::target::{self, Below};
use crate::access::{Gate, SiteUrl};
use crate::engine::{
    Activity, Authority, Body, Refusal, Reply, Request, RequestHead, Response, Service,
};

/// Default port of HTTPS (RFC 9110 4.2.2).
const HTTPS: u16 = 443;

/// Redirects every request to the same path over HTTPS: at the site's public address if one is configured,
/// and else at the host of the request.
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
        let active_rules = self.gate.active_rules();
        self.gate.check_host(&active_rules, request)?;
        let path = request.target.path_and_query().map_or("", |path| path.as_str());
        if !path.starts_with('/') {
            return Err(Problem::bad_request(
                "The target * has no address over HTTPS; send the request to the TLS listener.",
            ));
        }
        if let Some(url) = active_rules.site_url().filter(|url| url.is_https()) {
            let path = within_site(url, &request.target);
            let location =
                format!("{url}{}", target::escaped(path.strip_prefix('/').unwrap_or(path)));
            return HeaderValue::try_from(location).map_err(malformed);
        }
        // The engine has put the authority of an absolute target into Host.
        let host = request.headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
        let authority = Authority::parse(host).map_err(|_| {
            Problem::bad_request(
                "The Host field does not name a host; without one there is no address to \
                 redirect to.",
            )
        })?;
        let host = authority.written_host();
        let port = if self.port == HTTPS { String::new() } else { format!(":{}", self.port) };
        let location = format!("https://{host}{port}{}", target::escaped(path));
        HeaderValue::try_from(location).map_err(malformed)
    }

    fn respond(&self, request: &Request) -> Response {
        match self.location(request) {
            Ok(location) => permanent_redirect(location),
            Err(problem) => {
                let mut response = finish::respond_json(&problem, target::instance(request));
                add_security_headers(&mut response);
                response
            }
        }
    }
}

/// Returns the path and query of a target without the path of the public address, with which or without
/// which links may be written.
fn within_site<'t>(url: &SiteUrl, target: &'t Uri) -> &'t str {
    let text = target.path_and_query().map_or("", |path| path.as_str());
    let rest = text.strip_prefix(url.path().trim_end_matches('/'));
    let is_folder = |rest: &&str| rest.is_empty() || rest.starts_with(['/', '?']);
    rest.filter(is_folder)
        .unwrap_or_else(|| Below::of_target(target, Some(url)).path_and_query(target))
}

/// Redirects from the path of the public address without its last slash, relatively: links on a page at that
/// path would lead beside the site.
pub(super) fn add_slash(target: &Uri) -> Result<Response, Problem> {
    let last = target.path().rsplit('/').next().unwrap_or_default();
    // A colon in the first segment of a relative reference would end a scheme.
    let dot = if last.contains(':') { "./" } else { "" };
    let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = format!("{dot}{last}/{query}");
    let location = HeaderValue::try_from(&*target::escaped(&location));
    location.map(permanent_redirect).map_err(malformed)
}

fn permanent_redirect(location: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    // 308 keeps the method, which 301 does not (RFC 9110 15.4.9).
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn malformed(_: InvalidHeaderValue) -> Problem {
    Problem::bad_request("The request target is malformed.")
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
            peer: Peer { address: None, tls: false, user: None },
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
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        answer_under(Rules { names, ..Rules::default() }, port, target, host)
    }

    fn answer_under(
        rules: Rules,
        port: u16,
        target: &str,
        host: Option<&str>,
    ) -> (u16, Option<String>) {
        let request = request(target, host);
        let gate = Arc::new(Gate::new(rules).unwrap());
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
    fn redirect_leads_to_the_public_address() {
        const FOLDER: &str = "https://tank.example/pumphouse/";
        const PORT: &str = "https://tank.example:8443/";
        for (url, target, host, location) in [
            (FOLDER, "/", Some("192.0.2.7:6080"), "https://tank.example/pumphouse/"),
            (
                FOLDER,
                "/source/tank?range=7d",
                None,
                "https://tank.example/pumphouse/source/tank?range=7d",
            ),
            (FOLDER, "/pumphouse/ping", Some("t"), "https://tank.example/pumphouse/ping"),
            (FOLDER, "/%70umphouse/ping", Some("t"), "https://tank.example/pumphouse/ping"),
            (FOLDER, "/pumphouse?a=b", Some("t"), "https://tank.example/pumphouse/?a=b"),
            (FOLDER, "/pumphouses", Some("t"), "https://tank.example/pumphouse/pumphouses"),
            (
                FOLDER,
                "//evil.example/x",
                Some("t"),
                "https://tank.example/pumphouse//evil.example/x",
            ),
            (PORT, "//evil.example/x", Some("t"), "https://tank.example:8443//evil.example/x"),
            (PORT, "/ping", Some("evil.example"), "https://tank.example:8443/ping"),
            // An address without TLS is not the target of a redirect to TLS.
            ("http://tank.example/", "/ping", Some("t:80"), "https://t:6443/ping"),
        ] {
            let site_url = Some(url.parse().unwrap());
            let rules = Rules { site_url, ..Rules::default() };
            let expected = (308, Some(location.to_owned()));
            assert_eq!(answer_under(rules, 6443, target, host), expected, "{url} {target}");
        }
        let site_url = Some(PORT.parse().unwrap());
        let names = vec!["192.0.2.7".parse().unwrap()];
        let rules = Rules { site_url, names, ..Rules::default() };
        for (host, expected) in [("tank.example", 308), ("192.0.2.7", 308), ("evil.example", 421)] {
            assert_eq!(answer_under(rules.clone(), 6443, "/", Some(host)).0, expected, "{host}");
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
