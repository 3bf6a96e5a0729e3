//! What is logged, and how.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::{BINARY, Server, Setup};
use hostile::client::Client;
use hostile::mode::Mode;

const ASK: &str = "GET /ping?secret=s3cret HTTP/1.1\r\nHost: localhost\r\n";

fn id_of(response: &str) -> &str {
    let line = response.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    line.unwrap_or_else(|| panic!("no x-request-id in {response}"))
}

#[test]
fn a_request_is_found_in_the_log_by_its_id() {
    let shell = "export RUST_LOG=debug PUMPHOUSE_LOG_FORMAT=json";
    let server = Server::start(&Setup { shell, ..Setup::default() });
    let response = server.ask(&format!("{ASK}X-Request-Id: mine\r\n\r\n"));
    let id = id_of(&response);
    assert_eq!(id.len(), 16, "anybody could have written the other: {response}");
    let line = server.wait_for_log(id);
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(told["request_id"], id);
    for (member, expected) in [
        ("level", "debug".into()),
        ("client", "127.0.0.1".into()),
        ("method", "GET".into()),
        ("route", "/ping".into()),
        ("status", Value::from(200)),
    ] {
        assert_eq!(told[member], expected, "{line}");
    }
    assert!(told["seconds"].as_f64().unwrap() < 10.0, "{line}");
    assert!(told["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");

    let refused = server.ask("GET / HTTP/1.1\r\n\r\n");
    let line = server.wait_for_log(id_of(&refused));
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["status"], 400, "{line}");
    for line in server.log() {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "no JSON: {line}");
        assert!(!line.contains("s3cret"), "a query was logged: {line}");
    }
}

#[test]
fn a_trusted_proxys_id_goes_through() {
    let keys = "trusted_proxies = [\"127.0.0.1\"]";
    let shell = "export RUST_LOG=debug";
    let server = Server::start(&Setup { server: keys, shell, ..Setup::default() });
    let response = server.ask(&format!("{ASK}X-Request-Id: 0af7-651916cd\r\n\r\n"));
    assert_eq!(id_of(&response), "0af7-651916cd");
    let line = server.wait_for_log("0af7-651916cd");
    assert!(line.contains("DEBUG 127.0.0.1 GET /ping 200"), "{line}");
    assert!(!line.contains('\u{1b}'), "no colours in a pipe: {line:?}");
}

#[test]
fn slow_requests_are_warned_of() {
    let sources = "[log]\nslow_request = \"1us\"\n";
    let server = Server::start(&Setup { sources, ..Setup::default() });
    let id = id_of(&server.get("/ping")).to_owned();
    let line = server.wait_for_log("slow: 127.0.0.1 GET /ping 200");
    assert!(line.contains("WARN") && line.ends_with(&id), "{line}");
    // By HUP, the bound is another.
    let config = server.folder().join("pumphouse.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("1us", "1m");
    std::fs::write(&config, text).unwrap();
    server.signal("HUP");
    server.wait_for_log("[log] slow_request changed");
    let id = id_of(&server.get("/ping")).to_owned();
    server.get("/ping");
    assert!(!server.log().iter().any(|line| line.contains(&id)), "it was not slow");
}

#[test]
fn evicted_connections_are_logged() {
    let server = Server::start(&Setup { server: "max_connections = 16", ..Setup::default() });
    let crowd: Vec<_> = (0..40)
        .filter_map(|_| Client::start(Mode::Silent, server.address, &server.client).ok())
        .collect();
    let line = server.wait_for_log("connections evicted at a cap: ");
    assert!(line.contains("INFO"), "{line}");
    drop(crowd);
}

#[test]
fn colours_on_a_terminal_and_nowhere_else() {
    for (format, coloured) in [("text", true), ("json", false)] {
        // `script` gives it a terminal, and its shell tells whom to end.
        let command = format!(
            "echo PID=$$; exec {BINARY} demo --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
             --log-format {format}"
        );
        let mut terminal = Command::new("script")
            .args(["-qfec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is needed: apt-get install bsdutils");
        let mut lines = BufReader::new(terminal.stdout.take().unwrap()).lines();
        let mut told = Vec::new();
        for line in lines.by_ref().map_while(Result::ok) {
            told.push(line);
            if told.last().unwrap().contains("admin listener on") {
                break;
            }
        }
        let process = told[0].trim().strip_prefix("PID=").unwrap_or_else(|| panic!("{told:?}"));
        assert!(Command::new("kill").arg(process).status().unwrap().success());
        told.extend(lines.map_while(Result::ok));
        terminal.wait().unwrap();
        let told = told.join("\n");
        assert!(told.contains("stopping"), "{told}");
        assert_eq!(told.contains('\u{1b}'), coloured, "{format}: {told:?}");
    }
}

#[test]
fn formats_that_are_none() {
    for (arguments, variable) in [(&["--log-format", "xml"][..], ""), (&[], "xml")] {
        let output = Command::new(BINARY)
            .arg("demo")
            .args(arguments)
            .env("PUMPHOUSE_LOG_FORMAT", variable)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("\"xml\" is no format of the log"), "{told}");
    }
}
