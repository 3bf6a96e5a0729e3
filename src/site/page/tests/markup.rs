//! Markup that is safe: escaped texts, no inline code, unique ids.

use super::html;
use crate::board::{ErrorKind, Value};
use crate::site::fixture::{failing, get, pump, site, stale, tank, text, values, waiting, weather};

#[test]
fn texts_of_upstreams_and_operators_are_escaped() {
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
    assert_eq!(html.matches("&lt;script&gt;").count(), 6, "{html}");
}

#[test]
fn page_has_nothing_inline_and_loads_only_own_files() {
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
        assert!(html.contains("<meta name=\"robots\" content=\"noindex\">"), "{html}");
        for (start, _) in html.match_indices("<script") {
            let path = html[start..].strip_prefix("<script defer src=\"").unwrap();
            let path = path.split('"').next().unwrap();
            assert!(path.starts_with("./assets/"), "{html}");
            assert_eq!(get(&site, &path[1..], &[]).status(), 200, "{path}");
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
fn ids_of_two_tanks_are_unique() {
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
fn every_page_has_a_description() {
    let description = |html: &str| {
        let (_, rest) = html.split_once("<meta name=\"description\" content=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let mut other = pump();
    other.name = "other".into();
    for (sources, expected) in [
        (vec![], "No source is configured."),
        (vec![tank()], "Readings of Cistern, their age and their history."),
        (
            vec![tank(), weather()],
            "Readings of Cistern and At the ridge, their age and their history.",
        ),
        (
            vec![tank(), weather(), pump(), other],
            "Readings of Cistern, At the ridge, Booster pump and others, their age and their history.",
        ),
    ] {
        assert_eq!(description(&html(sources)), expected);
    }
    let site = site(vec![tank()]);
    for (path, expected) in [
        ("/source/tank", "Readings of Cistern, their age and their history."),
        // Visitors without an account may see it.
        ("/nowhere", "Readings of water systems, their age and their history."),
    ] {
        let page = get(&site, path, &[("accept", "text/html")]);
        assert_eq!(description(text(&page)), expected, "{path}");
    }
}

#[test]
fn links_between_pages_keep_the_range() {
    let site = site(vec![tank(), weather()]);
    for (query, kept) in
        [("", ""), ("?range=24h", ""), ("?range=7d", "?range=7d"), ("?range=x", "")]
    {
        let dashboard = get(&site, &format!("/{query}"), &[]);
        for source in ["tank", "weather"] {
            let link = format!("href=\"./source/{source}{kept}\"");
            assert!(text(&dashboard).contains(&link), "{query}: {link}");
        }
        let page = get(&site, &format!("/source/tank{query}"), &[]);
        let link = format!("<a href=\"../{kept}\">All readings</a>");
        assert!(text(&page).contains(&link), "{query}: {link}");
    }
}
