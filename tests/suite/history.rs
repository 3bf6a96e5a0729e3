//! The history of the real program: `kill -9`, a full disk, a long response, and the commands for it.

use std::path::PathBuf;
use std::process::{Command, Output};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;

use crate::harness::eventually;
use crate::server::{BINARY, Server, code, json, run};
use crate::standard_streams::{closed_pipe, full_disk};

/// Returns a configuration with a source that is polled each second, and a history that is written
/// at once.
fn config(upstream: &Upstream, path: &str) -> Config {
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "%").set("interval", "1s");
    Config::https().set("history.path", path).set("history.flush", "200ms").source(source)
}

/// Returns the times of all recorded points.
fn times(server: &Server) -> Vec<String> {
    let response = server.get("/api/v1/history?field=tank.level&days=1&step=raw");
    match code(&response) {
        200 => {
            let body = response.split_once("\r\n\r\n").unwrap().1;
            // The response is chunked.
            let at = body.split("\"at\":\"").skip(1);
            at.map(|rest| rest[..20].to_owned()).collect()
        }
        404 | 503 => Vec::new(),
        other => panic!("{other}: {response}"),
    }
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn recorded_values_survive_repeated_kill_9() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let config = config(&upstream, "pumphouse.db");
    let mut server = Server::start(&config);
    let mut known: Vec<String> = Vec::new();
    for round in 0..6 {
        let mut seen = Vec::new();
        eventually("more is recorded", || {
            seen = times(&server);
            seen.len() > known.len()
        });
        for at in &known {
            assert!(seen.contains(at), "round {round}: {at} is lost from {seen:?}");
        }
        known = seen;
        server.signal("KILL");
        server = server.start_again(&config);
    }
    let folder = server.folder().to_owned();
    // Checked while the server writes to it.
    let check = printed(&run(&["history", "check"], &folder));
    assert!(check.contains("rows of raw") && check.contains("is sound"), "{check}");
    let starts = |events: &serde_json::Value| {
        let events = events["events"].as_array().unwrap().clone();
        events.iter().filter(|event| event["kind"] == "started").count()
    };
    eventually("all starts are events", || starts(&json(&server.get("/api/v1/events"))) == 7);
    for (stream, code) in [(full_disk(), 1), (closed_pipe(), 0)] {
        let export = ["export", "--from", "2026-01-01", "--to", "2100-01-01"];
        let status =
            Command::new(BINARY).args(export).current_dir(&folder).stdout(stream).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
    printed(&run(&["history", "backup", "copy.db"], &folder));
    let again = run(&["history", "backup", "copy.db"], &folder);
    assert_eq!(again.status.code(), Some(1), "an existing file was replaced");
    let export = ["export", "--from", "2020-01-01", "--to", "2100-01-01"];
    let csv = printed(&run(&export, &folder));
    assert!(csv.starts_with("source,field,unit,at,value,min,max,last,count\r\n"), "{csv}");
    for at in &known {
        assert!(csv.contains(&format!("tank,level,%,{at},84.6,")), "{at} is not in {csv}");
    }
    let ndjson = printed(&run(&[&export[..], &["--format", "ndjson"]].concat(), &folder));
    for line in ndjson.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["source"], &line["unit"]), (&"tank".into(), &"%".into()));
    }
}

#[test]
fn damaged_history_fails_check_and_stays_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let changes = (0..5_000).map(|number| {
        Change::Observed(vec![Sample::new(
            "tank".into(),
            "level".into(),
            Timestamp::from_second(1_773_014_400 + number).unwrap(),
            Finite::new(1.0).unwrap(),
            Some(Unit::Percent),
        )])
    });
    import(&path, &TimeZone::UTC, changes).unwrap();
    Config::new().write(folder.path());
    assert!(printed(&run(&["history", "check"], folder.path())).contains("5000 rows of raw"));
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..half + 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let check = run(&["history", "check"], folder.path());
    let error = String::from_utf8_lossy(&check.stderr);
    assert_eq!(check.status.code(), Some(1), "{error}");
    assert!(error.contains("pumphouse.db is damaged: "), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the check changed the file");
}

#[test]
fn full_disk_stops_the_history_and_nothing_else() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    // A small disk in a mount namespace. Without root it also takes a user namespace.
    let may = |arguments: &[&str]| {
        let tried = Command::new("unshare").args(arguments).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let unprivileged = !may(&["--mount"]);
    assert!(
        !unprivileged || may(&["--map-root-user", "--mount"]),
        "this test mounts a small disk: be root, or allow user namespaces by \
         `sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0`"
    );
    let user = if unprivileged { "--map-root-user " } else { "" };
    let shell = format!(
        "mkdir disk && exec unshare {user}--mount sh -c \
         'mount -t tmpfs -o size=512k tmpfs disk && exec {BINARY} serve' #"
    );
    let server = Server::start_after(&shell, &config(&upstream, "disk/pumphouse.db"));
    eventually("a value is recorded", || !times(&server).is_empty());
    let disk = PathBuf::from(format!("/proc/{}/cwd/disk", server.process()));
    let ballast = disk.join("ballast");
    // `write` fails once the disk is full.
    let _ = std::fs::write(&ballast, vec![0; 1 << 20]);
    server.wait_for_log("the disk is full");
    assert!(server.metric("pumphouse_history_errors_total") >= 1);
    assert!(
        server.get("/").contains("History is not being written"),
        "the page does not report it"
    );
    // Readings continue, and the log stays small.
    let before = server.status()["sources"]["tank"]["fetched_at"].clone();
    server.eventually_status("a new reading", |status| {
        status["sources"]["tank"]["fetched_at"] != before
    });
    let lines = server.log().iter().filter(|line| line.contains("the disk is full")).count();
    assert!(lines <= 2, "{:?}", server.log());
    // A backup without space leaves no file.
    let failed = Command::new("nsenter")
        .args(["--mount", "--target", &server.process().to_string()])
        .args(if unprivileged { &["--user", "--preserve-credentials"][..] } else { &[] })
        .args(["sh", "-c", "cd \"$0\" && exec \"$1\" history backup disk/copy.db"])
        .args([server.folder().as_os_str(), BINARY.as_ref()])
        .env_remove("PUMPHOUSE_CONFIG")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the disk is full"), "{stderr}");
    let left = std::fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("copy")).collect();
    assert!(left.is_empty(), "{left:?}");
    let last = times(&server).last().unwrap().clone();
    std::fs::remove_file(&ballast).unwrap();
    server.wait_for_log("the history is written again");
    eventually("the values of the meantime are recorded", || {
        times(&server).iter().filter(|at| **at > last).count() >= 2
    });
    assert_eq!(server.metric("pumphouse_history_dropped_total"), 0);
    assert!(!server.get("/").contains("History is not being written"));
}

/// A limit of the size of files, by which the system ends a program that has no handler of XFSZ.
#[test]
fn file_size_limit_stops_the_history_and_nothing_else() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let config = config(&upstream, "pumphouse.db");
    // 8 KiB, with the blocks of 512 bytes that POSIX prescribes; 16 KiB in some shells.
    let server = Server::start_after("ulimit -f 16", &config);
    server.wait_for_log("bytes, the limit of `ulimit -f`");
    server.eventually_status("a reading", |status| {
        status["sources"]["tank"]["fetched_at"].is_string()
    });
    assert!(server.get("/").contains("History is not being written"));
}

#[test]
fn year_of_csv_is_streamed_in_constant_memory() {
    const ROWS: i64 = 365 * 288;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let now = Timestamp::now().as_second();
    let changes = (0..ROWS).map(|number| {
        Change::Observed(vec![Sample::new(
            "tank".into(),
            "level".into(),
            Timestamp::from_second(now - 600 - number * 300).unwrap(),
            Finite::new((number % 100) as f64).unwrap(),
            Some(Unit::Percent),
        )])
    });
    import(&path, &TimeZone::UTC, changes).unwrap();
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let server = Server::start(&config(&upstream, path.to_str().unwrap()));
    eventually("the history is open", || !times(&server).is_empty());
    // The memory that a reader keeps is allocated by the first query.
    server.get("/api/v1/history?field=tank.level&days=200&format=csv&step=raw");
    let before = server.status_line("VmHWM");
    let csv = server.get("/api/v1/history?field=tank.level&days=366&format=csv&step=raw");
    assert_eq!(code(&csv), 200);
    assert!(csv.matches(",1\r\n").count() as i64 >= ROWS, "rows are missing");
    let (grown, size) = (server.status_line("VmHWM") - before, csv.len() as u64 / 1024);
    assert!(grown < size / 2, "{size} KiB were sent, and memory grew by {grown} KiB");
}
