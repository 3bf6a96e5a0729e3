//! Access: the status of every route and method at each level of credentials.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use strum::VariantArray as _;

use crate::access::{
    Admission, Limits, PasswordHash, Restricted, Rules, Scope, Scopes, Token, TokenHash, User,
};
use crate::engine::{Activity, Reply, Request, Response, Service as _};
use crate::route_pattern::RoutePattern;
use crate::site::{Site, SiteService};

use crate::site::fixture::{now, request, site_under, tank, text, weather};

const LEVELS: [&str; 9] =
    ["none", "wrong password", "wrong token", "user", "read", "poll", "alert", "admin", "nothing"];

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"];

pub(super) fn restricted() -> Restricted {
    let token = |name: &str, scopes: &[Scope]| Token {
        name: name.to_owned(),
        hash: TokenHash::of(name),
        scopes: Scopes::new(scopes.to_vec()),
    };
    Restricted {
        users: vec![User {
            name: "anna".to_owned(),
            password_hash: PasswordHash::cheap("right"),
            scopes: Scopes::default(),
        }],
        tokens: vec![
            token("read", &[Scope::Read]),
            token("poll", &[Scope::Poll]),
            token("alert", &[Scope::Alert]),
            token("admin", &[Scope::Admin]),
            token("nothing", &[]),
        ],
        public: vec!["/ping".to_owned(), "/healthz".to_owned()],
        limits: Limits {
            failures_per_address: 1000,
            strangers_per_second: 1000,
            ..Limits::default()
        },
    }
}

pub(super) fn rules() -> Rules {
    Rules { admission: Admission::Restricted(restricted()), ..Rules::default() }
}

fn guarded() -> Site {
    site_under(vec![tank(), weather()], rules())
}

/// `Authorization` of a level; empty: none is sent.
fn credentials(level: &str) -> String {
    match level {
        "none" => String::new(),
        "wrong token" => "Bearer wrong".to_owned(),
        "wrong password" => format!("Basic {}", BASE64_STANDARD.encode("anna:wrong")),
        "user" => format!("Basic {}", BASE64_STANDARD.encode("anna:right")),
        token => format!("Bearer {token}"),
    }
}

pub(super) fn request_as(
    method: &str,
    target: &str,
    level: &str,
    fields: &[(&str, &str)],
) -> Request {
    let credentials = credentials(level);
    let field = (AUTHORIZATION.as_str(), credentials.as_str());
    let sent = (!credentials.is_empty()).then_some(field);
    let fields: Vec<_> = fields.iter().copied().chain(sent).collect();
    request(method, target, &fields)
}

pub(super) fn answer(site: &Site, request: &Request) -> Response {
    site.answer(request, now(), &Activity::default()).1
}

pub(super) fn header(response: &Response, name: &str) -> String {
    let values = response.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

/// Returns the headers of a response, except its id, sorted.
pub(super) fn sorted_headers(response: &Response) -> Vec<String> {
    let headers = response.headers().iter().filter(|(name, _)| *name != "x-request-id");
    let mut fields: Vec<String> =
        headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    fields.sort();
    fields
}

#[test]
fn refused_request_takes_no_body() {
    let site = SiteService(Arc::new(guarded()));
    let takes_body = |target: &str, level: &str| {
        let request = request_as("POST", target, level, &[("content-length", "100")]);
        match site.call(&request, &Activity::default()) {
            Reply::ReadBody { .. } => true,
            Reply::Respond(response) => {
                assert!(!response.status().is_success(), "{target} {level}");
                false
            }
            other => panic!("{target}: {other:?}"),
        }
    };
    for level in ["none", "wrong password", "wrong token", "nothing"] {
        for (_, target, _) in targets(&site.0) {
            // Sign-in needs no credentials.
            assert_eq!(takes_body(&target, level), target == "/login", "{target} {level}");
        }
    }
}

/// Returns a target of each route, and the status of an admitted GET.
fn targets(site: &Site) -> Vec<(&'static str, String, u16)> {
    let target = |pattern: &'static str| match pattern {
        // No source is in a group.
        "/group/{group}" => ("/group/north".to_owned(), 404),
        "/source/{source}" => ("/source/tank".to_owned(), 200),
        // This site records no history.
        "/chart/{chart}" => ("/chart/tank.level.svg".to_owned(), 404),
        "/api/v1/sources/{source}" => ("/api/v1/sources/tank".to_owned(), 200),
        "/api/v1/sources/{source}/poll" => ("/api/v1/sources/tank/poll".to_owned(), 405),
        "/api/v1/values/{value}" => ("/api/v1/values/tank.level".to_owned(), 200),
        "/api/v1/history" => ("/api/v1/history?field=tank.level".to_owned(), 404),
        "/api/v1/events" => ("/api/v1/events".to_owned(), 200),
        "/alert/{alert}" => ("/alert/none".to_owned(), 404),
        "/api/v1/alerts/{alert}" => ("/api/v1/alerts/none".to_owned(), 404),
        "/api/v1/alerts/{alert}/acknowledge" => ("/api/v1/alerts/none/acknowledge".to_owned(), 405),
        "/api/v1/alerts/{alert}/silence" => ("/api/v1/alerts/none/silence?for=1h".to_owned(), 405),
        "/api/v1/alerts/{alert}/unsilence" => ("/api/v1/alerts/none/unsilence".to_owned(), 405),
        "/logout" => ("/logout".to_owned(), 405),
        "/assets/{name}" => (format!("/{}", site.context.assets.style.path), 200),
        plain => (plain.to_owned(), 200),
    };
    let patterns = RoutePattern::VARIANTS.iter().map(|pattern| {
        let (target, code) = target(pattern.as_str());
        (pattern.as_str(), target, code)
    });
    let unmatched = [("-", "/nowhere".to_owned(), 404), ("-", "/%zz".to_owned(), 400)];
    patterns.chain(unmatched).collect()
}

/// Returns the status that the documented rules require, independently of the code under test.
fn expected(pattern: &str, method: &str, level: &str, read: u16) -> u16 {
    let commands = pattern.starts_with("/api/v1/alerts/{alert}/");
    let posts = pattern.ends_with("/poll") || pattern == "/logout" || commands;
    let open =
        ["/ping", "/healthz", "/login", "/logout", "/assets/{name}", "/favicon.ico", "/robots.txt"];
    let allowed = match level {
        _ if open.contains(&pattern) => true,
        "none" | "wrong password" | "wrong token" => return 401,
        "admin" => true,
        _ if pattern == "-" => true,
        "nothing" => false,
        "alert" => commands,
        "poll" => posts && !commands,
        _ => !posts,
    };
    match method {
        _ if !allowed => 403,
        _ if pattern == "-" => read,
        "OPTIONS" => 204,
        "POST" if pattern == "/logout" => 303,
        // The body is empty.
        "POST" if pattern == "/login" => 415,
        // The server has no alerts.
        "POST" if commands => 404,
        "POST" if posts => 202,
        "GET" | "HEAD" if !posts => read,
        _ => 405,
    }
}

#[test]
fn request_to_each_route_by_each_method_gets_the_status_of_its_level() {
    let site = guarded();
    for (pattern, target, read) in targets(&site) {
        for method in METHODS {
            for level in LEVELS {
                let response = answer(&site, &request_as(method, &target, level, &[]));
                let wanted = expected(pattern, method, level, read);
                assert_eq!(response.status().as_u16(), wanted, "{method} {target}, {level}");
                assert_eq!(
                    header(&response, "www-authenticate").contains("Basic realm"),
                    wanted == 401,
                    "{method} {target}, {level}"
                );
            }
        }
    }
}

#[test]
fn open_site_requires_no_credentials() {
    let site = site_under(vec![tank()], Rules::default());
    for (pattern, target, read) in targets(&site) {
        for level in LEVELS {
            let response = answer(&site, &request_as("GET", &target, level, &[]));
            // An open site has no sign-in.
            let read = if pattern == "/login" { 303 } else { read };
            assert_eq!(response.status().as_u16(), read, "{target}, {level}");
            assert!(!header(&response, "cache-control").contains("private"));
        }
    }
}

#[test]
fn request_without_credentials_does_not_reveal_which_targets_exist() {
    let site = guarded();
    let of = |method: &str, target: &str, level: &str, accept: &str| {
        let response = answer(&site, &request_as(method, target, level, &[("accept", accept)]));
        let fields = sorted_headers(&response);
        // `instance` is the path as sent, and links of a page have a step for each of its directories.
        (
            response.status(),
            fields,
            text(&response).replace(target, "…").replace("../", "").replace("./", ""),
        )
    };
    for level in ["none", "wrong password", "wrong token"] {
        for accept in ["*/*", "text/html"] {
            for method in METHODS {
                for (there, others) in [
                    (
                        "/api/v1/sources/tank",
                        &[
                            "/api/v1/sources/none",
                            "/api/v1/sources/tank/poll",
                            "/api/v1/values/tank.none",
                            "/api/v1/status",
                            "/api/nowhere",
                        ][..],
                    ),
                    ("/source/tank", &["/source/none", "/chart/tank.level.svg", "/nowhere"]),
                ] {
                    let there = of(method, there, level, accept);
                    assert_eq!(there.0, 401);
                    for target in others {
                        assert_eq!(of(method, target, level, accept), there, "{method} {target}");
                    }
                }
            }
        }
    }
}

#[test]
fn response_to_an_account_is_private() {
    let site = guarded();
    for (target, level, cache, vary) in [
        ("/", "user", "private, no-cache", "accept-encoding, authorization, cookie"),
        (
            "/api/v1/status",
            "read",
            "private, max-age=120, stale-if-error=86400",
            "accept-encoding, authorization, cookie",
        ),
        ("/api/v1/status", "none", "no-store", "accept, authorization, cookie"),
        ("/api/v1/status", "poll", "no-store", "accept, authorization, cookie"),
        ("/nowhere", "read", "no-store", "accept, authorization, cookie"),
        ("/readyz", "read", "no-store", "authorization, cookie"),
        ("/ping", "read", "no-store", ""),
    ] {
        let response = answer(&site, &request_as("GET", target, level, &[]));
        assert_eq!(header(&response, "cache-control"), cache, "{target}, {level}");
        assert_eq!(header(&response, "vary"), vary, "{target}, {level}");
    }
    let style = format!("/{}", site.context.assets.style.path);
    let response = answer(&site, &request_as("GET", &style, "none", &[]));
    assert!(header(&response, "cache-control").starts_with("public, "));
    let etag = header(&answer(&site, &request_as("GET", "/api/v1/status", "read", &[])), "etag");
    let fields = [("if-none-match", &*etag)];
    let unchanged = answer(&site, &request_as("GET", "/api/v1/status", "read", &fields));
    assert_eq!(unchanged.status(), 304);
    assert!(header(&unchanged, "cache-control").starts_with("private, "));
    let stranger = answer(&site, &request_as("GET", "/api/v1/status", "none", &fields));
    assert_eq!(stranger.status(), 401, "a 304 would reveal that the readings are unchanged");
}

#[test]
fn public_page_needs_no_credentials() {
    let mut with_public_page = restricted();
    with_public_page.public = vec!["/".to_owned()];
    let rules = Rules { admission: Admission::Restricted(with_public_page), ..Rules::default() };
    let site = site_under(vec![tank()], rules);
    for (target, code) in [("/", 200), ("/source/tank", 401), ("/ping", 401)] {
        let response =
            answer(&site, &request_as("GET", target, "none", &[("accept", "text/html")]));
        assert_eq!(response.status().as_u16(), code, "{target}");
        let kind = header(&response, "content-type");
        assert_eq!(kind, "text/html; charset=utf-8", "{target}");
        if code == 401 {
            assert!(!text(&response).contains("Cistern"), "{target}");
        }
    }
}

#[test]
fn request_without_a_password_is_served_while_all_verifications_are_in_use() {
    let site = guarded();
    site.context.gate.while_busy(|| {
        let refused = answer(&site, &request_as("GET", "/", "user", &[]));
        assert_eq!(refused.status(), 503);
        assert_eq!(header(&refused, "retry-after"), "1");
        for (target, level) in [("/ping", "none"), ("/", "read"), ("/robots.txt", "none")] {
            let served = answer(&site, &request_as("GET", target, level, &[]));
            assert_eq!(served.status(), 200, "{target}");
        }
    });
}

#[test]
fn client_with_too_many_failed_logins_is_429() {
    let mut strict = restricted();
    strict.limits = Limits { failures_per_address: 1, ..Limits::default() };
    let admission = Admission::Restricted(strict);
    let site = site_under(vec![tank()], Rules { admission, ..Rules::default() });
    let guess = |number: u8| {
        let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("anna:{number}")));
        answer(&site, &request("GET", "/", &[("authorization", &credentials)]))
    };
    assert_eq!([guess(1).status(), guess(2).status()], [401; 2]);
    let refused = guess(3);
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "retry-after"), "1");
    assert!(!refused.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn admin_listener_requires_no_account() {
    let site = guarded();
    let response = site.respond(&request_as("GET", "/readyz", "none", &[]));
    // By the real clock the readings of the fixture are stale.
    assert_eq!(response.status(), 503);
    assert!(text(&response).contains("tank is stale"));
}
