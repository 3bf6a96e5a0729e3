//! Planted secrets appear in no log, JSON, HTML, metric, output of `check` or error, even if the
//! upstream echoes its requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hostile::config::Config;

use crate::harness::eventually;
use crate::server::{BINARY, Server, json};

/// Starts an upstream that responds with the request itself: as text, as JSON with the request in it,
/// or in a refusal.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread ends with the test program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let line = request.lines().next().unwrap_or_default();
            let (status, body) = if line.starts_with("GET /json") {
                ("200 OK", as_json(&request))
            } else if line.starts_with("GET /v1/devices") {
                ("401 Unauthorized", serde_json::json!({ "error": line }).to_string())
            } else if line.starts_with("GET /refuse") {
                ("403 Forbidden", request)
            } else {
                ("200 OK", request)
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = TcpStream::write_all(&mut stream, (head + &body).as_bytes());
        }
    });
    address
}

/// Returns JSON with the request line, the header fields by their names, and a text that is cut in the
/// middle of the request line.
fn as_json(request: &str) -> String {
    let mut lines = request.lines();
    let line = lines.next().unwrap_or_default();
    let headers: serde_json::Map<String, serde_json::Value> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
        .collect();
    let before_key = line.find("s3cret").unwrap_or(0);
    let long = format!("{}{line}", ".".repeat(190 - before_key));
    serde_json::json!({ "line": line, "headers": headers, "long": long }).to_string()
}

#[test]
fn planted_secrets_appear_in_no_output() {
    let echo = echo();
    let secret_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret_file.path(), "s3cretFile\n").unwrap();
    let sources = format!(
        r#"
        [[source]]
        name = "share"
        kind = "ptlevel"
        url = "http://{echo}/s/s3cretShare"
        height = 58
        capacity = 1400
        [[source]]
        name = "device"
        kind = "ptdevices"
        url = "http://{echo}"
        device = "200"
        token = "s3cretToken"
        timezone = "America/Denver"
        [[source]]
        name = "station"
        kind = "ambient"
        url = "http://{echo}"
        api_key = "s3cretApiKey"
        application_key = "s3cretAppKey"
        [[source]]
        name = "query"
        kind = "json"
        url = "http://{echo}/refuse?key=s3cretQuery"
        bearer_file = "{file}"
        [source.headers]
        x-key = "s3cretHeader"
        [source.values.v]
        pointer = "/v"
        [[source]]
        name = "login"
        kind = "json"
        url = "http://{echo}/data?key=s3cretQuery"
        [source.basic]
        username = "me"
        password = "${{S3CRET_PASSWORD}}"
        [source.values.v]
        pointer = "/v"
        [[source]]
        name = "shown"
        kind = "json"
        url = "http://{echo}/json?days=1&key=s3cretQuery"
        [source.headers]
        x-key = "Token s3cretHeader"
        [source.basic]
        username = "me"
        password = "${{S3CRET_PASSWORD}}"
        [source.values.line]
        pointer = "/line"
        [source.values.sent]
        pointer = "/headers/authorization"
        [source.values.key]
        pointer = "/headers/x-key"
        [source.values.long]
        pointer = "/long"
        [[source]]
        name = "posted"
        kind = "json"
        url = "http://{echo}/json"
        method = "GET"
        body = '{{"days":1,"password":"s3cretBody"}}'
        query = {{ days = 1, code = "s3cret Code" }}
        digest = {{ username = "me", password = "s3cretDigest" }}
        [source.values.line]
        pointer = "/line"
        [[source]]
        name = "proxied"
        kind = "json"
        url = "http://{echo}/json"
        proxy = "http://me:s3cretProxy@{echo}"
        [source.values.line]
        pointer = "/line"
        [[source]]
        name = "base"
        kind = "open-meteo"
        url = "http://{echo}/refuse?apikey=s3cretBase"
        latitude = 1
        longitude = 2
        [[source]]
        name = "bearer"
        kind = "json"
        url = "http://{echo}/json"
        bearer = "s3cretBearer"
        [source.values.sent]
        pointer = "/headers/authorization"
        "#,
        file = secret_file.path().display()
    );
    let shell = "export RUST_LOG=debug S3CRET_PASSWORD=s3cretPassword";
    let server = Server::start_after(shell, &Config::https().append(&sources));
    let failed = |status: &serde_json::Value| {
        ["share", "device", "station", "query", "login", "base", "proxied"]
            .iter()
            .all(|name| status["sources"][name]["error"].is_object())
    };
    server.eventually_status("every source has failed", failed);
    let shown = |status: &serde_json::Value| {
        ["shown", "bearer"].iter().all(|name| status["sources"][name]["values"]["sent"].is_object())
            && status["sources"]["posted"]["values"]["line"].is_object()
    };
    let status = server.eventually_status("what is echoed as JSON is shown", shown);
    // The secret is replaced, and the rest is present.
    for (source, field, expected) in [
        ("shown", "line", "GET /json?days=1&key=[secret] HTTP/1.1"),
        ("shown", "sent", "Basic [secret]"),
        ("posted", "line", "GET /json?days=1&code=[secret] HTTP/1.1"),
        ("shown", "key", "[secret]"),
        ("bearer", "sent", "Bearer [secret]"),
    ] {
        assert_eq!(
            status["sources"][source]["values"][field]["value"], expected,
            "{source}.{field}"
        );
    }
    let refusal = status["sources"]["station"]["error"]["message"].as_str().unwrap();
    assert!(refusal.contains("apiKey=[secret]&applicationKey=[secret]"), "{refusal}");
    eventually("the failures are among the events", || {
        let events = json(&server.get("/api/v1/events"));
        let began = |event: &&serde_json::Value| event["kind"] == "error_began";
        events["events"].as_array().is_some_and(|all| all.iter().filter(began).count() == 7)
    });

    let mut output = server.log().join("\n");
    assert!(output.contains("the response begins"), "the echo is logged: {output}");
    for target in [
        "/",
        "/source/station",
        "/source/shown",
        "/source/login",
        "/source/posted",
        "/source/proxied",
        "/source/base",
        "/api/v1/status",
        "/api/v1/sources",
        "/api/v1/sources/login",
        "/api/v1/values/shown.line",
        "/api/v1/values/shown.long.txt",
        "/api/v1/events",
        "/api/v1/history?field=shown.line&hours=1",
        "/api/v1/history?field=station.temperature&hours=1&format=csv",
        "/openapi.json",
        "/readyz",
    ] {
        output += &server.get(target);
    }
    for target in ["/metrics", "/scoreboard", "/healthz"] {
        output += &server.admin_get(target);
    }
    for arguments in [&["check"][..], &["check", "--poll"]] {
        let checked = Command::new(BINARY)
            .args(arguments)
            .current_dir(server.folder())
            .env("S3CRET_PASSWORD", "s3cretPassword")
            .output()
            .unwrap();
        output += &String::from_utf8_lossy(&checked.stdout);
        output += &String::from_utf8_lossy(&checked.stderr);
    }
    assert!(output.contains("polled station"), "check --poll printed its results: {output}");
    assert!(output.contains("days=1"), "text that is not secret was removed: {output}");
    let lower = output.to_ascii_lowercase();
    // Each secret as planted, and in the encoding of Basic.
    let basic = BASE64_STANDARD.encode("me:s3cretPassword");
    let inside = BASE64_STANDARD.encode("s3cret");
    assert!(basic.contains(&inside), "the encoded secret is aligned to three bytes");
    let proxied = BASE64_STANDARD.encode("me:s3cretProxy");
    assert!(proxied.contains(&inside));
    for secret in ["s3cret", &inside.to_ascii_lowercase()] {
        if let Some(at) = lower.find(secret) {
            let start = (0..=at.saturating_sub(200)).rev().find(|at| output.is_char_boundary(*at));
            panic!("{}", &output[start.unwrap_or(0)..].chars().take(300).collect::<String>());
        }
    }
}
