use std::sync::Arc;

use jiff::SignedDuration;

use super::cache::Kept;
use super::dashboard::dashboard_html;
use super::source::render_source;
use super::view::View;
use crate::board::{ErrorKind, SourceView, Value};
use crate::engine::{Activity, Body, Response};
use crate::site::chart::Range;
use crate::site::content::Content;
use crate::site::context::RouteRequest;
use crate::site::fixture::{
    at, failing, get, now, pump, request, site, stale, tank, text, values, waiting, weather,
};
use crate::units::Unit;

fn html(sources: Vec<SourceView>) -> String {
    text(&get(&site(sources), "/", &[])).to_owned()
}

fn tank_at(level: Value) -> SourceView {
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([("level", level)]);
    source
}

#[test]
fn what_a_page_says() {
    let percent = |level| vec![tank_at(Value::number(level, Unit::Percent))];
    let no_level = Value::missing(Some(Unit::Percent), "the page had no level");
    let mut inferred = tank();
    inferred.reading.as_mut().unwrap().observed.inferred = true;
    let timeout = |source| failing(source, ErrorKind::Timeout, "no answer within 10 s");
    let table: Vec<(Vec<SourceView>, &[&str], &[&str])> = vec![
        (
            vec![tank(), weather()],
            &[
                "<title>85 % · Pumphouse</title>",
                ">85<",
                ">1,185<",
                ">gallons<",
                "All 2 readings are fresh",
                "Observed <time datetime=\"2026-01-31T17:16:00Z\" data-age=\"ago\" \
                 title=\"Saturday, 31 January 2026, 17:16:00 UTC\">4 minutes ago</time>",
                ">just now</time>",
                "Partly cloudy",
                "Wind from NW",
                "the station sent null",
            ],
            &["STALE", "Low level", "Very low", "class=\"failing\""],
        ),
        (percent(25.0), &["Low level"], &["Very low"]),
        (percent(25.1), &[], &["Low level", "Very low"]),
        (percent(10.0), &["Very low"], &["Low level"]),
        (percent(0.0), &["<title>0 % ·", ">0<", "Very low"], &[]),
        (percent(104.0), &["<title>104 % ·", ">104<"], &[]),
        (
            vec![tank_at(no_level)],
            &["<title>Pumphouse</title>", "Level unknown", "No reading: the page had no level"],
            &["<title>0", "Very low", "Low level"],
        ),
        (
            vec![timeout(stale(tank(), 10_800)), pump()],
            &[
                "<title>85 % (stale) · Pumphouse</title>",
                "1 of 2 stale",
                "1 failing to update",
                "<strong>STALE</strong> — ",
                ">3 hours</time> old",
                ">3 hours 4 minutes ago</time>",
                ">85<",
                "No answer in time",
                "<code>timeout</code> no answer within 10 s",
                ">21 minutes</time>, 5 tries in a row.",
                "The values are the last good ones.",
            ],
            &[],
        ),
        (
            vec![timeout(waiting("tank", "ptlevel")), waiting("weather", "nws")],
            &["Waiting for 2 of 2", "No reading yet", "No answer in time", ">Waiting<"],
            &["last good ones", "STALE"],
        ),
        (vec![inferred], &["(time estimated)"], &[]),
        (vec![tank()], &["The reading is fresh"], &["(time estimated)"]),
        (vec![], &["Nothing to watch yet", "<title>Pumphouse</title>"], &["summary"]),
    ];
    for (sources, said, unsaid) in table {
        let html = html(sources);
        for words in said {
            assert!(html.contains(words), "{words:?} is not in {html}");
        }
        for words in unsaid {
            assert!(!html.contains(words), "{words:?} is in {html}");
        }
    }
}

#[test]
fn a_certificate_that_expires_soon_is_told_without_its_names() {
    for (days, expected) in [
        (None, ""),
        (Some(13), "certificate expires in 13 days;"),
        (Some(1), "certificate expires in 1 day;"),
        (Some(0), "certificate expires within a day;"),
        (Some(-1), "certificate has expired;"),
    ] {
        let site = site(vec![tank()]).with_expiry(Box::new(move |_| days));
        let page = text(&get(&site, "/", &[])).to_owned();
        assert_eq!(page.contains("certificate"), days.is_some(), "{days:?}");
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
}

#[test]
fn what_upstreams_and_operators_write_stays_text() {
    const EVIL: &str = "<script>alert('x')</script>\"><img src=x onerror=y>";
    let mut source = pump();
    source.title = EVIL.into();
    source.reading.as_mut().unwrap().values =
        values([("mode", Value::text(EVIL)), ("gone", Value::missing(None, EVIL))]);
    let source = failing(source, ErrorKind::Decode, EVIL);
    let mut sky = weather();
    sky.reading.as_mut().unwrap().values = values([("conditions", Value::text(EVIL))]);
    let html = html(vec![source, sky]);
    assert!(!html.contains("alert('x')</script>") && !html.contains("<img"), "{html}");
    assert_eq!(html.matches("&lt;script&gt;").count(), 5, "{html}");
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    let sources = vec![stale(tank(), 9000), weather(), pump(), waiting("well", "json")];
    let site = site(sources);
    let error = get(&site, "/nowhere", &[("accept", "text/html")]);
    let dashboard = get(&site, "/", &[]);
    for html in [text(&dashboard), text(&error)] {
        for forbidden in
            ["style=", "<style", "onclick", "onload", "javascript:", "http://", "https://", "//"]
        {
            assert!(!html.contains(forbidden), "{forbidden} is in {html}");
        }
        for (start, _) in html.match_indices("<script") {
            assert!(html[start..].starts_with("<script defer src=\"/assets/script."), "{html}");
        }
        for (start, _) in html.match_indices("<use") {
            let id = html[start..].split('"').nth(1).unwrap().trim_start_matches('#');
            assert!(html.contains(&format!("<symbol id=\"{id}\"")), "{id} is not drawn");
        }
    }
    assert!(
        text(&dashboard)
            .contains("<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>")
    );
    assert!(!text(&error).contains("<script"));
}

#[test]
fn ids_are_unique_though_there_are_two_tanks() {
    let mut other = tank();
    other.name = "other".into();
    let html = html(vec![tank(), other, weather(), pump()]);
    let mut ids: Vec<&str> =
        html.match_indices(" id=\"").filter_map(|(at, _)| html[at..].split('"').nth(1)).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn the_page_changes_with_the_minute_and_not_with_the_second() {
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

#[test]
fn a_second_is_rendered_once() {
    let site = site(vec![tank()]);
    let snapshot = site.context.snapshot();
    let half = SignedDuration::from_millis(500);
    let page = |now| {
        let view = View {
            context: &site.context,
            snapshot: &snapshot,
            now,
            range: Range::Day,
            by_session: false,
        };
        let cache = &site.context.dashboards;
        let render = || cache.store(view.variant(), dashboard_html(&view));
        cache.current(view.variant()).unwrap_or_else(render)
    };
    let first = page(now());
    assert!(Arc::ptr_eq(&first, &page(now() + half)));
    let later = page(at(1));
    assert!(!Arc::ptr_eq(&first, &later));
    let much_later = page(at(2));
    let address = |kept: &Kept| kept.page.identity.body.as_ptr();
    assert_eq!(address(&later), address(&much_later), "the same words are the same bytes");
}

/// Address of a response's bytes: responses that share a rendering share it.
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
    assert_eq!(site.context.source_pages.renderings(), 1);
    // The words change with the minute; until then the bytes are the same.
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
    let request = request("GET", "/source/tank", &[]);
    let page = |by_session: bool| {
        let request = RouteRequest { http: &request, parameter: "tank", now: now(), by_session };
        match render_source(&site.context, &request).unwrap() {
            Content::Representation(page) => page.rendered.identity.body,
            Content::Response(_) => panic!("a page can be cached"),
        }
    };
    let has_button =
        |by_session| std::str::from_utf8(&page(by_session)).unwrap().contains("Sign out");
    for _ in 0..2 {
        assert!(!has_button(false));
        assert!(has_button(true));
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
    assert_eq!(site.context.source_pages.renderings(), 1);
    // The clock was set back since.
    let kept = page(100);
    assert_ne!(address(&page(5)), address(&kept));
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
        let one = site.answer(&request, at(seconds), &Activity::default()).1;
        assert_eq!(
            address(&site.answer(&request, at(seconds), &Activity::default()).1),
            address(&one)
        );
        assert!(site.context.source_pages.bytes() <= 8 << 20);
    }
    assert!(site.context.source_pages.bytes() > 4 << 20);
    let request = request("GET", "/source/tank0", &[]);
    site.answer(&request, at(3600), &Activity::default());
    assert!(site.context.source_pages.bytes() < 1 << 20, "those of an hour ago are dropped");
}

#[test]
fn a_tank_says_where_it_goes() {
    let number = |number, unit| Value::number(number, unit);
    let derived = |rate: f64| {
        values([
            ("volume_rate", number(rate, Unit::UsGallonPerHour)),
            ("volume_change_1h", number(-13.0, Unit::UsGallon)),
            ("volume_change_24h", number(540.0, Unit::UsGallon)),
            ("time_to_empty", number(75.0, Unit::Hour)),
            ("time_to_full", Value::missing(Some(Unit::Hour), "it is not rising")),
            ("last_refill", Value::text("2026-01-31T12:20:00Z")),
            ("last_refill_amount", number(842.0, Unit::UsGallon)),
        ])
    };
    for (rate, said) in [
        (-12.8, "<strong>Falling</strong> 12.8 gal/h, empty in 3 days"),
        (12.8, "<strong>Rising</strong> 12.8 gal/h"),
        (0.0, "<strong>Steady</strong>"),
    ] {
        let mut source = tank();
        source.reading.as_mut().unwrap().derived = derived(rate);
        let html = html(vec![source]);
        for words in [
            said,
            "<span class=\"delta\">−13 gal</span> in 1 h",
            "<span class=\"delta\">+540 gal</span> in 24 h",
            "Filled <time datetime=\"2026-01-31T12:20:00Z\"",
            ">5 hours ago</time> by 842 gal",
        ] {
            assert!(html.contains(words), "{words} is not in {html}");
        }
        assert!(!html.contains("Time to empty"), "what is said in words is no tile: {html}");
    }
    let mut young = tank();
    young.reading.as_mut().unwrap().derived = derived(1.0)
        .into_iter()
        .map(|(name, value)| (name, Value::missing(value.unit, "too few observations yet")))
        .collect();
    assert!(!html(vec![young]).contains("class=\"trend\""));
}

#[test]
fn a_source_shows_what_it_is_configured_to() {
    let mut source = pump();
    source.show = ["mode".into(), "battery".into(), "gone".into()].into();
    let html = html(vec![source]);
    let at = |words: &str| html.find(words);
    assert!(at(">Mode<").unwrap() < at("</svg>Battery<").unwrap(), "{html}");
    assert_eq!(at("Motor temperature"), None);
}

#[test]
fn cards_of_every_kind_show_what_they_are_configured_to() {
    let derived = || {
        values([
            ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
            ("volume_change_1h", Value::number(-13.0, Unit::UsGallon)),
            ("time_to_empty", Value::number(75.0, Unit::Hour)),
            ("time_to_full", Value::missing(Some(Unit::Hour), "it is not rising")),
            ("last_refill", Value::text("2026-01-31T12:20:00Z")),
            ("last_refill_amount", Value::number(842.0, Unit::UsGallon)),
        ])
    };
    let of_tank = |show: &[&str]| {
        let mut source = tank();
        source.reading.as_mut().unwrap().derived = derived();
        source.show = show.iter().map(|&name| name.into()).collect();
        html(vec![source])
    };
    let of_weather = |show: &[&str]| {
        let mut source = weather();
        source.show = show.iter().map(|&name| name.into()).collect();
        html(vec![source])
    };
    let (level, volume, depth) = ("<p class=\"level\">", "<p class=\"volume\">", "Depth<");
    let (drawing, going) = ("class=\"drawing", "<strong>Falling</strong> 12.8 gal/h");
    let (change, empty, filled) = ("in 1 h", "empty in 3 days", "Filled ");
    let all = [level, volume, depth, drawing, going, change, empty, filled];
    for (show, shown) in [
        (&[][..], &all[..]),
        (&["level"], &[level, drawing]),
        (&["volume", "depth"], &[volume, depth]),
        (&["depth", "volume_rate"], &[depth, going]),
        (&["level", "time_to_empty"], &[level, drawing, empty]),
        (&["volume", "volume_change_1h", "last_refill"], &[volume, change, filled]),
    ] {
        let html = of_tank(show);
        for words in all {
            assert_eq!(html.contains(words), shown.contains(&words), "{words} by {show:?}: {html}");
        }
        let in_tab = html.contains("<title>85 %");
        assert_eq!(in_tab, shown.contains(&level), "the tab shows no more than the card");
    }
    // What was asked for by name and is not there says why.
    assert!(of_tank(&["time_to_full"]).contains("it is not rising"));
    let (degrees, sky, vane) = ("<p class=\"temperature\">", "Partly cloudy", "Wind from");
    let (rain, humidity) = ("</svg>Rain<", "</svg>Humidity<");
    let all = [degrees, sky, vane, rain, humidity];
    for (show, shown) in [
        (&[][..], &all[..]),
        (&["temperature"], &[degrees]),
        (&["weather_code", "rain"], &[sky, rain]),
        (&["rain", "humidity", "wind_direction"], &[rain, humidity, vane]),
    ] {
        let html = of_weather(show);
        for words in all {
            assert_eq!(html.contains(words), shown.contains(&words), "{words} by {show:?}: {html}");
        }
    }
    let turned = of_weather(&["rain", "humidity"]);
    assert!(turned.find(rain) < turned.find(humidity), "in the order of the configuration");
}

#[test]
fn trends_stand_on_cards_of_any_kind() {
    let mut source = pump();
    let reading = source.reading.as_mut().unwrap();
    reading.values = values([("volume", Value::number(700.0, Unit::UsGallon))]);
    reading.derived = values([
        ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
        ("time_to_empty", Value::number(75.0, Unit::Hour)),
        ("battery_change_24h", Value::number(-0.4, Unit::Volt)),
    ]);
    let mut sky = weather();
    sky.reading.as_mut().unwrap().derived =
        values([("temperature_change_24h", Value::number(6.0, Unit::Fahrenheit))]);
    let html = html(vec![source, sky]);
    for words in [
        "<strong>Falling</strong> 12.8 gal/h, empty in 3 days",
        "<span>Battery</span></li><li><span class=\"delta\">−0.4 V</span> in 24 h",
        "<span>Temperature</span></li><li><span class=\"delta\">+6 °F</span> in 24 h",
    ] {
        assert!(html.contains(words), "{words} is not in {html}");
    }
    assert!(!html.contains("as of"), "{html}");
}

#[test]
fn an_old_forecast_says_of_when_it_is() {
    let mut source = tank();
    source.reading.as_mut().unwrap().derived = values([
        ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
        ("time_to_empty", Value::number(75.0, Unit::Hour)),
    ]);
    let html = html(vec![stale(source, 10_800)]);
    let (_, after) = html.split_once("empty in 3 days").unwrap();
    assert!(after.starts_with("</span><span class=\"then\">as of <time"), "{html}");
    assert!(after.contains(">3 hours 4 minutes ago</time></span>"), "{html}");
}
