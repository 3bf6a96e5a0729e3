//! Pages and pictures: charts that are drawn, shown outdated, or left out.

use super::{RecordedSite, drive, get};
use crate::engine::{Activity, Body, Continuation, Lane, Reply, Response, Service as _};
use crate::site::fixture::{request, text};

#[test]
fn page_that_would_wait_for_charts_is_served_without_them() {
    let recorded = RecordedSite::dense();
    for target in ["/", "/source/tank"] {
        let request = request("GET", target, &[]);
        let activity = Activity::default();
        let Reply::HeavyOr { work, .. } = recorded.site.call(&request, &activity) else {
            panic!("{target} has charts to draw");
        };
        // The first piece is done; then it has to wait again, for too long.
        let Reply::HeavyOr { fallback, .. } = work(&request, &activity) else {
            panic!("{target}: one piece draws everything");
        };
        let Reply::Respond(response) = fallback(&request, &activity) else {
            panic!("{target} waits for nothing more");
        };
        assert_eq!(response.status(), 200);
        assert!(text(&response).contains("This chart is drawn in a moment"), "{target}");
        assert_eq!(recorded.seen.0.lock().unwrap().pop(), Some((pattern(target), 200)));
    }
}

fn pattern(target: &str) -> &'static str {
    if target == "/" { "/" } else { "/source/{source}" }
}

#[test]
fn outdated_chart_is_shown_where_a_new_one_has_to_wait() {
    let recorded = RecordedSite::dense();
    let target = "/chart/tank.level.svg?range=6h";
    let (_, first) = get(&recorded.site, target);
    assert_eq!(first.status(), 200);
    recorded.site.0.context.charts.age(60);
    let request = request("GET", target, &[]);
    let activity = Activity::default();
    let Reply::HeavyOr { fallback, .. } = recorded.site.call(&request, &activity) else {
        panic!("the chart is not drawn again");
    };
    let Reply::Respond(response) = fallback(&request, &activity) else {
        panic!("no outdated chart")
    };
    assert_eq!(text(&response), text(&first));
    recorded.site.0.context.charts.age(3_600);
    let cold = recorded.site.call(&request, &activity);
    assert!(matches!(cold, Reply::Heavy { lane: Lane::Interactive, .. }), "too old: {cold:?}");
}

#[test]
fn charts_of_other_sizes_or_invented_fields_leave_the_cache_unchanged() {
    let recorded = RecordedSite::dense();
    get(&recorded.site, "/");
    let cached = recorded.site.0.context.charts.len();
    for number in 0..300 {
        let (lanes, _) =
            get(&recorded.site, &format!("/chart/tank.level.svg?width={}", 300 + number));
        assert_eq!(lanes, [Lane::Interactive], "another size reads no disk");
        assert_eq!(get(&recorded.site, &format!("/chart/tank.f{number}.svg")).1.status(), 404);
    }
    assert_eq!(recorded.site.0.context.charts.len(), cached);
    assert_eq!(get(&recorded.site, "/?again").0.len(), 0);
}

/// Returns the pieces of a request that needs a permit: with the permit, and without.
fn permit_needed(recorded: &RecordedSite, target: &str) -> (Continuation, Continuation) {
    match recorded.site.call(&request("GET", target, &[]), &Activity::default()) {
        Reply::HeavyOr { lane: Lane::Interactive, work, fallback, .. } => (work, fallback),
        other => panic!("{target}: {other:?}"),
    }
}

/// Returns the address of a response's bytes, which is the same if responses share a rendering.
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
    let recorded = RecordedSite::dense();
    get(&recorded.site, "/source/tank");
    get(&recorded.site, "/chart/tank.level.svg");
    for target in ["/source/tank", "/chart/tank.level.svg?width=500"] {
        recorded.site.0.context.pages.clear();
        let before = recorded.site.0.context.pages.renderings();
        let request = request("GET", target, &[("accept-encoding", "gzip")]);
        let run = |piece: Continuation| ready(piece(&request, &Activity::default()));
        let (work, fallback) = permit_needed(&recorded, target);
        assert!(!run(fallback).headers().contains_key("content-encoding"), "{target}");
        let (again, _) = permit_needed(&recorded, target);
        let first = run(work);
        assert_eq!(first.headers()["content-encoding"], "gzip", "{target}");
        let second = run(again);
        if target == "/source/tank" {
            assert_eq!(address(&first), address(&second));
            assert_eq!(recorded.site.0.context.pages.renderings(), before + 1, "one for both");
        }
    }
}

#[test]
fn picture_of_the_default_size_is_rendered_once() {
    let recorded = RecordedSite::dense();
    for theme in ["auto", "light", "dark"] {
        for coding in ["identity", "gzip"] {
            let target = format!("/chart/tank.level.svg?theme={theme}");
            let request = request("GET", &target, &[("accept-encoding", coding)]);
            // All are kept, so that no two can have the same address by chance.
            let responses: Vec<Response> =
                (0..3).map(|_| drive(&recorded.site, &request).1).collect();
            assert!(
                responses.iter().all(|response| address(response) == address(&responses[0])),
                "{target}"
            );
        }
    }
}

#[test]
fn page_during_a_stalled_drawing_does_not_wait_for_the_disk() {
    let recorded = RecordedSite::dense();
    recorded.site.0.context.charts.stall();
    for (target, status) in [("/", 200), ("/source/tank", 200), ("/chart/tank.level.svg", 503)] {
        let request = request("GET", target, &[]);
        let reply = recorded.site.call(&request, &Activity::default());
        let Reply::Respond(response) = reply else { panic!("{target}: {reply:?}") };
        assert_eq!(response.status().as_u16(), status, "{target}");
    }
}

#[test]
fn page_with_more_charts_than_it_may_draw_leaves_the_rest_to_later_requests() {
    const UNDRAWN: &str = "This chart is drawn in a moment";
    let recorded = RecordedSite::with_fields(16);
    let mut undrawn = usize::MAX;
    for request in 0.. {
        let (lanes, response) = get(&recorded.site, "/source/tank");
        // The last chart that the request begins may take some more.
        assert!(lanes.len() < 130, "{} pieces", lanes.len());
        let left = text(&response).matches(UNDRAWN).count();
        assert!(left < undrawn, "each request draws some: {left}");
        undrawn = left;
        if left == 0 {
            assert!(request > 0, "the first cannot draw them all");
            break;
        }
    }
    // The page is kept for its second, which may end at any time.
    let is_kept = || get(&recorded.site, "/source/tank").0.is_empty();
    assert!((0..10).any(|_| is_kept()));
}
