//! Selections and pages of many sources in the API.

use serde_json::{Value as Json, json};

use super::parsed;
use crate::board::{ErrorKind, SourceView};
use crate::site::Site;
use crate::site::fixture::{failing, get, site, stale, tank, text, waiting};

/// Returns a site with 40 sources in the groups `north`, `north/ridge` and none. Every seventh is stale, and
/// every eleventh fails.
fn fleet() -> Site {
    let source = |number: usize| {
        let mut source = if number.is_multiple_of(7) { stale(tank(), 7200) } else { tank() };
        if number.is_multiple_of(11) {
            source = failing(source, ErrorKind::Dns, "no such name");
        }
        let group = [None, Some("north"), Some("north/ridge")][number % 3];
        SourceView {
            name: format!("tank_{number:02}").into(),
            group: group.map(Into::into),
            ..source
        }
    };
    // The configuration lists them backwards.
    site((0..40).rev().map(source).collect())
}

fn json_of(site: &Site, target: &str) -> Json {
    let response = get(site, target, &[]);
    assert_eq!(response.status(), 200, "{target}: {}", text(&response));
    parsed(&response)
}

/// Returns the names of a body's sources.
fn names(json: &Json) -> Vec<String> {
    let list = json.as_array().or_else(|| json["sources"].as_array());
    let named = |source: &Json| source["name"].as_str().unwrap().to_owned();
    match list {
        Some(list) => list.iter().map(named).collect(),
        None => json["sources"].as_object().unwrap().keys().cloned().collect(),
    }
}

#[test]
fn pages_in_a_row_are_all_sources_in_the_order_of_their_names() {
    let site = fleet();
    for route in ["/api/v1/sources", "/api/v1/status"] {
        let all = json_of(&site, route);
        assert!(all.get("next").is_none(), "{route}");
        let all = names(&all);
        assert!(all.len() == 40 && all.is_sorted(), "{all:?}");
        for limit in [1, 7, 39, 40, 41] {
            let (mut joined, mut pages, mut cursor) = (Vec::new(), 0, String::new());
            loop {
                let page = json_of(&site, &format!("{route}?limit={limit}{cursor}"));
                joined.extend(names(&page));
                pages += 1;
                let Some(next) = page["next"].as_str() else {
                    assert_eq!(page["next"], Json::Null);
                    break;
                };
                cursor = format!("&cursor={next}");
            }
            assert_eq!((joined, pages), (all.clone(), 40_usize.div_ceil(limit)), "{route}");
        }
        // The source of the cursor may have been removed since.
        assert_eq!(names(&json_of(&site, &format!("{route}?cursor=tank_37x")))[0], "tank_38");
        let end = json_of(&site, &format!("{route}?cursor=well"));
        assert_eq!((names(&end).len(), &end["next"]), (0, &Json::Null));
    }
}

#[test]
fn sources_are_selected_by_group_and_state() {
    let site = fleet();
    let count = |query: &str| names(&json_of(&site, &format!("/api/v1/sources?{query}"))).len();
    for (query, expected) in [
        ("group=north", 26),
        ("group=north/ridge", 13),
        ("group=north%2Fridge", 13),
        ("state=stale", 6),
        ("state=fresh", 34),
        ("state=waiting", 0),
        ("state=failing", 4),
        ("state=failing,stale", 9),
        ("group=north/ridge&state=stale", 2),
        ("group=north/ridge&state=stale&limit=1", 1),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
    let page = json_of(&site, "/api/v1/status?group=north/ridge&state=stale&limit=1");
    let only = &page["sources"]["tank_14"];
    assert_eq!((&only["group"], &only["state"]), (&json!("north/ridge"), &json!("stale")));
    assert_eq!(page["next"], "tank_14");
    assert!(page["service"]["version"].is_string());
    let narrow =
        json_of(&site, "/api/v1/sources?fields=tank_01.level,tank_02.level&group=north/ridge");
    assert_eq!(names(&narrow), ["tank_02"]);
}

#[test]
fn selection_for_a_shell_has_the_cursor_of_the_next_page() {
    let site = fleet();
    let page = get(&site, "/api/v1/status?format=shell&limit=2", &[]);
    let script = text(&page);
    assert!(script.contains("\nsources='tank_00 tank_01'\nnext='tank_01'\n"), "{script}");
    assert!(!script.contains("tank_02_state"), "{script}");
    let last = get(&site, "/api/v1/status?format=shell&cursor=tank_38", &[]);
    assert!(text(&last).contains("\nsources='tank_39'\nnext=''\n"));
    assert!(!text(&get(&site, "/api/v1/status?format=shell", &[])).contains("\nnext="));
}

#[test]
fn selection_that_cannot_be_meant_is_rejected() {
    let site = fleet();
    for (query, detail) in [
        ("group=nort", "There is no group \"nort\" here."),
        ("group=", "There is no group \"\" here."),
        ("state=old", "state is one or more of failing, stale, waiting and fresh"),
        ("limit=0", "limit is a whole number from 1 to 10000."),
        ("limit=10001", "limit is a whole number from 1 to 10000."),
        ("limit=-1", "limit is a whole number from 1 to 10000."),
        ("cursor=", "cursor is the member next of the page before."),
        ("cursor=Tank", "cursor is the member next of the page before."),
    ] {
        for route in ["/api/v1/sources", "/api/v1/status"] {
            let response = get(&site, &format!("{route}?{query}"), &[]);
            assert_eq!(response.status(), 400, "{query}");
            let problem: Json = serde_json::from_str(text(&response)).unwrap();
            assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
        }
    }
    let one = get(&site, "/api/v1/sources/tank_01?limit=1", &[]);
    assert_eq!(one.status(), 400, "it is one source");
}

#[test]
fn selection_is_gated_by_its_own_sources() {
    let site = fleet();
    let status = |query: &str| get(&site, &format!("/api/v1/sources?{query}"), &[]).status();
    assert_eq!(status("max_age=300"), 503, "some are stale");
    assert_eq!(status("max_age=300&state=fresh"), 200);
    assert_eq!(status("max_age=300&state=stale"), 503);
    assert_eq!(status("max_age=86400"), 200);
}

#[test]
fn problem_of_a_fleet_names_a_few_sources_and_the_number_of_the_others() {
    let sources = (0..500).map(|number| SourceView {
        name: format!("tank_{number:03}").into(),
        ..waiting("x", "json")
    });
    let site = site(sources.collect());
    for target in ["/readyz", "/api/v1/status?max_age=5"] {
        let response = get(&site, target, &[]);
        assert_eq!(response.status(), 503);
        let problem: Json = serde_json::from_str(text(&response)).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("tank_000") && detail.ends_with("and 480 others."), "{detail}");
        assert_eq!(problem["sources"].as_array().unwrap().len(), 20, "{target}");
    }
}
