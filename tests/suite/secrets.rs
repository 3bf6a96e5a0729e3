//! Planted secrets turn up nowhere: not in logs, JSON, HTML, metrics, `check` or errors; not even
//! when the upstream echoes what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use crate::server::{BINARY, Server, Setup};

/// Answers every request with the request itself.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let body = String::from_utf8_lossy(&request[..length]).into_owned();
            let status = if body.contains("refuse") { "403 Forbidden" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = TcpStream::write_all(&mut stream, (head + &body).as_bytes());
        }
    });
    address
}

#[test]
fn planted_secrets_turn_up_nowhere() {
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
        "#,
        file = secret_file.path().display()
    );
    let shell = "export RUST_LOG=debug S3CRET_PASSWORD=s3cretPassword";
    let server = Server::start(&Setup { sources: &sources, shell, ..Setup::default() });
    let failed = |status: &serde_json::Value| {
        ["share", "device", "station", "query", "login"]
            .iter()
            .all(|name| status["sources"][name]["error"].is_object())
    };
    server.eventually_status("every source has failed", failed);

    let mut told = server.log().join("\n");
    assert!(told.contains("the answer begins"), "the echo is logged: {told}");
    for target in ["/", "/api/v1/status", "/api/v1/sources", "/api/v1/sources/login", "/readyz"] {
        told += &server.get(target);
    }
    for target in ["/metrics", "/scoreboard", "/healthz"] {
        told += &server.admin_get(target);
    }
    for arguments in [&["check"][..], &["check", "--poll"]] {
        let output = Command::new(BINARY)
            .args(arguments)
            .current_dir(server.folder())
            .env("S3CRET_PASSWORD", "s3cretPassword")
            .output()
            .unwrap();
        told += &String::from_utf8_lossy(&output.stdout);
        told += &String::from_utf8_lossy(&output.stderr);
    }
    assert!(told.contains("polled station"), "check --poll told its results: {told}");
    let lower = told.to_lowercase();
    // As planted, and as Basic tells the password: printf me:s3cretPassword | base64.
    for secret in ["s3cret", "bwu6czncmv0ugfzc3dvcmq", "bwu6czny"] {
        if let Some(at) = lower.find(secret) {
            panic!("{}", &told[at.saturating_sub(200)..(at + 40).min(told.len())]);
        }
    }
}
