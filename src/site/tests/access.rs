//! Every route, method and level of access; what strangers can learn; what browsers are told.

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
use crate::site::Site;
use crate::site::fixture::{now, request, site_under, tank, text, weather};

const LEVELS: [&str; 8] =
    ["none", "wrong password", "wrong token", "user", "read", "poll", "admin", "nothing"];

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"];

fn restricted() -> Restricted {
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

fn rules() -> Rules {
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

fn asked(method: &str, target: &str, level: &str, fields: &[(&str, &str)]) -> Request {
    let credentials = credentials(level);
    let field = (AUTHORIZATION.as_str(), credentials.as_str());
    let sent = (!credentials.is_empty()).then_some(field);
    let fields: Vec<_> = fields.iter().copied().chain(sent).collect();
    request(method, target, &fields)
}

fn answer(site: &Site, request: &Request) -> Response {
    site.answer(request, now(), &Activity::default()).1
}

fn header(response: &Response, name: &str) -> String {
    let values = response.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

/// The headers of a response, except its id, in an order of their own.
fn sorted_headers(response: &Response) -> Vec<String> {
    let headers = response.headers().iter().filter(|(name, _)| *name != "x-request-id");
    let mut fields: Vec<String> =
        headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    fields.sort();
    fields
}

#[test]
fn refused_request_takes_no_body() {
    let site = Arc::new(guarded());
    let takes_body = |target: &str, level: &str| {
        let request = asked("POST", target, level, &[("content-length", "100")]);
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
        for (_, target, _) in targets(&site) {
            // Signing in is for those without credentials.
            assert_eq!(takes_body(&target, level), target == "/login", "{target} {level}");
        }
    }
}

/// A target of each route, and what a GET of it is answered when all is well.
fn targets(site: &Site) -> Vec<(&'static str, String, u16)> {
    let target = |pattern: &'static str| match pattern {
        "/source/{source}" => ("/source/tank".to_owned(), 200),
        // There is no history behind this site, so nothing is known of its past.
        "/chart/{chart}" => ("/chart/tank.level.svg".to_owned(), 404),
        "/api/v1/sources/{source}" => ("/api/v1/sources/tank".to_owned(), 200),
        "/api/v1/sources/{source}/poll" => ("/api/v1/sources/tank/poll".to_owned(), 405),
        "/api/v1/values/{value}" => ("/api/v1/values/tank.level".to_owned(), 200),
        "/api/v1/history" => ("/api/v1/history?field=tank.level".to_owned(), 404),
        "/api/v1/events" => ("/api/v1/events".to_owned(), 200),
        "/logout" => ("/logout".to_owned(), 405),
        "/assets/{name}" => (site.context.assets.style.path.clone(), 200),
        plain => (plain.to_owned(), 200),
    };
    let known = RoutePattern::VARIANTS.iter().map(|pattern| {
        let (target, code) = target(pattern.as_str());
        (pattern.as_str(), target, code)
    });
    let astray = [("-", "/nowhere".to_owned(), 404), ("-", "/%zz".to_owned(), 400)];
    known.chain(astray).collect()
}

/// What the rules make of it, written down once more and differently.
fn expected(pattern: &str, method: &str, level: &str, read: u16) -> u16 {
    let posts = pattern.ends_with("/poll") || pattern == "/logout";
    let open =
        ["/ping", "/healthz", "/login", "/logout", "/assets/{name}", "/favicon.ico", "/robots.txt"];
    let allowed = match level {
        _ if open.contains(&pattern) => true,
        "none" | "wrong password" | "wrong token" => return 401,
        "admin" => true,
        _ if pattern == "-" => true,
        "nothing" => false,
        "poll" => posts,
        _ => !posts,
    };
    match method {
        _ if !allowed => 403,
        _ if pattern == "-" => read,
        "OPTIONS" => 204,
        "POST" if pattern == "/logout" => 303,
        // Nothing was filled in.
        "POST" if pattern == "/login" => 415,
        "POST" if posts => 202,
        "GET" | "HEAD" if !posts => read,
        _ => 405,
    }
}

#[test]
fn every_route_method_and_level() {
    let site = guarded();
    for (pattern, target, read) in targets(&site) {
        for method in METHODS {
            for level in LEVELS {
                let response = answer(&site, &asked(method, &target, level, &[]));
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
fn nothing_is_asked_while_all_is_open() {
    let site = site_under(vec![tank()], Rules::default());
    for (pattern, target, read) in targets(&site) {
        for level in LEVELS {
            let response = answer(&site, &asked("GET", &target, level, &[]));
            // There is nothing to sign in to.
            let read = if pattern == "/login" { 303 } else { read };
            assert_eq!(response.status().as_u16(), read, "{target}, {level}");
            assert!(!header(&response, "cache-control").contains("private"));
        }
    }
}

#[test]
fn strangers_learn_nothing_of_what_is_there() {
    let site = guarded();
    let of = |method: &str, target: &str, level: &str, accept: &str| {
        let response = answer(&site, &asked(method, target, level, &[("accept", accept)]));
        let fields = sorted_headers(&response);
        // The path that was asked for stands in it as `instance`, as sent.
        (response.status(), fields, text(&response).replace(target, "…"))
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
fn what_an_account_sees_is_nobody_elses() {
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
        let response = answer(&site, &asked("GET", target, level, &[]));
        assert_eq!(header(&response, "cache-control"), cache, "{target}, {level}");
        assert_eq!(header(&response, "vary"), vary, "{target}, {level}");
    }
    let style = site.context.assets.style.path.clone();
    let response = answer(&site, &asked("GET", &style, "none", &[]));
    assert!(header(&response, "cache-control").starts_with("public, "));
    let etag = header(&answer(&site, &asked("GET", "/api/v1/status", "read", &[])), "etag");
    let fields = [("if-none-match", &*etag)];
    let unchanged = answer(&site, &asked("GET", "/api/v1/status", "read", &fields));
    assert_eq!(unchanged.status(), 304);
    assert!(header(&unchanged, "cache-control").starts_with("private, "));
    let stranger = answer(&site, &asked("GET", "/api/v1/status", "none", &fields));
    assert_eq!(stranger.status(), 401, "not even that nothing has changed");
}

#[test]
fn a_page_for_guests() {
    let mut open_door = restricted();
    open_door.public = vec!["/".to_owned()];
    let rules = Rules { admission: Admission::Restricted(open_door), ..Rules::default() };
    let site = site_under(vec![tank()], rules);
    for (target, code) in [("/", 200), ("/source/tank", 401), ("/ping", 401)] {
        let response = answer(&site, &asked("GET", target, "none", &[("accept", "text/html")]));
        assert_eq!(response.status().as_u16(), code, "{target}");
        let kind = header(&response, "content-type");
        assert_eq!(kind, "text/html; charset=utf-8", "{target}");
        if code == 401 {
            assert!(!text(&response).contains("Cistern"), "{target}");
        }
    }
}

#[test]
fn changes_take_a_token_or_the_same_site() {
    let poll = "/api/v1/sources/tank/poll";
    let same = ("host", "pump.example");
    let mut poller = restricted();
    poller.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    let rules = Rules { admission: Admission::Restricted(poller), ..Rules::default() };
    let (guarded, open) =
        (site_under(vec![tank()], rules), site_under(vec![tank()], Rules::default()));
    for (fields, by_page) in [
        (&[][..], 202),
        (&[("sec-fetch-site", "same-origin")], 202),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[same, ("origin", "https://pump.example")], 202),
        (&[same, ("origin", "https://evil.example")], 403),
        (&[same, ("origin", "null")], 403),
    ] {
        for (site, level, expected) in
            [(&open, "none", by_page), (&guarded, "user", by_page), (&guarded, "poll", 202)]
        {
            let response = answer(site, &asked("POST", poll, level, fields));
            assert_eq!(response.status().as_u16(), expected, "{fields:?}, {level}");
        }
    }
}

#[test]
fn pages_of_other_sites_read_what_is_listed() {
    let listed = vec!["https://home.example".parse().unwrap()];
    let guarded = site_under(vec![tank()], Rules { cors_origins: listed, ..rules() });
    let preflight = ("access-control-request-method", "GET");
    for (method, fields, level, code, origin) in [
        ("GET", &[("origin", "https://home.example")][..], "read", 200, "https://home.example"),
        ("GET", &[("origin", "https://home.example")], "none", 401, "https://home.example"),
        ("GET", &[("origin", "https://evil.example")], "read", 200, ""),
        ("GET", &[("origin", "null")], "read", 200, ""),
        ("GET", &[], "read", 200, ""),
        (
            "OPTIONS",
            &[("origin", "https://home.example"), preflight],
            "none",
            204,
            "https://home.example",
        ),
        ("OPTIONS", &[("origin", "https://evil.example"), preflight], "none", 401, ""),
        ("OPTIONS", &[("origin", "https://home.example")], "none", 401, "https://home.example"),
    ] {
        let response = answer(&guarded, &asked(method, "/api/v1/status", level, fields));
        assert_eq!(response.status().as_u16(), code, "{method} {fields:?}");
        assert_eq!(header(&response, "access-control-allow-origin"), origin, "{fields:?}");
        assert_eq!(header(&response, "access-control-allow-credentials"), "");
        assert!(header(&response, "vary").ends_with("origin"), "{fields:?}");
        let methods = header(&response, "access-control-allow-methods");
        assert_eq!(!methods.is_empty(), code == 204, "{fields:?}");
        if code == 204 {
            assert!(header(&response, "access-control-allow-headers").contains("authorization"));
        }
    }
    // A preflight tells nothing of what is there.
    let ask = |target| {
        let fields = [("origin", "https://home.example"), preflight];
        let response = answer(&guarded, &asked("OPTIONS", target, "none", &fields));
        (response.status(), sorted_headers(&response))
    };
    assert_eq!(ask("/api/v1/sources/tank"), ask("/nowhere"));
    // Off by default.
    let off = site_under(vec![tank()], Rules::default());
    for method in ["GET", "OPTIONS"] {
        let fields = [("origin", "https://home.example"), preflight];
        let response = answer(&off, &asked(method, "/api/v1/status", "none", &fields));
        assert!(response.headers().keys().all(|it| !it.as_str().starts_with("access-control")));
        assert!(!header(&response, "vary").contains("origin"));
    }
}

#[test]
fn only_this_servers_names_are_answered() {
    let names = vec!["tank.example".parse().unwrap()];
    let site = site_under(vec![tank()], Rules { names, ..rules() });
    for (host, code) in [
        ("tank.example", 200),
        ("Tank.Example.:6443", 200),
        ("evil.example", 421),
        ("127.0.0.1:6443", 421),
    ] {
        for target in ["/api/v1/status", "/ping", "/robots.txt", "/nowhere"] {
            let response = answer(&site, &asked("GET", target, "read", &[("host", host)]));
            let expected = if code == 200 && target == "/nowhere" { 404 } else { code };
            assert_eq!(response.status().as_u16(), expected, "{host} {target}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        }
    }
}

#[test]
fn browsers_are_told_to_keep_to_tls_where_they_came_by_it() {
    let hsts = |rules: Rules, tls: bool| {
        let site = site_under(vec![tank()], rules);
        ["/", "/ping", "/nowhere", "/%zz", "/assets/none"].map(|target| {
            let mut asked = asked("GET", target, "none", &[]);
            asked.peer.tls = tls;
            header(&answer(&site, &asked), "strict-transport-security")
        })
    };
    assert_eq!(hsts(rules(), true), ["max-age=31536000"; 5]);
    assert_eq!(hsts(rules(), false), [""; 5]);
    assert_eq!(hsts(Rules { hsts: None, ..rules() }, true), [""; 5]);
}

#[test]
fn while_passwords_are_verified_nobody_else_waits() {
    let site = guarded();
    site.context.gate.while_busy(|| {
        let refused = answer(&site, &asked("GET", "/", "user", &[]));
        assert_eq!(refused.status(), 503);
        assert_eq!(header(&refused, "retry-after"), "1");
        for (target, level) in [("/ping", "none"), ("/", "read"), ("/robots.txt", "none")] {
            let served = answer(&site, &asked("GET", target, level, &[]));
            assert_eq!(served.status(), 200, "{target}");
        }
    });
}

#[test]
fn whoever_fails_too_often_is_told_when_to_come_again() {
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
fn the_admin_listener_needs_no_account() {
    let site = guarded();
    let response = site.respond(&asked("GET", "/readyz", "none", &[]));
    // The readings of the fixture are of long ago by the real clock.
    assert_eq!(response.status(), 503);
    assert!(text(&response).contains("tank is stale"));
}
