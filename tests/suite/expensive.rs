//! Expensive requests to the real program: a dense history, and clients that request all of it.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hostile::client::TEST_TIMEOUT;
use hostile::config::{Config, Source};
use hostile::transport::connect_from;
use hostile::upstream::Upstream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;
use rustls::{ClientConnection, StreamOwned};

use crate::harness::{eventually, get};
use crate::server::{Server, code};

/// Writes a value for each second of a week, up to now.
fn fill_densely(path: &Path) {
    const ROWS: i64 = 7 * 24 * 3600;
    let now = Timestamp::now().as_second();
    let latest = Sample::new(
        "tank".into(),
        "level".into(),
        Timestamp::from_second(now).unwrap(),
        Finite::new(84.6).unwrap(),
        Some(Unit::Percent),
    );
    import(path, &TimeZone::UTC, [Change::Observed(vec![latest])]).unwrap();
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT {ROWS})
         INSERT INTO raw (series, at, value) SELECT series.id, {now} - {ROWS} - 1 + n, n % 100 FROM n, series"
    );
    rusqlite::Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

/// Pipelines requests from 127.0.0.`last` until the connection ends, and reads the responses.
fn pipeline(server: &Server, last: u8, requests: &str, answered: &AtomicUsize) {
    let source = Ipv4Addr::new(127, 0, 0, last);
    let Ok(socket) = connect_from(source, server.address, TEST_TIMEOUT) else { return };
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::clone(&server.client), name).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    if stream.write_all(requests.as_bytes()).is_err() {
        return;
    }
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        answered.fetch_add(length, Ordering::Relaxed);
    }
}

#[test]
fn pipelined_expensive_queries_delay_no_other_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    fill_densely(&path);
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let config = Config::https()
        .set("server.watchdog_timeout", "2s")
        .set("server.drain_timeout", "1s")
        .set("history.path", path.to_str())
        .source(
            Source::json("tank", &upstream.url())
                .value("level", "/level", "%")
                .set("interval", "1h"),
        );
    let server = Server::start(&config);
    server.eventually_status("the source is fresh", |status| {
        status["sources"]["tank"]["state"] == "fresh"
    });
    let history = "/api/v1/history?field=tank.level&days=7";
    let [raw, step, json] =
        ["&step=raw&format=csv", "&step=7000", "&step=11"].map(|how| format!("{history}{how}"));
    let requests: String = (0..10)
        .flat_map(|_| [get(&step), get(&json).replacen("GET", "HEAD", 1), get(&json), get(&raw)])
        .collect();
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for last in 0..8 {
            let (server, requests, answered, stop) = (&server, &requests, &answered, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    pipeline(server, 10 + last, requests, answered);
                }
            });
        }
        eventually("the requests are served", || answered.load(Ordering::Relaxed) > 100_000);
        for _ in 0..40 {
            for target in ["/", "/api/v1/status"] {
                let response = server.get(target);
                assert_eq!(code(&response), 200, "{target}: {response}");
            }
        }
        // The page has its charts, although scripts wait for permits.
        eventually("the page has its chart", || server.get("/").contains("<svg class=\"chart"));
        stop.store(true, Ordering::Relaxed);
        // Ends the connections.
        server.signal("TERM");
    });
    assert!(!server.log().iter().any(|line| line.contains("giving up")), "{:?}", server.log());
    assert!(!server.log().iter().any(|line| line.contains("stuck")), "{:?}", server.log());
}
