//! The real program with a history file of the first version: `kill -9` while it is migrated.

use std::path::Path;
use std::time::Duration;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use rusqlite::Connection;

use crate::harness::eventually;
use crate::server::{Server, code, json, run};

/// Number of observations of each series, one a minute.
const ROWS: i64 = 60_000;

/// Time of the first observation: a midnight.
const START: i64 = 1_769_817_600;

/// Writes a file as the first version did: wind of 1 m/s from 350° and 10° by turns.
fn write_first_version(path: &Path) {
    let rollup = "at INTEGER NOT NULL, min REAL NOT NULL, max REAL NOT NULL, sum REAL NOT NULL, \
                  last REAL NOT NULL, last_at INTEGER NOT NULL, count INTEGER NOT NULL, \
                  PRIMARY KEY (series, at)) STRICT, WITHOUT ROWID";
    let sql = format!(
        "PRAGMA application_id = 1347767632; PRAGMA user_version = 1; BEGIN;
         CREATE TABLE series (id INTEGER PRIMARY KEY, source TEXT NOT NULL, field TEXT NOT NULL,
             unit TEXT NOT NULL, UNIQUE (source, field, unit)) STRICT;
         CREATE TABLE raw (series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL,
             PRIMARY KEY (series, at)) STRICT, WITHOUT ROWID;
         CREATE TABLE quarter (series INTEGER NOT NULL, {rollup};
         CREATE TABLE day (series INTEGER NOT NULL, {rollup};
         CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL,
             source TEXT, detail TEXT NOT NULL) STRICT;
         CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
         INSERT INTO series VALUES (1, 'tank', 'wind_direction', 'deg'),
             (2, 'tank', 'wind_speed', 'm/s');
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT {ROWS})
             INSERT INTO raw SELECT 1, {START} + n * 60, 10 + n % 2 * 340 FROM n
             UNION ALL SELECT 2, {START} + n * 60, 1 FROM n;
         INSERT INTO quarter SELECT series, at / 900 * 900 AS start, min(value), max(value),
             sum(value), 10, max(at), count(*) FROM raw GROUP BY series, start;
         INSERT INTO day SELECT series, at / 86400 * 86400 AS start, min(min), max(max),
             sum(sum), 10, max(last_at), sum(count) FROM quarter GROUP BY series, start;
         COMMIT;"
    );
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

#[test]
fn migration_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    write_first_version(&path);
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "%").set("interval", "1s");
    let config = Config::https()
        .set("history.path", path.to_str().unwrap())
        .set("history.flush", "200ms")
        .set("site.timezone", "UTC")
        .source(source);
    let log = folder.path().join("old.db-wal");
    let mut server = Server::start(&config);
    for round in 0..4_u64 {
        // The migration has begun, unless it has ended.
        eventually("the file is being written", || std::fs::metadata(&log).is_ok());
        std::thread::sleep(Duration::from_millis(round * 40));
        server.signal("KILL");
        eventually("the process has ended", || !server.is_running());
        let check = run(&["history", "check"], server.folder());
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
        let sql = "SELECT count(*), (SELECT user_version FROM pragma_user_version) FROM raw WHERE series < 3";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (rows, version) = Connection::open(&path).unwrap().query_row(sql, [], row).unwrap();
        assert!(rows == 2 * ROWS && [1, 2].contains(&version), "{rows} {version}");
        server = server.start_again(&config);
    }
    let target = "/api/v1/history?field=tank.wind_direction&from=2026-01-31&to=2026-03-13";
    let mut response = String::new();
    eventually("the history is open", || {
        response = server.get(target);
        code(&response) == 200
    });
    let series = json(&response);
    assert_eq!(series["over_time"], "circular");
    let points = series["points"].as_array().unwrap();
    assert_eq!(points.len(), 41);
    for day in points {
        assert_eq!((&day["value"], &day["count"]), (&0.into(), &1440.into()), "{day}");
    }
}
