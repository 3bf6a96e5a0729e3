//! `watch.sh`: changes as they come.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use hostile::upstream::Upstream;

use super::{Environment, NOWHERE, demo, server};
use crate::harness::eventually;

#[test]
fn watch_prints_changes_and_costs_304s() {
    let (_demo, demo_environment) = demo();
    let first = demo_environment.run("watch.sh", &["-n", "2", "tank.level", "weather.temperature"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        first
            .stdout
            .lines()
            .all(|line| line.contains("Z tank.level ") || line.contains("Z weather.temperature ")),
        "{first:?}"
    );

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let environment = Environment::of(&server);
    let mut command = environment.command("watch.sh", &["-i", "1", "-n", "2", "tank.level"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().ends_with("Z tank.level 50 %"));
    let not_modified = || -> u64 {
        let label = "code=\"304\",method=\"GET\",route=\"/api/v1/status\"} ";
        let metrics = server.admin_get("/metrics");
        let count = metrics.split_once(label).and_then(|(_, rest)| rest.lines().next());
        count.map_or(0, |count| count.parse().unwrap())
    };
    // The same value is polled again, and the script's next request for it gets 304.
    let polled = |status: &serde_json::Value| status["sources"]["tank"]["fetched_at"].clone();
    let before = polled(&server.status());
    server.eventually_status("it was polled again", |status| polled(status) != before);
    let seen = not_modified();
    eventually("the script got a 304", || not_modified() > seen);
    tank.set(Some(r#"{"level": 49.5}"#));
    assert!(next().ends_with("Z tank.level 49.5 %"), "an unchanged value was printed again");
    assert!(watch.wait().unwrap().success());

    let mut command = demo_environment.command("watch.sh", &["-i", "1", "tank.level"]);
    let nowhere = command.env("PUMPHOUSE_URL", NOWHERE).stderr(Stdio::piped());
    let mut nowhere = nowhere.spawn().unwrap();
    let stderr = BufReader::new(nowhere.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(stderr.starts_with("watch.sh: curl: (7)"), "{stderr}");
    nowhere.kill().unwrap();
    nowhere.wait().unwrap();
}
