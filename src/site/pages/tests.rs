//! Caching of pages, and the charts in them.

use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, ETAG};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::access::Role;
use crate::board::Value;
use crate::engine::{Activity, Body, Request, Response};
use crate::history::History;
use crate::site::chart::fixture::recorded_site;
use crate::site::fixture::{at, get, now, request, site, site_with, tank, text, weather};

#[test]
fn page_changes_with_the_minute_and_not_with_the_second() {
    let site = site(vec![tank()]);
    let etag = |seconds: i64| {
        let (_, response) =
            site.answer(&request("GET", "/", &[]), at(seconds), &Activity::default());
        response.headers()["etag"].clone()
    };
    // The tank was observed 240 s and fetched 59 s before `now`.
    let first = etag(1);
    assert_eq!(etag(2), first);
    assert_eq!(etag(59), first);
    assert_ne!(etag(60), first);
    assert_ne!(etag(0), first);
    // Stale from 960 s on, though the board has not published that yet.
    let (_, response) = site.answer(&request("GET", "/", &[]), at(960), &Activity::default());
    assert!(text(&response).contains("STALE"));
}

fn route_request<'a>(
    http: &'a Request,
    parameter: &'a str,
    now: Timestamp,
    by_session: bool,
) -> RouteRequest<'a> {
    RouteRequest { http, parameter, now, by_session, role: Role::Reader, account: None }
}

#[test]
fn dashboard_is_rendered_once_a_second() {
    let site = site(vec![tank()]);
    let half = SignedDuration::from_millis(500);
    let page = |now: Timestamp| {
        let http = request("GET", "/", &[]);
        let request = route_request(&http, "", now, false);
        render_dashboard(&site.context, &request).unwrap();
        let moment = moment(&site.context, &site.context.snapshot(), &request);
        site.context.dashboards.get(variant(&request), moment).unwrap()
    };
    let first = page(now());
    assert!(Arc::ptr_eq(&first, &page(now() + half)));
    let later = page(at(1));
    assert!(!Arc::ptr_eq(&first, &later));
    let much_later = page(at(2));
    let (later, much_later) = (&later.page.identity.body, &much_later.page.identity.body);
    assert_eq!(later.as_ptr(), much_later.as_ptr(), "a page without a change keeps its bytes");
}

/// Returns the address of a response's bytes, which is the same if responses share a rendering.
fn address(response: &Response) -> *const u8 {
    match response.body() {
        Body::Full(bytes) => bytes.as_ptr(),
        Body::Stream(_) => panic!("it is streamed"),
    }
}

#[test]
fn source_page_is_rendered_once_a_second_and_shared() {
    let site = site(vec![tank(), weather()]);
    let get = |method: &str, target: &str, seconds: i64, fields: &[(&str, &str)]| {
        let request = request(method, target, fields);
        site.answer(&request, at(seconds), &Activity::default()).1
    };
    let first = get("GET", "/source/tank", 0, &[]);
    for target in ["/source/tank", "/source/tank?range=24h", "/source/tank?any=thing"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(address(&get(method, target, 0, &[])), address(&first), "{target}");
        }
    }
    let gzip = [("accept-encoding", "gzip")];
    let packed = get("GET", "/source/tank", 0, &gzip);
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(address(&get("GET", "/source/tank", 0, &gzip)), address(&packed));
    let tag = first.headers()["etag"].to_str().unwrap();
    assert_eq!(get("GET", "/source/tank", 0, &[("if-none-match", tag)]).status(), 304);
    assert_eq!(site.context.pages.renderings(), 1);
    // Ages change with the minute; until then the bytes are the same.
    assert_eq!(
        address(&get("GET", "/source/tank", 1, &[])),
        address(&get("GET", "/source/tank", 2, &[]))
    );
    assert_ne!(text(&get("GET", "/source/tank", 61, &[])), text(&first));
    for other in ["/source/weather", "/source/tank?range=7d"] {
        assert_ne!(address(&get("GET", other, 0, &[])), address(&first), "{other}");
    }
    assert_eq!(get("GET", "/source/other", 0, &[]).status(), 404);
}

#[test]
fn source_pages_with_and_without_a_session_are_kept_apart() {
    let site = site(vec![tank()]);
    let http = request("GET", "/source/tank", &[]);
    let page = |by_session: bool| {
        let request = route_request(&http, "tank", now(), by_session);
        match render_source(&site.context, &request).unwrap() {
            Content::Representation(page) => page.rendered.identity.body.clone(),
            Content::Response(_) => panic!("it is no page"),
        }
    };
    let has_button = |page: &[u8]| std::str::from_utf8(page).unwrap().contains("Sign out");
    for _ in 0..2 {
        assert!(!has_button(&page(false)));
        assert!(has_button(&page(true)));
    }
    assert_eq!(page(true).as_ptr(), page(true).as_ptr());
}

#[test]
fn request_that_waited_gets_the_rendering_of_a_later_one() {
    let site = site(vec![tank()]);
    let page = |seconds: i64| {
        let request = request("GET", "/source/tank", &[]);
        site.answer(&request, at(seconds), &Activity::default()).1
    };
    let later = page(5);
    assert_eq!(address(&page(0)), address(&later));
    assert_eq!(site.context.pages.renderings(), 1);
    // The clock was set back since.
    let newest = page(100);
    assert_ne!(address(&page(5)), address(&newest));
}

#[test]
fn kept_source_pages_are_bounded() {
    let mut source = tank();
    let long = "x".repeat(600 << 10);
    source.reading.as_mut().unwrap().values.push(("words".into(), Value::text(long)));
    let sources: Vec<SourceView> = (0..20)
        .map(|number| SourceView { name: format!("tank{number}").into(), ..source.clone() })
        .collect();
    let site = site(sources);
    for seconds in 0..20 {
        let target = format!("/source/tank{seconds}");
        let request = request("GET", &target, &[]);
        let first = site.answer(&request, at(seconds), &Activity::default()).1;
        assert_eq!(
            address(&site.answer(&request, at(seconds), &Activity::default()).1),
            address(&first)
        );
        assert!(site.context.pages.bytes() <= 8 << 20);
    }
    assert!(site.context.pages.bytes() > 4 << 20);
    let request = request("GET", "/source/tank0", &[]);
    site.answer(&request, at(3600), &Activity::default());
    assert!(site.context.pages.bytes() < 1 << 20, "pages of an hour ago are dropped");
}

#[test]
fn page_shows_charts_with_their_numbers() {
    let recorded = recorded_site("<Cistern>");
    let site = &recorded.site;
    // Depth and volume are part of the reading, but were not recorded.
    for (path, charts) in [("/", 2), ("/source/tank", 2), ("/source/tank?range=30d", 2)] {
        let response = get(site, path, &[]);
        let html = text(&response);
        assert_eq!(html.matches("<svg class=\"chart ").count(), charts, "{path}: {html}");
        assert!(html.contains("of &lt;Cistern&gt;"), "{html}");
        assert!(!html.contains("http:"), "an inline chart needs no namespace");
        assert_eq!(
            html.matches("<details class=\"numbers\" id=\"numbers-tank-level\">").count(),
            1
        );
        assert!(html.contains("<th scope=\"col\">Most (%)</th>"), "{path}: {html}");
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
    }
    let response = get(site, "/source/tank", &[]);
    let html = text(&response);
    assert!(html.contains("Sat 31, 17:00</th>"), "{html}");
    let summary = "Recording since 17:16. The chart appears after the first hour.";
    assert_eq!(html.matches(summary).count(), 2, "of depth and volume: {html}");
    // A picture is one in any case.
    let picture = get(site, "/chart/tank.volume.svg", &[]);
    assert!(text(&picture).contains(">1,185 gal</text>"), "{}", text(&picture));
    let week = get(site, "/?range=7d", &[]);
    assert!(text(&week).contains("href=\"?range=7d\" aria-current=\"true\""));
    assert_eq!(get(site, "/source/well", &[]).status(), 404);
}

#[test]
fn page_has_no_charts_without_a_history_and_a_message_while_it_cannot_be_read() {
    let off = site(vec![tank()]);
    let response = get(&off, "/", &[]);
    assert!(!text(&response).contains("class=\"chart") && !text(&response).contains("ranges"));
    let gone = History::read_only("/nowhere/p.db".as_ref(), TimeZone::UTC);
    let errors = gone.clone();
    let gone = site_with(vec![tank()], gone);
    let response = get(&gone, "/source/tank", &[]);
    assert_eq!(response.status(), 200);
    assert!(text(&response).contains("The history cannot be read at the moment."));
    assert_eq!(errors.errors(), 1, "all charts of the page cost one attempt");
    let again = get(&gone, "/", &[]);
    assert!(text(&again).contains("The history cannot be read at the moment."));
    assert_eq!(errors.errors(), 1, "and no further attempt for a moment");
}

#[test]
fn page_with_charts_keeps_its_entity_tag_for_the_time_of_a_pixel() {
    let recorded = recorded_site("Cistern");
    let site = &recorded.site;
    let tag = |path, seconds| {
        let request = request("GET", path, &[]);
        let at = at(seconds);
        let (_, response) = site.answer(&request, at, &Activity::default());
        response.headers()[ETAG].clone()
    };
    for path in ["/", "/source/tank"] {
        assert_eq!(tag(path, 1), tag(path, 2), "{path}");
        assert_eq!(tag(path, 1), tag(path, 30), "{path}");
    }
}
