//! Pages and pictures: charts that are drawn, shown outdated, or left out.

use super::{Place, drive, get};
use crate::engine::{Activity, Body, Continuation, Lane, Reply, Response, Service as _};
use crate::site::fixture::{request, text};

#[test]
fn page_that_would_wait_for_charts_is_served_without() {
    let place = Place::dense();
    for target in ["/", "/source/tank"] {
        let request = request("GET", target, &[]);
        let activity = Activity::default();
        let Reply::HeavyOr { work, .. } = place.site.call(&request, &activity) else {
            panic!("{target} has charts to draw");
        };
        // The first piece is done; then it has to wait again, for too long.
        let Reply::HeavyOr { fallback, .. } = work(&request, &activity) else {
            panic!("{target}: a piece is not all of it");
        };
        let Reply::Respond(response) = fallback(&request, &activity) else {
            panic!("{target} waits for nothing more");
        };
        assert_eq!(response.status(), 200);
        assert!(text(&response).contains("This chart is drawn in a moment"), "{target}");
        assert_eq!(place.seen.0.lock().unwrap().pop(), Some((pattern(target), 200)));
    }
}

fn pattern(target: &str) -> &'static str {
    if target == "/" { "/" } else { "/source/{source}" }
}

#[test]
fn outdated_chart_is_shown_where_a_new_one_has_to_wait() {
    let place = Place::dense();
    let target = "/chart/tank.level.svg?range=6h";
    let (_, first) = get(&place.site, target);
    assert_eq!(first.status(), 200);
    place.site.context.charts.age(60);
    let request = request("GET", target, &[]);
    let activity = Activity::default();
    let Reply::HeavyOr { fallback, .. } = place.site.call(&request, &activity) else {
        panic!("it is to be drawn again");
    };
    let Reply::Respond(response) = fallback(&request, &activity) else { panic!("it is there") };
    assert_eq!(text(&response), text(&first));
    place.site.context.charts.age(3_600);
    let cold = place.site.call(&request, &activity);
    assert!(matches!(cold, Reply::Heavy { lane: Lane::Interactive, .. }), "too old: {cold:?}");
}

#[test]
fn sizes_and_invented_fields_fill_no_memory_and_push_no_chart_out() {
    let place = Place::dense();
    get(&place.site, "/");
    let kept = place.site.context.charts.len();
    for number in 0..300 {
        let (lanes, _) = get(&place.site, &format!("/chart/tank.level.svg?width={}", 300 + number));
        assert_eq!(lanes, [Lane::Interactive], "a size takes no look at the disk");
        assert_eq!(get(&place.site, &format!("/chart/tank.f{number}.svg")).1.status(), 404);
    }
    assert_eq!(place.site.context.charts.len(), kept);
    assert_eq!(get(&place.site, "/?again").0.len(), 0);
}

/// The reply of a request that needs a permit, as pieces with it and without.
fn permit_needed(place: &Place, target: &str) -> (Continuation, Continuation) {
    match place.site.call(&request("GET", target, &[]), &Activity::default()) {
        Reply::HeavyOr { lane: Lane::Interactive, work, fallback, .. } => (work, fallback),
        other => panic!("{target}: {other:?}"),
    }
}

/// Address of a response's bytes: responses that share a rendering share it.
fn address(response: &Response) -> *const u8 {
    match response.body() {
        Body::Full(bytes) => bytes.as_ptr(),
        Body::Stream(_) => panic!("it is streamed"),
    }
}

fn ready(reply: Reply) -> Response {
    let Reply::Respond(response) = reply else { panic!("{reply:?}") };
    response
}

#[test]
fn pages_and_sizes_are_rendered_under_a_permit_and_compressed_only_then() {
    let place = Place::dense();
    get(&place.site, "/source/tank");
    get(&place.site, "/chart/tank.level.svg");
    for target in ["/source/tank", "/chart/tank.level.svg?width=500"] {
        place.site.context.source_pages.clear();
        let before = place.site.context.source_pages.renderings();
        let request = request("GET", target, &[("accept-encoding", "gzip")]);
        let run = |piece: Continuation| ready(piece(&request, &Activity::default()));
        let (work, fallback) = permit_needed(&place, target);
        assert!(!run(fallback).headers().contains_key("content-encoding"), "{target}");
        let (again, _) = permit_needed(&place, target);
        let first = run(work);
        assert_eq!(first.headers()["content-encoding"], "gzip", "{target}");
        let second = run(again);
        if target == "/source/tank" {
            assert_eq!(address(&first), address(&second));
            assert_eq!(place.site.context.source_pages.renderings(), before + 1, "one for both");
        }
    }
}

#[test]
fn picture_of_the_default_size_is_rendered_once() {
    let place = Place::dense();
    for theme in ["auto", "light", "dark"] {
        for coding in ["identity", "gzip"] {
            let target = format!("/chart/tank.level.svg?theme={theme}");
            let request = request("GET", &target, &[("accept-encoding", coding)]);
            // All are kept, so that no two can have the same address by chance.
            let responses: Vec<Response> = (0..3).map(|_| drive(&place.site, &request).1).collect();
            assert!(responses.iter().all(|it| address(it) == address(&responses[0])), "{target}");
        }
    }
}

#[test]
fn disk_that_holds_up_a_drawing_is_waited_for_by_no_page() {
    let place = Place::dense();
    place.site.context.charts.stall();
    for (target, status) in [("/", 200), ("/source/tank", 200), ("/chart/tank.level.svg", 503)] {
        let request = request("GET", target, &[]);
        let reply = place.site.call(&request, &Activity::default());
        let Reply::Respond(response) = reply else { panic!("{target}: {reply:?}") };
        assert_eq!(response.status().as_u16(), status, "{target}");
    }
}

#[test]
fn page_with_more_charts_than_it_may_draw_leaves_the_rest_to_later_requests() {
    const UNDRAWN: &str = "This chart is drawn in a moment";
    let place = Place::with_fields(16);
    let mut undrawn = usize::MAX;
    for request in 0.. {
        let (lanes, response) = get(&place.site, "/source/tank");
        // The last chart that it begins may take some more.
        assert!(lanes.len() < 130, "{} pieces", lanes.len());
        let left = text(&response).matches(UNDRAWN).count();
        assert!(left < undrawn, "each request draws some: {left}");
        undrawn = left;
        if left == 0 {
            assert!(request > 0, "the first cannot draw them all");
            break;
        }
    }
    assert_eq!(get(&place.site, "/source/tank").0.len(), 0);
}
