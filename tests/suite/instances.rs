//! Two processes on one history: one records it, the other waits, keeps what it observes, and takes over.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::harness::{eventually, get};
use crate::process::Process;
use crate::server::{BINARY, Server, body, code, run};

fn config(upstream: &Upstream) -> Config {
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "%").set("interval", "1s");
    Config::https().open().set("history.flush", "200ms").source(source)
}

const RAW: &str = "/api/v1/history?field=tank.level&days=1&step=raw";

/// Returns the times of the recorded points in a response.
fn times(response: &str) -> Vec<String> {
    let at = body(response).split("\"at\":\"").skip(1);
    at.map(|rest| rest[..20].to_owned()).collect()
}

fn json(server: &Server, target: &str) -> serde_json::Value {
    serde_json::from_str(body(&server.admin_get(target))).unwrap()
}

#[test]
fn second_instance_serves_without_history_and_takes_over_after_kill_9() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let first = Server::start(&config(&upstream));
    eventually("the first records", || times(&first.get(RAW)).len() > 1);
    let second = first.start_again(&config(&upstream));
    second.eventually_status("the second polls", |status| {
        status["sources"]["tank"]["state"] == "fresh"
    });
    let holder = format!("process {}, started 20", first.process());
    let mut board = serde_json::Value::Null;
    eventually("it knows whose the history is", || {
        board = json(&second, "/scoreboard");
        board["recorder"]["holder"].is_string()
    });
    assert!(board["recorder"]["holder"].as_str().unwrap().starts_with(&holder), "{board}");
    let trouble = board["recorder"]["trouble"]["reason"].as_str().unwrap();
    assert!(trouble.contains("another process records the history"), "{trouble}");
    assert_eq!(board["recorder"]["trouble"]["cause"], "held");
    assert_eq!(board["recorder"]["rows"], 0);
    second.wait_for_log("another process records the history: process");
    let refused = second.get(RAW);
    assert_eq!(code(&refused), 503, "{refused}");
    assert!(refused.contains(&holder), "{refused}");
    assert!(refused.to_lowercase().contains("retry-after: "), "{refused}");
    let folder = first.folder().display().to_string();
    assert!(!refused.contains(&folder) && !refused.contains("pumphouse.db"), "{refused}");
    assert!(second.get("/").contains("History is not being written"));
    assert_eq!(second.metric("pumphouse_history_lock_held"), 0);
    assert_eq!(second.metric("pumphouse_history_up"), 0);
    assert_eq!(first.metric("pumphouse_history_lock_held"), 1);
    assert_eq!(first.metric("pumphouse_history_up"), 1);
    let admin = second.admin.to_string();
    let doctor = run(&["doctor", "--admin", &admin], second.folder());
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(text.contains("recorded by another process") && text.contains(&holder), "{text}");
    assert_eq!(doctor.status.code(), Some(1));
    let check = run(&["check"], first.folder());
    let text = String::from_utf8(check.stdout).unwrap();
    let note = format!("another process records this history: {holder}");
    assert!(text.contains(&note), "{text}");
    // Readers need no lock.
    for command in
        ["export --from 2020-01-01 --to 2100-01-01", "history check", "history backup copy.db"]
    {
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = run(&arguments, first.folder());
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The last values are the first's, and a stop of the second leaves them.
    let last = first.folder().join("pumphouse.last.json");
    eventually("the first saves the last values", || last.exists());
    std::fs::write(&last, "of the first").unwrap();
    let mut third = first.start_again(&config(&upstream));
    third.eventually_status("it polls", |status| status["sources"]["tank"]["state"] == "fresh");
    third.signal("TERM");
    assert_eq!(third.wait().code(), Some(0));
    assert_eq!(std::fs::read_to_string(&last).unwrap(), "of the first");

    let before = times(&first.get(RAW));
    first.signal("KILL");
    second.wait_for_log("this one takes over");
    eventually("the second records", || {
        let after = times(&second.get(RAW));
        after.len() > before.len() && before.iter().all(|at| after.contains(at))
    });
    assert_eq!(second.metric("pumphouse_history_lock_held"), 1);
    eventually("the second saves the last values", || {
        std::fs::read_to_string(&last).unwrap().contains("tank")
    });
}

#[test]
fn lock_file_that_cannot_be_locked_is_warned_of_and_the_history_recorded() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let first = Server::start(&config(&upstream).set("history.enabled", false));
    std::fs::create_dir(first.folder().join("pumphouse.db.lock")).unwrap();
    let server = first.start_again(&config(&upstream));
    server.wait_for_log("cannot lock the history");
    eventually("it is reported", || server.metric("pumphouse_history_lock_held") == 0);
    assert_eq!(server.metric("pumphouse_history_up"), 1);
    let board = json(&server, "/scoreboard");
    let reason = board["recorder"]["unlocked"].as_str().unwrap();
    assert!(reason.contains("pumphouse.db.lock"), "{board}");
    let admin = server.admin.to_string();
    let doctor = run(&["doctor", "--admin", &admin], server.folder());
    assert_eq!(doctor.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("cannot lock the history"));
    eventually("it records", || times(&server.get(RAW)).len() > 1);
}

#[test]
fn restart_behind_a_passed_socket_loses_no_observation() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Each process has a source of its own, so that no observation counts for both.
    let start = |source: &str| {
        let source = Source::json(source, &upstream.url());
        Config::new()
            .open()
            .listen("fd:0")
            .set("server.admin_listen", "127.0.0.1:0")
            .set("history.flush", "1h")
            .source(source.value("level", "/level", "%").set("interval", "1s"))
            .write(folder.path());
        let mut command = Command::new(BINARY);
        let stdin = Stdio::from(OwnedFd::from(held.try_clone().unwrap()));
        command.arg("serve").current_dir(folder.path()).env_remove("RUST_LOG").stdin(stdin);
        let process = Process::start_logged(&mut command);
        let admin = process.log().wait_for_address("admin listener on http://");
        (process, admin)
    };
    let ask = |address: SocketAddr, target: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(get(target).as_bytes()).unwrap();
        String::from_utf8(read_response(&mut stream).unwrap()).unwrap()
    };
    let polls = |admin: SocketAddr, source: &str| -> usize {
        let metrics = ask(admin, "/metrics");
        let sample = format!("pumphouse_polls_total{{source=\"{source}\",outcome=\"ok\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&sample));
        line.map_or(0, |count| count.parse().unwrap())
    };
    let (mut old, old_admin) = start("before");
    eventually("the old one has polled", || polls(old_admin, "before") > 1);
    let (mut new, new_admin) = start("after");
    eventually("the new one has polled", || polls(new_admin, "after") > 1);
    let seen = [("before", polls(old_admin, "before")), ("after", polls(new_admin, "after"))];
    assert_eq!(old.stop(), Some(0));
    eventually("the new one serves", || code(&ask(address, "/ping")) == 200);
    new.log().wait_for("this one takes over");
    assert_eq!(new.stop(), Some(0));
    let exported = run(&["export", "--from", "2020-01-01", "--to", "2100-01-01"], folder.path());
    let text = String::from_utf8(exported.stdout).unwrap();
    for (source, polls) in seen {
        let rows = text.lines().filter(|line| line.contains(source)).count();
        assert!(rows >= polls, "{rows} of {polls} observations of {source}: {text}");
    }
}
