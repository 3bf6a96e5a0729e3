//! The overview of many sources.

use super::html;
use crate::board::{ErrorKind, SourceView};
use crate::engine::{Activity, Body, Response};
use crate::site::Site;
use crate::site::fixture::{at, failing, get, pump, request, site, stale, tank, text, waiting};

/// Returns sources in the groups `north/ridge`, `south` and none.
fn fleet(count: usize) -> Vec<SourceView> {
    let source = |number: usize| SourceView {
        name: format!("tank_{number:04}").into(),
        title: format!("Tank {number}").into(),
        group: [None, Some("north/ridge"), Some("south")][number % 3].map(Into::into),
        ..tank()
    };
    (0..count).map(source).collect()
}

/// Returns the names of the rows, in their order.
fn rows(html: &str) -> Vec<&str> {
    let rows = html.split("<tr class=\"row\" data-key=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap()).collect()
}

fn page<'r>(response: &'r Response, target: &str) -> &'r str {
    assert_eq!(response.status(), 200, "{target}");
    text(response)
}

#[test]
fn more_than_twelve_sources_are_an_overview() {
    let few = html(fleet(12));
    assert!(few.contains("class=\"cards\"") && rows(&few).is_empty());
    let many = html(fleet(13));
    assert!(!many.contains("class=\"cards\""));
    assert_eq!(rows(&many).len(), 13);
    assert!(!many.contains("aria-label=\"Pages\""));
}

#[test]
fn one_stale_source_among_a_thousand_is_on_top_with_its_age() {
    let mut sources = fleet(1000);
    sources[777] = SourceView { state: sources[777].state, ..stale(sources[777].clone(), 7200) };
    sources[5] = failing(sources[5].clone(), ErrorKind::Timeout, "no answer within 10 s");
    let html = html(sources);
    let rows = rows(&html);
    assert_eq!(
        (rows.len(), rows[0], rows[1], rows[2]),
        (100, "tank_0777", "tank_0005", "tank_0000")
    );
    for words in [
        "<title>1 stale, 1 failing · Pumphouse</title>",
        "data-total=\"1000\" data-stale=\"1\"",
        "1 of 1000 stale",
        ">2 hours 4 minutes ago</time>",
        "No answer in time, for <time",
        ">1–100 of 1,000<",
        "rel=\"next\" href=\"./?page=2\"",
        "Level <b>85%</b>",
    ] {
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
    let age = html.matches("data-age=\"ago\"").count();
    assert!(age >= 100, "each row has its age: {age}");
}

#[test]
fn pages_filters_and_words_select_rows_and_links_keep_them() {
    let mut sources = fleet(250);
    for number in [3, 6, 9] {
        sources[number] = stale(sources[number].clone(), 7200);
    }
    let site = site(sources);
    for (target, first, count) in [
        ("/?page=3", "tank_0200", 50),
        ("/?page=99", "tank_0200", 50),
        ("/?page=0", "tank_0003", 100),
        ("/?page=x", "tank_0003", 100),
        ("/?state=stale", "tank_0003", 3),
        ("/?state=fresh&page=2", "tank_0103", 100),
        ("/?q=TANK+24", "tank_0024", 13),
        ("/?q=tank%2024&state=", "tank_0024", 13),
        ("/group/north/ridge", "tank_0001", 83),
        ("/group/north", "tank_0001", 83),
        ("/group/south?q=tank+2", "tank_0002", 30),
        ("/?group=south&state=fresh", "tank_0002", 83),
    ] {
        let response = get(&site, target, &[]);
        let rows = rows(page(&response, target));
        assert_eq!(rows.first(), Some(&first), "{target}");
        assert_eq!(rows.len(), count, "{target}");
    }
    let response = get(&site, "/group/north/ridge?q=tank+1&state=fresh", &[]);
    let html = page(&response, "group");
    for words in [
        "href=\"../../group/north/ridge?state=stale&amp;q=tank%201\"",
        "href=\"../../group/north/ridge?q=tank%201\"",
        "href=\"../../source/tank_0001\"",
        "<a href=\"../../\">All sources</a>",
        "<a href=\"../../group/north\">north</a>",
        "<h2>ridge</h2>",
        "name=\"q\" value=\"tank 1\"",
        "type=\"hidden\" name=\"state\" value=\"fresh\"",
    ] {
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
    let response = get(&site, "/", &[]);
    let html = page(&response, "/");
    for words in
        ["<a href=\"./group/north\">north</a><span>83 fresh</span>", "href=\"./group/south\""]
    {
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
    assert!(get(&site, "/?q=nothing", &[]).status() == 200);
    assert!(text(&get(&site, "/?q=nothing", &[])).contains("No source matches."));
    for target in
        ["/group/nowhere", "/group/nor", "/group/north/", "/group/", "/group/north%2Fridge"]
    {
        assert_eq!(get(&site, target, &[]).status(), 404, "{target}");
    }
}

#[test]
fn texts_of_the_overview_are_escaped() {
    let mut sources = fleet(12);
    let mut hostile = SourceView { title: "<script>'\"&".into(), ..pump() };
    hostile.reading.as_mut().unwrap().values =
        vec![("mode".into(), crate::board::Value::text("<img src=x>"))];
    sources.push(failing(hostile, ErrorKind::Decode, "<b>bold</b>"));
    sources.push(waiting("silent", "json"));
    let site = site(sources);
    let html = get(&site, "/?q=", &[]);
    let html = text(&html);
    assert!(html.contains("&lt;script&gt;") && html.contains("&lt;img src=x&gt;"), "{html}");
    for forbidden in ["<script>'", "<img", "<b>bold"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("class=\"absent\">never<"));
    let searched = get(&site, "/?q=%22%3E%3Cscript%3E", &[]);
    assert!(text(&searched).contains("value=\"&quot;&gt;&lt;script&gt;\""), "{}", text(&searched));
}

/// Returns the address of the bytes of a page at a time.
fn address(site: &Site, target: &str, seconds: i64) -> *const u8 {
    let (_, response) =
        site.answer(&request("GET", target, &[]), at(seconds), &Activity::default());
    match response.into_body() {
        Body::Full(bytes) => bytes.as_ptr(),
        Body::Stream(_) => panic!("it is streamed"),
    }
}

#[test]
fn overview_is_rendered_once_a_second_for_each_query() {
    let site = site(fleet(40));
    for target in ["/", "/?q=tank", "/?page=2", "/group/north", "/?state=stale"] {
        let first = address(&site, target, 1);
        assert_eq!(address(&site, target, 1), first, "{target}");
    }
    assert_eq!(site.context.pages.renderings(), 5);
    address(&site, "/", 2);
    assert_eq!(site.context.pages.renderings(), 6);
    for number in 0..500 {
        address(&site, &format!("/?q=tank+{number}"), 3);
    }
    assert!(site.context.pages.bytes() <= 8 << 20);
}
