//! Common HTTP clients over TLS, with the certificate checked. The browser is in `browser`.

use std::process::{Command, Output, Stdio};

use hostile::config::Config;
use serde_json::Value as Json;

use crate::server::{Server, body, json};

/// A server, and a shell that has its URL and its certificate.
struct Fixture {
    server: Server,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { server: Server::start(&Config::https()) }
    }

    fn shell(&self, line: &str) -> Output {
        Command::new("sh")
            .args(["-euc", line])
            .current_dir(self.server.folder())
            .env("PORT", self.server.address.port().to_string())
            .env("URL", format!("https://localhost:{}", self.server.address.port()))
            // Otherwise httpie stores a session, and Python a cache, in the home folder.
            .env("HOME", self.server.folder())
            // requests gives these precedence over the settings of a session.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn output(&self, line: &str) -> String {
        let output = self.shell(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Requires that the line fails because it does not trust the certificate.
    fn refused(&self, line: &str) {
        let output = self.shell(line);
        assert!(!output.status.success(), "{line} trusted an unknown certificate: {output:?}");
    }
}

fn is_status(text: &str) {
    let status: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(status["service"]["name"], "pumphouse-web");
}

#[test]
fn curl_checks_the_certificate_and_is_served() {
    let fixture = Fixture::new();
    is_status(&fixture.output("curl -sSf --cacert cert.pem $URL/api/v1/status"));
    for options in
        ["--http1.0", "--http1.1", "--compressed", "--http2", "--tlsv1.3", "--tls-max 1.2"]
    {
        let output =
            fixture.output(&format!("curl -sSf --cacert cert.pem {options} $URL/openapi.json"));
        assert!(output.starts_with("{\"openapi\":\"3.1."), "{options}");
    }
    let head = fixture.output("curl -sSfI --cacert cert.pem $URL/api/v1/status");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\netag: \""), "{head}");
    let reused = fixture.output(
        "curl -sSf --cacert cert.pem -o /dev/null -o /dev/null -w '%{num_connects}' $URL/ping $URL/ping",
    );
    assert_eq!(reused, "10", "the second request did not reuse the connection");
    let failed = fixture.shell("curl -sf --cacert cert.pem $URL/nowhere");
    assert_eq!(failed.status.code(), Some(22));
    fixture.refused("curl -sSf $URL/ping");
}

#[test]
fn wget_checks_the_certificate_and_is_served() {
    let fixture = Fixture::new();
    is_status(&fixture.output("wget -q --ca-certificate=cert.pem -O - $URL/api/v1/status"));
    // wget sends a conditional request with the date.
    let twice = fixture.output(
        "get() { wget -q --ca-certificate=cert.pem -N -S \"$@\" 2>&1 | grep -o 'HTTP/1.1 ...'; }
         get $URL/openapi.json; test -s openapi.json; get --spider $URL/openapi.json",
    );
    assert_eq!(twice, "HTTP/1.1 200\nHTTP/1.1 200\n");
    assert_eq!(
        fixture.shell("wget -q --ca-certificate=cert.pem -O - $URL/nowhere").status.code(),
        Some(8)
    );
    fixture.refused("wget -q -O - $URL/ping");
}

#[test]
fn httpie_checks_the_certificate_and_is_served() {
    let fixture = Fixture::new();
    let http = "http --ignore-stdin --check-status --verify=cert.pem";
    is_status(&fixture.output(&format!("{http} --body $URL/api/v1/status")));
    let problem = fixture.shell(&format!("{http} --body $URL/api/v1/status colour==blue"));
    assert_eq!(problem.status.code(), Some(4), "{problem:?}");
    let problem: Json = serde_json::from_slice(&problem.stdout).unwrap();
    assert_eq!(problem["status"], 400);
    fixture.refused("http --ignore-stdin --check-status $URL/ping");
}

#[test]
fn python_requests_checks_the_certificate_and_is_served() {
    let fixture = Fixture::new();
    let program = "\
import os, requests
with requests.Session() as session:
    session.verify = 'cert.pem'
    first = session.get(os.environ['URL'] + '/openapi.json')
    first.raise_for_status()
    assert first.headers['content-encoding'] == 'gzip' and first.json()['openapi'] == '3.1.1'
    tag = {'If-None-Match': first.headers['etag']}
    assert session.get(first.url, headers=tag).status_code == 304
    missing = session.get(os.environ['URL'] + '/api/v1/values/tank.level')
    assert missing.status_code == 404 and missing.json()['detail'], missing.text
    print(session.get(os.environ['URL'] + '/api/v1/status').text)
try:
    requests.get(os.environ['URL'] + '/ping')
    raise SystemExit('it trusted an unknown certificate')
except requests.exceptions.SSLError:
    pass
";
    std::fs::write(fixture.server.folder().join("ask.py"), program).unwrap();
    // The library is installed for Debian's Python, which may not be the first on the path.
    is_status(&fixture.output(
        "python=python3; $python -c 'import requests' 2>/dev/null || python=/usr/bin/python3
         exec $python -B ask.py",
    ));
}

#[test]
fn openssl_s_client_checks_the_certificate_and_is_served() {
    let fixture = Fixture::new();
    for version in ["-tls1_2", "-tls1_3"] {
        let client = format!(
            "openssl s_client -connect localhost:$PORT -servername localhost -CAfile cert.pem \
             -verify_return_error -verify_hostname localhost -quiet {version}"
        );
        let request =
            r"printf 'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'";
        let response = fixture.output(&format!("{request} | {client} 2>/dev/null"));
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert_eq!(json(&response)["service"]["name"], "pumphouse-web", "{}", body(&response));
    }
    fixture.refused(
        "openssl s_client -connect localhost:$PORT -verify_return_error -verify_hostname localhost \
         </dev/null",
    );
}
