//! Log lines: requests, slow requests, evictions, formats and colours.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use hostile::client::Client;
use hostile::config::Config;
use hostile::mode::Mode;
use serde_json::Value;

use crate::harness::eventually;
use crate::server::{BINARY, Server};

const ASK: &str = "GET /ping?secret=s3cret HTTP/1.1\r\nHost: localhost\r\n";

fn id_of(response: &str) -> &str {
    let line = response.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    line.unwrap_or_else(|| panic!("no x-request-id in {response}"))
}

#[test]
fn request_is_logged_with_its_id() {
    let shell = "export RUST_LOG=debug PUMPHOUSE_LOG_FORMAT=json";
    let server = Server::start_after(shell, &Config::https());
    let response = server.ask(&format!("{ASK}X-Request-Id: mine\r\n\r\n"));
    let id = id_of(&response);
    assert_eq!(id.len(), 16, "the id of an untrusted client was kept: {response}");
    let line = server.wait_for_log(id);
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(entry["request_id"], id);
    for (member, expected) in [
        ("level", "debug".into()),
        ("client", "127.0.0.1".into()),
        ("method", "GET".into()),
        ("route", "/ping".into()),
        ("status", Value::from(200)),
    ] {
        assert_eq!(entry[member], expected, "{line}");
    }
    assert!(entry["seconds"].as_f64().unwrap() < 10.0, "{line}");
    assert!(entry["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");

    let refused = server.ask("GET / HTTP/1.1\r\n\r\n");
    let line = server.wait_for_log(id_of(&refused));
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["status"], 400, "{line}");
    for line in server.log() {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "no JSON: {line}");
        assert!(!line.contains("s3cret"), "a query was logged: {line}");
    }
}

#[test]
fn request_id_of_a_trusted_proxy_is_kept() {
    let config = Config::https().set("server.trusted_proxies", ["127.0.0.1"]);
    let server = Server::start_after("export RUST_LOG=debug", &config);
    let response = server.ask(&format!("{ASK}X-Request-Id: 0af7-651916cd\r\n\r\n"));
    assert_eq!(id_of(&response), "0af7-651916cd");
    let line = server.wait_for_log("0af7-651916cd");
    assert!(line.contains("DEBUG 127.0.0.1 GET /ping 200"), "{line}");
    assert!(!line.contains('\u{1b}'), "colours in a pipe: {line:?}");
}

#[test]
fn slow_request_is_logged_as_a_warning() {
    let config = Config::https().set("log.slow_request", "1us");
    let server = Server::start(&config);
    let id = id_of(&server.get("/ping")).to_owned();
    let line = server.wait_for_log("slow: 127.0.0.1 GET /ping 200");
    assert!(line.contains("WARN") && line.ends_with(&id), "{line}");
    // At most one line a second is logged.
    eventually("the lines left out are counted", || {
        server.get("/ping");
        server.log().iter().any(|line| line.contains(" more like it since the last line)"))
    });
    // HUP changes the threshold.
    let line = server.reload(&config.set("log.slow_request", "1m"));
    assert!(line.contains("[log] slow_request changed"), "{line}");
    let id = id_of(&server.get("/ping")).to_owned();
    server.get("/ping");
    assert!(
        !server.log().iter().any(|line| line.contains(&id)),
        "a fast request was logged as slow"
    );
}

#[test]
fn evicted_connections_are_logged() {
    let server = Server::start(&Config::https().set("server.max_connections", 16));
    let crowd: Vec<_> = (0..40)
        .filter_map(|_| Client::start(Mode::Silent, server.address, &server.client).ok())
        .collect();
    let line = server.wait_for_log("connections evicted at a cap: ");
    assert!(line.contains("INFO"), "{line}");
    drop(crowd);
}

#[test]
fn text_log_on_a_terminal_is_coloured_and_json_is_not() {
    for (format, coloured) in [("text", true), ("json", false)] {
        // `script` provides a terminal; its shell prints the process id.
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
        let mut printed = Vec::new();
        for line in lines.by_ref().map_while(Result::ok) {
            printed.push(line);
            if printed.last().unwrap().contains("admin listener on") {
                break;
            }
        }
        let process =
            printed[0].trim().strip_prefix("PID=").unwrap_or_else(|| panic!("{printed:?}"));
        assert!(Command::new("kill").arg(process).status().unwrap().success());
        printed.extend(lines.map_while(Result::ok));
        terminal.wait().unwrap();
        let printed = printed.join("\n");
        assert!(printed.contains("stopping"), "{printed}");
        assert_eq!(printed.contains('\u{1b}'), coloured, "{format}: {printed:?}");
    }
}

#[test]
fn unknown_log_format_is_refused() {
    for (arguments, variable, code) in [(&["--log-format", "xml"][..], "", 2), (&[], "xml", 1)] {
        let output = Command::new(BINARY)
            .arg("demo")
            .args(arguments)
            .env("PUMPHOUSE_LOG_FORMAT", variable)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains("\"xml\" is not a log format"), "{printed}");
    }
}
