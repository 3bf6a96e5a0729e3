//! Expensive requests: their lanes, and the number of their pieces.

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::board::{Change, Finite, Sample, Value};
use crate::engine::{Activity, Body, Continuation, Lane, Reply, Request, Response, Service as _};
use crate::history::{History, import};
use crate::site::RequestObserver;
use crate::site::Site;
use crate::site::fixture::{request, site_counted, tank, text};
use crate::units::Unit;

#[derive(Default)]
struct Seen(Mutex<Vec<(&'static str, u16)>>);

impl RequestObserver for Seen {
    fn observe(&self, route: &'static str, _: &'static str, code: u16, _: Duration) {
        self.0.lock().unwrap().push((route, code));
    }
}

struct Place {
    folder: tempfile::TempDir,
    site: Arc<Site>,
    seen: Arc<Seen>,
}

impl Place {
    /// A level each second for a few hours, up to now.
    fn dense() -> Place {
        const ROWS: i64 = 12_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let end = jiff::Timestamp::now().as_second();
        let samples = (0..ROWS).map(|n| Sample {
            source: "tank".into(),
            field: "level".into(),
            at: jiff::Timestamp::from_second(end - ROWS + n).unwrap(),
            value: Finite::new((n % 100) as f64).unwrap(),
            unit: Some(Unit::Percent),
        });
        import(&path, &TimeZone::UTC, [Change::Observed(samples.collect())]).unwrap();
        let seen = Arc::new(Seen::default());
        let history = History::read_only(&path, TimeZone::UTC);
        let site = Arc::new(site_counted(vec![tank()], history, seen.clone()));
        Place { folder, site, seen }
    }

    /// The same with so many more fields like that.
    fn with_fields(number: usize) -> Place {
        let place = Place::dense();
        let mut source = tank();
        let values = &mut source.reading.as_mut().unwrap().values;
        for number in 0..number {
            let name = format!("f{number}");
            place.sql(&format!(
                "INSERT INTO series (source, field, unit) VALUES ('tank', '{name}', '%');
                 INSERT INTO raw SELECT series.id, at, value FROM raw, series
                 WHERE raw.series = 1 AND field = '{name}'"
            ));
            values.push((name.as_str().into(), Value::number(50.0, Unit::Percent)));
        }
        let path = place.folder.path().join("pumphouse.db");
        let history = History::read_only(&path, TimeZone::UTC);
        let site = Arc::new(site_counted(vec![source], history, place.seen.clone()));
        Place { site, ..place }
    }

    fn sql(&self, text: &str) {
        let path = self.folder.path().join("pumphouse.db");
        rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
    }
}

/// Lanes of the pieces that a request took, and its response.
fn drive(site: &Arc<Site>, request: &Request) -> (Vec<Lane>, Response) {
    let activity = Activity::default();
    let mut reply = site.call(request, &activity);
    let mut lanes = Vec::new();
    loop {
        reply = match reply {
            Reply::Respond(response) => return (lanes, response),
            Reply::Heavy { lane, work } | Reply::HeavyOr { lane, work, .. } => {
                lanes.push(lane);
                work(request, &activity)
            }
            other => panic!("{other:?}"),
        };
    }
}

fn get(site: &Arc<Site>, target: &str) -> (Vec<Lane>, Response) {
    drive(site, &request("GET", target, &[]))
}

#[test]
fn requests_that_read_the_disk_do_so_in_pieces_and_in_their_lane() {
    let place = Place::dense();
    for (target, lane, least, most) in [
        ("/api/v1/status", Lane::Bulk, 0, 0),
        // A malformed query is refused without a look at the disk.
        ("/api/v1/history", Lane::Bulk, 0, 0),
        ("/api/v1/events?limit=0", Lane::Bulk, 0, 0),
        ("/chart/tank.level.svg?range=2d", Lane::Interactive, 0, 0),
        ("/api/v1/history?field=tank.level&hours=6", Lane::Bulk, 8, 40),
        ("/api/v1/history?field=tank.level&hours=6&step=7", Lane::Bulk, 1, 1),
        ("/api/v1/history?field=tank.nothing", Lane::Bulk, 1, 1),
        ("/api/v1/events", Lane::Bulk, 1, 1),
        ("/", Lane::Interactive, 6, 30),
        // All of its charts are kept.
        ("/?again", Lane::Interactive, 0, 0),
        ("/chart/tank.level.svg?theme=dark", Lane::Interactive, 0, 0),
        // Clients choose sizes, so that each is a rendering of its own.
        ("/chart/tank.level.svg?width=500&theme=dark", Lane::Interactive, 1, 1),
        ("/source/tank", Lane::Interactive, 2, 3),
        ("/chart/tank.level.svg?range=6h", Lane::Interactive, 6, 30),
    ] {
        let (lanes, response) = get(&place.site, target);
        assert!((least..=most).contains(&lanes.len()), "{target}: {} pieces", lanes.len());
        assert!(lanes.iter().all(|it| *it == lane), "{target}: {lanes:?}");
        assert!(response.headers().contains_key("x-content-type-options"), "{target}");
        assert!(response.headers().contains_key("x-request-id"), "{target}");
        let seen = std::mem::take(&mut *place.seen.0.lock().unwrap());
        assert_eq!(seen.len(), 1, "{target} is counted once: {seen:?}");
        assert_eq!(seen[0].1, response.status().as_u16(), "{target}");
    }
}

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
fn piece_of_work_notes_progress() {
    // The watchdog takes a worker for stuck whose turn is long and makes no progress.
    let place = Place::dense();
    let (request, activity) = (request("GET", "/", &[]), Activity::default());
    let Reply::HeavyOr { work, .. } = place.site.call(&request, &activity) else {
        panic!("it has charts to draw");
    };
    std::thread::sleep(Duration::from_millis(50));
    let begun = Instant::now();
    let _next = work(&request, &activity);
    let since = activity.since_taking();
    // Without progress it is longer than the work by the 50 ms before.
    assert!(since < begun.elapsed() + Duration::from_millis(20), "{since:?}");
}

#[test]
fn stream_whose_rows_make_no_point_gives_way() {
    let place = Place::dense();
    let target = "/api/v1/history?field=tank.level&hours=6&step=7000&format=csv";
    let (_, response) = get(&place.site, target);
    let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
    let (mut output, mut buffer, mut gave_way) = (Vec::new(), [0; 1024], 0);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => output.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => gave_way += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(gave_way >= 6, "{gave_way} times in 12,000 rows");
    let lines = String::from_utf8(output).unwrap().lines().count();
    // A head, two or three points, and one more where a day begins between them.
    assert!((3..=5).contains(&lines), "{lines} lines");
}

#[test]
fn stream_between_two_reads_holds_rows_and_no_rendered_bytes() {
    let place = Place::dense();
    for format in ["csv", "ndjson", "json"] {
        let target = format!("/api/v1/history?field=tank.level&hours=6&step=raw&format={format}");
        let (_, response) = get(&place.site, &target);
        let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
        // As much as the engine reads at a time.
        let (mut buffer, mut read) = ([0; 16 << 10], 0);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => read += length,
                Err(error) => panic!("{error}"),
            }
            // A page of rows, of 48 bytes each.
            let held = source.held_bytes();
            assert!(held < 14 << 10, "{format}: {held}");
        }
        assert!(read > 300_000, "{format}: {read}");
    }
    let (_, response) =
        get(&place.site, "/api/v1/history?field=tank.level&hours=6&step=raw&format=csv");
    let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
    assert!(source.held_bytes() > 14 << 10, "the first piece is ready");
    source.read_exact(&mut [0; 100]).unwrap();
    assert!(source.held_bytes() > 14 << 10, "most of it is");
}

#[test]
fn head_of_a_stream_reads_no_row() {
    let place = Place::dense();
    for (method, is_read) in [("GET", true), ("HEAD", false)] {
        let target = "/api/v1/history?field=tank.level&hours=6&step=raw&format=csv";
        let (lanes, response) = drive(&place.site, &request(method, target, &[]));
        assert_eq!((lanes.len(), response.status().as_u16()), (1, 200), "{method}");
        // Rows that were read before this are still sent.
        if !is_read {
            place.sql("DELETE FROM raw");
        }
        let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
        let mut buffer = [0; 64 << 10];
        let length = source.read(&mut buffer).unwrap();
        let output = String::from_utf8_lossy(&buffer[..length]);
        assert_eq!(output.lines().count() > 1, is_read, "{method}: {output}");
    }
}

#[test]
fn step_that_joins_too_much_is_refused_with_a_cheaper_one() {
    let place = Place::dense();
    place.sql("UPDATE day SET count = 3000000");
    let target = "/api/v1/history?field=tank.level&days=2";
    for (step, status) in [("&step=7", 400), ("&step=15m", 200), ("&step=raw", 200), ("", 200)] {
        let (_, response) = get(&place.site, &format!("{target}{step}"));
        assert_eq!(response.status().as_u16(), status, "{step}");
        if status == 400 {
            let detail = text(&response);
            assert!(detail.contains("at most 500000"), "{detail}");
            assert!(detail.contains("a multiple of 15m"), "{detail}");
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
