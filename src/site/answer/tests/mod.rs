//! Expensive requests: their lanes, and the number of their pieces.

mod charts;
mod streams;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::alert::AlertState;
use crate::board::{Change, Finite, Sample, Value};
use crate::engine::{Activity, Lane, Reply, Request, Response, Service as _};
use crate::history::{History, import};
use crate::site::alert_fixture::{alerting_site, handle, no_past, tank_is_low, view};
use crate::site::fixture::{request, site_counted, tank};
use crate::site::{RequestObserver, SiteService};
use crate::units::Unit;

#[derive(Default)]
struct Seen(Mutex<Vec<(&'static str, u16)>>);

impl RequestObserver for Seen {
    fn observe(&self, route: &'static str, _: &'static str, code: u16, _: Duration) {
        self.0.lock().unwrap().push((route, code));
    }
}

struct RecordedSite {
    folder: tempfile::TempDir,
    site: SiteService,
    seen: Arc<Seen>,
}

impl RecordedSite {
    /// Returns a site with a level each second for a few hours, up to now.
    fn dense() -> RecordedSite {
        const ROWS: i64 = 12_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let end = jiff::Timestamp::now().as_second();
        let samples = (0..ROWS).map(|n| {
            Sample::new(
                "tank".into(),
                "level".into(),
                jiff::Timestamp::from_second(end - ROWS + n).unwrap(),
                Finite::new((n % 100) as f64).unwrap(),
                Some(Unit::Percent),
            )
        });
        import(&path, &TimeZone::UTC, [Change::Observed(samples.collect())]).unwrap();
        let seen = Arc::new(Seen::default());
        let history = History::read_only(&path, TimeZone::UTC);
        let site = SiteService(Arc::new(site_counted(vec![tank()], history, seen.clone())));
        RecordedSite { folder, site, seen }
    }

    /// Returns the same with that many more fields of the same values.
    fn with_fields(number: usize) -> RecordedSite {
        let recorded = RecordedSite::dense();
        let mut source = tank();
        let values = &mut source.reading.as_mut().unwrap().values;
        for number in 0..number {
            let name = format!("f{number}");
            recorded.sql(&format!(
                "INSERT INTO series (source, field, unit) VALUES ('tank', '{name}', '%');
                 INSERT INTO raw (series, at, value) SELECT series.id, at, value FROM raw, series
                 WHERE raw.series = 1 AND field = '{name}'"
            ));
            values.push((name.as_str().into(), Value::number(50.0, Unit::Percent)));
        }
        let path = recorded.folder.path().join("pumphouse.db");
        let history = History::read_only(&path, TimeZone::UTC);
        let site =
            SiteService(Arc::new(site_counted(vec![source], history, recorded.seen.clone())));
        RecordedSite { site, ..recorded }
    }

    fn sql(&self, text: &str) {
        let path = self.folder.path().join("pumphouse.db");
        rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
    }
}

/// Returns the lanes of the pieces that a request took, and its response.
fn drive(site: &SiteService, request: &Request) -> (Vec<Lane>, Response) {
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

fn get(site: &SiteService, target: &str) -> (Vec<Lane>, Response) {
    drive(site, &request("GET", target, &[]))
}

#[test]
fn requests_that_read_the_disk_do_so_in_pieces_and_in_their_lane() {
    let recorded = RecordedSite::dense();
    for (target, lane, least, most) in [
        ("/api/v1/status", Lane::Bulk, 0, 0),
        // A malformed query is refused without reading the disk.
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
        // Clients choose sizes, so each size has its own rendering.
        ("/chart/tank.level.svg?width=500&theme=dark", Lane::Interactive, 1, 1),
        ("/source/tank", Lane::Interactive, 2, 3),
        ("/chart/tank.level.svg?range=6h", Lane::Interactive, 6, 30),
    ] {
        let (lanes, response) = get(&recorded.site, target);
        assert!((least..=most).contains(&lanes.len()), "{target}: {} pieces", lanes.len());
        assert!(lanes.iter().all(|taken| *taken == lane), "{target}: {lanes:?}");
        assert!(response.headers().contains_key("x-content-type-options"), "{target}");
        assert!(response.headers().contains_key("x-request-id"), "{target}");
        let seen = std::mem::take(&mut *recorded.seen.0.lock().unwrap());
        assert_eq!(seen.len(), 1, "{target} is counted once: {seen:?}");
        assert_eq!(seen[0].1, response.status().as_u16(), "{target}");
    }
}

#[test]
fn piece_of_work_notes_progress() {
    // The watchdog takes a worker for stuck whose turn is long and makes no progress.
    let recorded = RecordedSite::dense();
    let (request, activity) = (request("GET", "/", &[]), Activity::default());
    let Reply::HeavyOr { work, .. } = recorded.site.call(&request, &activity) else {
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
fn command_on_an_alert_is_carried_out_also_while_other_work_holds_the_permit() {
    let alerts = handle(view(vec![tank_is_low()]), no_past());
    let site = SiteService(Arc::new(alerting_site(vec![tank()], alerts.clone())));
    let post = request("POST", "/api/v1/alerts/tank_low/acknowledge", &[]);
    let activity = Activity::default();
    let Reply::HeavyOr { lane: Lane::Interactive, fallback, .. } = site.call(&post, &activity)
    else {
        panic!("a command takes a permit");
    };
    let Reply::Respond(response) = fallback(&post, &activity) else { panic!("more work") };
    assert_eq!(response.status(), 200);
    assert_eq!(alerts.view().alerts[0].subjects[0].state, AlertState::Acknowledged);
}
