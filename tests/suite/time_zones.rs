//! The time zone of the machine, as `TZ` gives it: by name, by a rule, by a file, and mistyped.

use std::path::Path;
use std::process::Command;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::harness::eventually;
use crate::server::{BINARY, Server, code};

const RULE: &str = "EST5EDT,M3.2.0,M11.1.0";

/// Returns a file of RFC 9636 that has a rule and no name, as a copied `/etc/localtime` has.
fn time_zone_file(rule: &str) -> Vec<u8> {
    // Version 2, and the number of: UT indicators, standard indicators, leap seconds, transitions,
    // types, characters of abbreviations.
    let mut block = b"TZif2".to_vec();
    block.extend([0; 15]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        block.extend(count.to_be_bytes());
    }
    block.extend((-18_000_i32).to_be_bytes());
    block.extend([0, 0]);
    block.extend(b"EST\0");
    [&*block, &*block, format!("\n{rule}\n").as_bytes()].concat()
}

/// Returns what `check` prints for a valid configuration under this `TZ`.
fn checked(folder: &Path, variable: &str) -> String {
    let output = Command::new(BINARY)
        .args(["check", "p.toml"])
        .current_dir(folder)
        .env("TZ", variable)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn machine_zone_is_shown_by_check_log_and_page_and_warned_of_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[auth]\nopen = true\n[history]\npath = \"p.db\"\n";
    std::fs::write(folder.path().join("p.toml"), config).unwrap();
    let copy = folder.path().join("localtime");
    std::fs::write(&copy, time_zone_file(RULE)).unwrap();
    let copy = format!(":{}", copy.display());
    let offset = ["EST (UTC−05:00)", "EDT (UTC−04:00)"];
    for (variable, labels, warning) in [
        ("America/Denver", &["America/Denver"][..], None),
        ("", &["UTC"], None),
        (RULE, &offset, Some("has no name")),
        (&*copy, &offset, Some("has no name")),
        ("Amerika/Denver", &["UTC"], Some("did you mean America/Denver?")),
        (":/nowhere/localtime", &["UTC"], Some("TZ=:/nowhere/localtime is not a time zone")),
    ] {
        let printed = checked(folder.path(), variable);
        let has = |text: &str, before: &str| {
            labels.iter().any(|label| text.contains(&format!("{before}{label}")))
        };
        assert!(has(&printed, "with days of "), "{variable}: {printed}");
        match warning {
            Some(warning) => assert!(printed.contains(warning), "{variable}: {printed}"),
            None => assert!(!printed.contains("TZ"), "{variable}: {printed}"),
        }
        let server =
            Server::start_after(&format!("export TZ='{variable}'"), &Config::https().open());
        let page = server.get("/");
        let before = if variable == "America/Denver" { "those of" } else { "in" };
        assert!(has(&page, &format!("Times are {before} ")), "{variable}: {page}");
        if let Some(warning) = warning {
            server.wait_for_log(warning);
        }
    }
}

#[test]
fn days_of_the_history_do_not_overlap_after_a_change_of_an_unnamed_zone() {
    const DAY: i64 = 24 * 3600;
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let folder = tempfile::tempdir().unwrap();
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "%").set("interval", "1s");
    let path = folder.path().join("pumphouse.db");
    let config = Config::https()
        .open()
        .set("history.path", path.to_str().unwrap())
        .set("history.flush", "200ms")
        .source(source);
    let days = |server: &Server| -> Vec<i64> {
        let response = server.get("/api/v1/history?field=tank.level&days=3&step=1d&format=csv");
        if code(&response) != 200 {
            return Vec::new();
        }
        let lines = response.lines().filter(|line| line.contains(",84.6,"));
        let at = lines.map(|line| line[..20].parse::<jiff::Timestamp>().unwrap().as_second());
        at.collect()
    };
    // Neither has daylight saving time, so the days last 24 hours.
    for (rule, midnight) in [("AAA5", 5 * 3600), ("BBB-9", 15 * 3600)] {
        let server = Server::start_after(&format!("export TZ='{rule}'"), &config);
        eventually("a value of this run is recorded by the days of its zone", || {
            let days = days(&server);
            !days.is_empty() && days.iter().all(|day| day.rem_euclid(DAY) == midnight)
        });
    }
}
