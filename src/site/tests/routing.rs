//! Routes and methods: the route of each target, and its response to each method.

use super::header;
use crate::engine::Activity;
use crate::route_pattern::NO_ROUTE;
use crate::site::fixture::{get, now, request, site, tank};

#[test]
fn target_has_its_route_and_each_method_its_status() {
    let site = site(vec![tank()]);
    let asset = format!("/{}", site.context.assets.style.path);
    for (target, pattern, code) in [
        ("/", "/", 200),
        ("/?anything=goes&here", "/", 200),
        ("http://elsewhere.example/", "/", 200),
        ("http://elsewhere.example/ping", "/ping", 200),
        ("/%70ing", "/ping", 200),
        ("/api/v1/status", "/api/v1/status", 200),
        ("/api/v1/status?", "/api/v1/status", 200),
        ("/api/v1/sources", "/api/v1/sources", 200),
        ("/api/v1/sources/tank", "/api/v1/sources/{source}", 200),
        ("/api/v1/sources/well", "/api/v1/sources/{source}", 404),
        ("/api/v1/values/tank.level", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank%2Elevel", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank.level.txt", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank.level.csv", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank.level.txt.txt", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank.colour", "/api/v1/values/{value}", 404),
        ("/api/v1/values/well.level", "/api/v1/values/{value}", 404),
        ("/ping", "/ping", 200),
        ("/ping?max_age=1", "/ping", 200),
        ("/healthz", "/healthz", 200),
        ("/readyz", "/readyz", 200),
        ("/robots.txt", "/robots.txt", 200),
        ("/favicon.ico", "/favicon.ico", 200),
        (&asset, "/assets/{name}", 200),
        ("/assets/style.css", "/assets/{name}", 404),
        ("/assets/..%2f..%2fetc%2fpasswd", NO_ROUTE, 404),
        ("/nowhere", NO_ROUTE, 404),
        ("/ping/", NO_ROUTE, 404),
        ("//ping", NO_ROUTE, 404),
        ("/api%2Fv1%2fstatus", NO_ROUTE, 404),
        ("/%2570ing", NO_ROUTE, 404),
        ("/%zz", NO_ROUTE, 400),
        ("/%ff", NO_ROUTE, 400),
        ("*", NO_ROUTE, 400),
    ] {
        for method in ["GET", "HEAD"] {
            let (route, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!((route, response.status().as_u16()), (pattern, code), "{method} {target}");
        }
        // A route that exists answers the other methods by its table, whatever lies below it.
        let exists = pattern != NO_ROUTE;
        for (method, allowed) in
            [("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("TRACE", 405), ("get", 501)]
        {
            let expected = match (target, method) {
                ("*", "OPTIONS") => 204,
                (_, "get") => 501,
                _ if exists => allowed,
                _ => code,
            };
            let (_, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!(response.status().as_u16(), expected, "{method} {target}");
            let allow = if matches!(expected, 204 | 405) { "GET, HEAD, OPTIONS" } else { "" };
            assert_eq!(header(&response, "allow"), allow, "{method} {target}");
        }
    }
}

#[test]
fn every_response_has_the_security_headers() {
    let site = site(vec![tank()]);
    for target in ["/", "/ping", "/api/v1/status", "/nowhere", "/%zz", "/robots.txt"] {
        for method in ["GET", "OPTIONS", "POST"] {
            let (_, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        }
    }
    let page = get(&site, "/", &[]);
    assert!(header(&page, "content-security-policy").contains("frame-ancestors 'none'"));
    assert!(!header(&page, "content-security-policy").contains("unsafe"));
}
