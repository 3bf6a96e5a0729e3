//! Links lead to the same place below every path under which a proxy publishes the site.

use std::collections::BTreeSet;

use fluent_uri::{Uri, UriRef};
use http::header::{CONTENT_TYPE, LOCATION};
use jiff::tz::TimeZone;
use strum::VariantArray as _;

use super::access::rules;
use super::header;
use crate::access::{Rules, SiteUrl};
use crate::board::{Change, Event, EventKind};
use crate::engine::{Activity, Response};
use crate::history::{History, import};
use crate::route_pattern::NO_ROUTE;
use crate::site::Site;
use crate::site::alert_fixture::{channels, handle, no_past, tank_is_low, view};
use crate::site::chart::fixture::{RecordedSite, recorded_site};
use crate::site::fixture::{
    drained, failing, get, now, pump, request, site, site_under, site_with, stale, tank, waiting,
    weather,
};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// Paths under which the site is published: at the root, at one directory, and deeper.
const FOLDERS: [&str; 4] = ["", "/pumphouse", "/x/y/z", "/~anna/p%C3%BCmp"];

/// Pages at every depth, with and without a route.
const PAGES: [&str; 23] = [
    "/",
    "/?range=7d",
    "/source/tank",
    "/source/tank?range=7d",
    "/source/none",
    "/source/tank/",
    "/source/",
    "/alerts",
    "/alert/tank_low",
    "/login",
    "/login?next=/source/tank",
    "/logout",
    "/nowhere",
    "/a/b/c",
    "/a/b/c/?x=y",
    "//",
    "//a//b",
    "/a%2Fb",
    "/%zz/x",
    "/chart/none",
    "/api/v1/none",
    "/api/v1/sources/tank/poll",
    "/assets/none",
];

/// Sets the public address of a site.
fn publish(site: &Site, url: Option<&str>, rules: Rules) {
    let site_url = url.map(|url| url.parse().unwrap());
    site.context.gate.replace(Rules { site_url, ..rules });
}

/// Returns a site at this public address.
fn published(site: Site, url: &str, rules: Rules) -> Site {
    publish(&site, Some(url), rules);
    site
}

/// Returns the references in a response: links, forms and files of a page, members of JSON, and `Location`.
fn references(response: Response) -> Vec<String> {
    let location = response.headers().get(LOCATION).map(|at| at.to_str().unwrap().to_owned());
    let mut found: Vec<String> = location.into_iter().collect();
    let kind = header(&response, "content-type").to_owned();
    let body = drained(response);
    if kind.starts_with("text/html") {
        for attribute in [" href=\"", " src=\"", " action=\"", " formaction=\""] {
            let values = body.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap());
            found.extend(values.map(|value| value.replace("&amp;", "&")));
        }
    }
    if kind == "application/json" {
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        found.extend(json["servers"][0]["url"].as_str().map(str::to_owned));
    }
    // Within the page, and the link to a foreign page that the script fills in.
    found.retain(|reference| !reference.starts_with('#') && !reference.is_empty());
    found
}

/// Returns the target of a reference as a browser resolves it.
fn resolved(base: &str, reference: &str) -> String {
    // Browsers keep invalid escapes, which RFC 3986 does not know.
    let base = base.replace("%zz", "zz");
    let base = Uri::parse(base.as_str()).unwrap();
    UriRef::parse(reference).unwrap().resolve_against(&base).unwrap().into_string()
}

/// Returns the route and the status of a request.
fn answered(site: &Site, method: &str, target: &str) -> (&'static str, u16) {
    let sent = request(method, target, &[BROWSER]);
    let (route, response) = site.answer(&sent, now(), &Activity::default());
    (route, response.status().as_u16())
}

#[test]
fn link_of_every_page_stays_within_the_site_and_leads_to_the_same_place() {
    const HOST: &str = "https://tank.example";
    const OTHERS: [(&str, &str); 6] = [
        ("POST", "/login"),
        ("POST", "/logout"),
        ("POST", "/api/v1/sources/tank/poll"),
        ("POST", "/api/v1/alerts/tank_low/acknowledge?next=/source/tank"),
        ("DELETE", "/v/w"),
        ("GET", "/openapi.json"),
    ];
    let alerting = || {
        let RecordedSite { site, folder } = recorded_site("Cistern");
        let alerts = handle(view(vec![tank_is_low()]), no_past());
        RecordedSite { site: site.with_alerts(alerts, channels(Vec::new())), folder }
    };
    let (plain, open) = (alerting(), alerting());
    let locked = site_under(vec![tank()], rules());
    for folder in FOLDERS {
        let url = format!("{HOST}{folder}/");
        // The proxy removes its path or leaves it. In the first case the address need not be known.
        for (removes, address) in [(true, None), (true, Some(&*url)), (false, Some(&*url))] {
            publish(&open.site, address, Rules::default());
            publish(&locked, address, rules());
            let target =
                |path: &str| if removes { path.to_owned() } else { format!("{folder}{path}") };
            let mut seen = BTreeSet::new();
            for (method, path) in PAGES.map(|path| ("GET", path)).into_iter().chain(OTHERS) {
                for site in [&open.site, &locked] {
                    let sent = request(method, &target(path), &[BROWSER]);
                    let (_, response) = site.answer(&sent, now(), &Activity::default());
                    for reference in references(response) {
                        let link = resolved(&format!("{HOST}{folder}{path}"), &reference);
                        let inner = link.strip_prefix(&format!("{HOST}{folder}"));
                        // The address of a server has no slash at its end.
                        let is_within = |inner: &&str| inner.is_empty() || inner.starts_with('/');
                        let inner = inner.filter(is_within).unwrap_or_else(|| {
                            panic!("{address:?}, {method} {path}: {reference} leads to {link}")
                        });
                        seen.insert(inner.to_owned());
                    }
                }
            }
            assert!(seen.len() > 20, "{seen:?}");
            for inner in seen.iter().filter(|inner| !inner.is_empty()) {
                let method = if inner == "/logout" { "POST" } else { "GET" };
                let expected = answered(&plain.site, method, inner);
                assert_ne!(expected.0, NO_ROUTE, "{inner}");
                let found = answered(&open.site, method, &target(inner));
                assert_eq!(found, expected, "{address:?} {inner}");
            }
        }
    }
}

#[test]
fn next_page_of_events_is_a_path_that_the_server_and_its_proxy_serve() {
    const HOST: &str = "https://tank.example";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let happened = |kind: &EventKind| {
        let source = (*kind != EventKind::Started).then(|| "tank".into());
        Change::Happened(Event { at: now(), kind: *kind, source, detail: "503".into() })
    };
    import(&path, &TimeZone::UTC, EventKind::VARIANTS.iter().map(happened)).unwrap();
    let site = &site_with(vec![tank()], History::read_only(&path, TimeZone::UTC));
    let load = |target: &str| -> serde_json::Value {
        let response = get(site, target, &[]);
        assert_eq!(response.status(), 200, "{target}");
        serde_json::from_str(&drained(response)).unwrap()
    };
    let second = load("/api/v1/events?limit=1");
    assert!(second["next"].as_str().unwrap().starts_with("/api/v1/events?limit=1&before="));
    let second = load(second["next"].as_str().unwrap());
    for folder in [FOLDERS.as_slice(), &["/api/v1", "/source"]].concat() {
        publish(site, Some(&format!("{HOST}{folder}/")), Rules::default());
        for target in
            ["/api/v1/events?limit=1".to_owned(), format!("{folder}/api/v1/events?limit=1")]
        {
            let next = load(&target)["next"].as_str().unwrap().to_owned();
            let inner = next.strip_prefix(folder).unwrap();
            assert!(inner.starts_with("/api/v1/events?"), "{next}");
            // A script appends it to the address of the server; a client resolves it at the public one, and
            // the proxy removes the path or leaves it.
            assert_eq!(
                resolved(&format!("{HOST}{folder}{target}"), &next),
                format!("{HOST}{next}")
            );
            for requested in [&next, inner] {
                assert_eq!(load(requested)["events"], second["events"], "{requested}");
            }
        }
    }
}

/// Returns the response to a GET by a browser.
fn page(site: &Site, target: &str) -> String {
    drained(get(site, target, &[BROWSER]))
}

#[test]
fn one_rendering_serves_every_folder() {
    let url = "https://tank.example/pumphouse/";
    let site = published(site(vec![tank(), weather()]), url, Rules::default());
    for path in ["/", "/source/tank", "/a/b/c", "/login"] {
        assert_eq!(page(&site, path), page(&site, &format!("/pumphouse{path}")), "{path}");
    }
}

/// Returns the first reference to an absolute path: in an attribute, in `url()`, or as a text of a script.
fn absolute_path(text: &str) -> Option<&str> {
    let quotes = ["=\"", "='", "=", "url(", "url(\"", "url('", "\"", "'", "`", "url="];
    quotes.iter().find_map(|quote| {
        text.match_indices(&format!("{quote}/")).find_map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let begins_path = rest.starts_with(|sign: char| sign.is_ascii_alphanumeric());
            // The path to go to after sign-in, a path within the site that is no link.
            let before = text[..at].trim_end_matches('=');
            let is_next = before.ends_with("name=\"next\" value");
            let ends = rest.starts_with(['"', '\'', '`', '?', ')']) && *quote != "\"";
            let is_link = (begins_path || ends) && !is_next;
            is_link.then(|| &text[at..(at + 60).min(text.len())])
        })
    })
}

#[test]
fn page_file_and_picture_contain_no_absolute_path() {
    let states = vec![
        failing(stale(tank(), 9000), crate::board::ErrorKind::Dns, "no such name"),
        weather(),
        pump(),
        waiting("well", "json"),
    ];
    let recorded = recorded_site("Cistern");
    let locked = site_under(vec![tank()], rules());
    for site in [&site(states), &recorded.site, &locked] {
        let assets = &site.context.assets;
        let files = [&assets.style, &assets.script, &assets.readout, &assets.icon];
        let files = files.map(|asset| format!("/{}", asset.path));
        let pictures = ["/chart/tank.level.svg", "/chart/tank.level.svg?width=400&theme=dark"];
        let paths = PAGES.into_iter().chain(pictures).chain(files.iter().map(|path| &**path));
        for path in paths.chain(["/favicon.ico"]) {
            let body = page(site, path);
            assert_eq!(absolute_path(&body), None, "{path}");
        }
    }
}

#[test]
fn scan_finds_absolute_paths() {
    for text in [
        "<a href=\"/\">",
        "<a href=\"/source/tank\">",
        "<a href='/source/tank'>",
        "<a href=/source>",
        "<img srcset=\"/a.png 2x\">",
        "<form action=\"/?range=7d\">",
        "<meta content=\"5;url=/login\">",
        "a { background: url(/a.svg) }",
        "a { background: url(\"/a.svg\") }",
        "fetch('/api/v1/status')",
        "fetch(`/login?next=${page}`)",
        "new EventSource(\"/events\")",
    ] {
        assert!(absolute_path(text).is_some(), "{text}");
    }
    for text in ["<a href=\"./\">", "<input name=\"next\" value=\"/x\">", "a / b", "`${a}/${b}`"] {
        assert_eq!(absolute_path(text), None, "{text}");
    }
}

#[test]
fn path_without_its_last_slash_redirects_relatively() {
    for (url, target, location) in [
        ("https://tank.example/pumphouse/", "/pumphouse", "pumphouse/"),
        ("https://tank.example/pumphouse", "/pumphouse?range=7d", "pumphouse/?range=7d"),
        ("https://tank.example/a/b/", "/a/b", "b/"),
        ("https://tank.example/p%C3%BCmp/", "/p%C3%BCmp", "p%C3%BCmp/"),
        ("https://tank.example/a:b/", "/a:b", "./a:b/"),
    ] {
        let site = published(site_under(vec![tank()], rules()), url, rules());
        let response = get(&site, target, &[BROWSER]);
        assert_eq!((response.status().as_u16(), header(&response, "location")), (308, location));
    }
    let root = published(site(vec![tank()]), "https://tank.example/", Rules::default());
    assert_eq!(get(&root, "/", &[]).status(), 200);
    assert_eq!(get(&root, "/nowhere", &[]).status(), 404);
    assert_eq!(get(&root, "/%zz", &[]).status(), 400);
}

#[test]
fn path_that_begins_like_a_route_is_served_in_both_forms() {
    for (folder, inner) in [("/source", "/source/tank"), ("/login", "/login"), ("/api/v1", "/ping")]
    {
        let url = format!("https://tank.example{folder}/");
        let site = published(site(vec![tank()]), &url, Rules::default());
        for target in [inner.to_owned(), format!("{folder}{inner}"), format!("{folder}/")] {
            assert!(matches!(get(&site, &target, &[]).status().as_u16(), 200 | 303), "{target}");
        }
        assert_eq!(get(&site, &format!("{folder}/nowhere"), &[]).status(), 404, "{folder}");
    }
}

#[test]
fn prefix_that_a_client_claims_is_ignored() {
    let site = site(vec![tank()]);
    for target in ["/source/tank", "/a/b/nowhere", "/openapi.json"] {
        let plain = drained(get(&site, target, &[BROWSER]));
        for name in ["x-forwarded-prefix", "x-forwarded-host", "x-original-uri", "x-script-name"] {
            for value in ["/evil", "https://evil.example/", "\"><script>"] {
                let fields = [BROWSER, (name, value)];
                assert_eq!(drained(get(&site, target, &fields)), plain, "{target} {name}: {value}");
            }
        }
    }
}

#[test]
fn page_that_is_too_deep_for_links_is_a_problem_in_json() {
    let site = site_under(vec![tank()], rules());
    let longest = page(&site, &"/a".repeat(200));
    assert!(longest.contains("<form") && longest.len() < 16_000, "{}", longest.len());
    let deeper = get(&site, &"/".repeat(8000), &[BROWSER]);
    assert_eq!(header(&deeper, "content-type"), "application/problem+json");
    assert!(deeper.headers()[CONTENT_TYPE] == "application/problem+json");
}

#[test]
fn form_is_only_where_the_root_of_the_site_is_certain() {
    let locked = site_under(vec![tank()], rules());
    for (url, target, has_form) in [
        (None, "/", true),
        (None, "/source/tank", true),
        (None, "/source/none", true),
        (None, "/nowhere/a/b/", true),
        (None, "/a?b=//c%2Fd", true),
        (None, "/source%2Ftank", false),
        (None, "/source%5Ctank", false),
        (None, "//source/tank", false),
        (None, "/source//tank", false),
        (Some("/pumphouse/"), "/pumphouse/", true),
        (Some("/pumphouse/"), "/pumphouse/source/tank", true),
        (Some("/pumphouse/"), "/%70umphouse/source/tank", true),
        (Some("/pumphouse/"), "/pumphouse/nowhere/a", true),
        (Some("/pumphouse/"), "/source/tank", true),
        (Some("/pumphouse/"), "/nowhere/a", true),
        (Some("/pumphouse/"), "/pumphouses/a", true),
        (Some("/pumphouse/"), "/pumphouse%2Fsource/tank", false),
        (Some("/pumphouse/"), "/pumphouse%2flogin", false),
        (Some("/pumphouse/"), "/pumphouse/source%2Ftank", false),
        (Some("/pumphouse/"), "//pumphouse/source/tank", false),
        (Some("/pumphouse/"), "/pumphouse//source/tank", false),
        // Caddy compares paths without case.
        (Some("/pumphouse/"), "/Pumphouse/source/tank", false),
        (Some("/pumphouse/"), "/%50umphouse/login", false),
        (Some("/P%C3%BCmp/"), "/p%C3%9Cmp/login", false),
    ] {
        let url = url.map(|path| format!("https://tank.example{path}"));
        publish(&locked, url.as_deref(), rules());
        let response = get(&locked, target, &[BROWSER]);
        assert_eq!(response.status(), 401, "{target}");
        let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, ["Bearer realm=\"Pumphouse\""], "a dialog opens: {target}");
        let body = drained(response);
        assert_eq!(body.contains("<form"), has_form, "{url:?} {target}");
        assert!(has_form || body.contains("requires an account"), "{body}");
    }
}

#[test]
fn document_names_the_public_address_or_its_own_folder() {
    let server = |site: &Site| {
        let json: serde_json::Value = serde_json::from_str(&page(site, "/openapi.json")).unwrap();
        json["servers"][0]["url"].as_str().unwrap().to_owned()
    };
    let site = site(vec![tank()]);
    assert_eq!(server(&site), ".");
    for (url, expected) in [
        ("https://tank.example/pumphouse/", "https://tank.example/pumphouse"),
        ("https://tank.example", "https://tank.example"),
    ] {
        let site_url: Option<SiteUrl> = Some(url.parse().unwrap());
        site.context.gate.replace(Rules { site_url, ..Rules::default() });
        assert_eq!(server(&site), expected);
    }
    site.context.gate.replace(Rules::default());
    assert_eq!(server(&site), ".");
}
