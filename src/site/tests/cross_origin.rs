//! Policies for browsers: pages of other sites, names of this server, HSTS.

use super::access::{answer, header, request_as, restricted, rules, sorted_headers};
use crate::access::{Admission, Rules, Scope, Scopes};
use crate::site::fixture::{request, site_under, tank, text};

#[test]
fn change_from_another_site_without_a_token_is_403() {
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
            let response = answer(site, &request_as("POST", poll, level, fields));
            assert_eq!(response.status().as_u16(), expected, "{fields:?}, {level}");
        }
    }
}

#[test]
fn listed_origin_may_read_responses() {
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
        let response = answer(&guarded, &request_as(method, "/api/v1/status", level, fields));
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
    // A preflight does not reveal which targets exist.
    let send = |target| {
        let fields = [("origin", "https://home.example"), preflight];
        let response = answer(&guarded, &request_as("OPTIONS", target, "none", &fields));
        (response.status(), sorted_headers(&response))
    };
    assert_eq!(send("/api/v1/sources/tank"), send("/nowhere"));
    // Off by default.
    let off = site_under(vec![tank()], Rules::default());
    for method in ["GET", "OPTIONS"] {
        let fields = [("origin", "https://home.example"), preflight];
        let response = answer(&off, &request_as(method, "/api/v1/status", "none", &fields));
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
        assert!(!header(&response, "vary").contains("origin"));
    }
}

#[test]
fn host_of_another_server_is_421() {
    let names = vec!["tank.example".parse().unwrap()];
    let site = site_under(vec![tank()], Rules { names, ..rules() });
    for (host, code) in [
        ("tank.example", 200),
        ("Tank.Example.:6443", 200),
        ("evil.example", 421),
        ("127.0.0.1:6443", 421),
    ] {
        for target in ["/api/v1/status", "/ping", "/robots.txt", "/nowhere"] {
            let response = answer(&site, &request_as("GET", target, "read", &[("host", host)]));
            let expected = if code == 200 && target == "/nowhere" { 404 } else { code };
            assert_eq!(response.status().as_u16(), expected, "{host} {target}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        }
    }
}

#[test]
fn refusal_of_a_host_says_what_to_set_and_not_what_is_set() {
    let names = vec!["tank.example".parse().unwrap()];
    let site_url = Some("https://barn.example/pumphouse/".parse().unwrap());
    let site = site_under(vec![tank()], Rules { names, site_url, ..rules() });
    let long = "a".repeat(4000);
    for accept in ["*/*", "text/html"] {
        for (host, named) in [
            ("evil.example:81", "the host \"evil.example:81\""),
            ("<b>", "&lt;b&gt;"),
            (&*long, "aaa…"),
            ("", "the host \"\""),
        ] {
            let fields = [("host", host), ("accept", accept)];
            let response = answer(&site, &request("GET", "/pumphouse/a/b", &fields));
            assert_eq!(response.status(), 421);
            let body = text(&response).replace("&quot;", "\"").replace("\\\"", "\"");
            assert!(accept == "*/*" || body.contains("href=\"../assets/icon."), "{body}");
            assert!(accept == "*/*" || !body.contains("<b>"), "{body}");
            assert!(body.len() < 10_000, "{}", body.len());
            assert!(accept == "*/*" && host == "<b>" || body.contains(named), "{body}");
            for set in
                ["\"names\" in [server]", "\"url\" in [site]", "proxy_set_header Host $http_host;"]
            {
                assert!(body.contains(set), "{set}: {body}");
            }
            assert!(!body.contains("tank.example") && !body.contains("barn.example"), "{body}");
        }
    }
    let response = answer(&site, &request("GET", "/", &[]));
    assert!(text(&response).contains("The request has no Host"), "{}", text(&response));
    let public =
        answer(&site, &request("GET", "/pumphouse/robots.txt", &[("host", "barn.example")]));
    assert_eq!(public.status(), 200, "the host of the public address is a name, too");
}

#[test]
fn refusal_of_an_origin_names_both_origins_and_what_to_set() {
    let site = site_under(vec![tank()], Rules::default());
    let long = format!("http://{}", "a".repeat(4000));
    for accept in ["*/*", "text/html"] {
        for (origin, host, named) in [
            (
                "http://tank.lan:8080",
                "tank.lan",
                &["\"http://tank.lan:8080\"", "\"https://tank.lan\""][..],
            ),
            ("http://tank.lan", "tank.lan", &["\"http://tank.lan\"", "\"https://tank.lan\""]),
            ("<b>", "<i>", &["of the origin"]),
            (&*long, &*long, &["aaa…"]),
        ] {
            let fields = [("origin", origin), ("host", host), ("accept", accept)];
            let poll = request("POST", "/api/v1/sources/tank/poll", &fields);
            let response = answer(&site, &poll);
            assert_eq!(response.status(), 403);
            let body = text(&response).replace("&quot;", "\"").replace("\\\"", "\"");
            let set = [
                "\"url\" in [site]",
                "proxy_set_header Host $http_host;",
                "\"trusted_proxies\" in",
            ];
            for named in named.iter().chain(&set) {
                assert!(body.contains(named), "{named}: {body}");
            }
            assert!(accept == "*/*" || !body.contains("<b>") && !body.contains("<i>"), "{body}");
            assert!(body.len() < 10_000, "{}", body.len());
        }
    }
    // The evidence of the browser itself, which no proxy changes.
    let fields = [("origin", "http://a"), ("host", "a"), ("sec-fetch-site", "cross-site")];
    let refused = answer(&site, &request("POST", "/api/v1/sources/tank/poll", &fields));
    assert!(!text(&refused).contains("proxy"), "{}", text(&refused));
}

#[test]
fn response_over_tls_has_hsts() {
    let hsts = |rules: Rules, tls: bool| {
        let site = site_under(vec![tank()], rules);
        ["/", "/ping", "/nowhere", "/%zz", "/assets/none"].map(|target| {
            let mut request = request_as("GET", target, "none", &[]);
            request.peer.tls = tls;
            header(&answer(&site, &request), "strict-transport-security")
        })
    };
    assert_eq!(hsts(rules(), true), ["max-age=31536000"; 5]);
    assert_eq!(hsts(rules(), false), [""; 5]);
    assert_eq!(hsts(Rules { hsts: None, ..rules() }, true), [""; 5]);
}
