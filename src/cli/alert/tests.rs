//! The commands against a server of the test.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::thread::JoinHandle;

use super::*;

const LEAK: &str = r#"{"alerts":[{"name":"leak","state":"firing","severity":"critical",
    "source":"tank","silenced_until":"2026-02-01T00:00:00Z"}],"incidents":[]}"#;

fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Answers one request, and returns it.
fn answer(mut stream: impl std::io::Read + std::io::Write, response: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.extend_from_slice(&byte);
    }
    stream.write_all(response.as_bytes()).unwrap();
    String::from_utf8(request).unwrap()
}

/// Serves one request over a unix socket. Returns its address, and the request.
fn serve(folder: &tempfile::TempDir, response: String) -> (String, JoinHandle<String>) {
    let path = folder.path().join("admin.sock");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || answer(listener.accept().unwrap().0, &response));
    (format!("unix:{}", path.display()), thread)
}

fn run(words: &[&str]) -> Result<String, Failure> {
    AlertCommand::from_args(&["alert"], words).map_err(|exit| Failure::usage(exit.output))?.text()
}

#[test]
fn command_sends_its_request_and_prints_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    for (words, line, printed) in [
        (&["list"][..], "GET /api/v1/alerts?incidents=0 ", "STATE "),
        (&["list", "--json"], "GET /api/v1/alerts ", "{\"alerts\""),
        (
            &["ack", "leak"],
            "POST /api/v1/alerts/leak/acknowledge ",
            "leak is acknowledged.\n\nSTATE",
        ),
        (
            &["ack", "leak", "--source", "a b"],
            "POST /api/v1/alerts/leak/acknowledge?source=a%20b ",
            "leak is acknowledged.",
        ),
        (
            &["silence", "leak", "--for", "8h"],
            "POST /api/v1/alerts/leak/silence?for=8h ",
            "leak is silenced until 2026-02-01T00:00:00Z.",
        ),
        (&["unsilence", "a/b"], "POST /api/v1/alerts/a%2Fb/unsilence ", "a/b is not silenced."),
        (
            &["test", "--channel", "phone"],
            "POST /api/v1/channels/phone/test ",
            "The channel phone has taken a test message.",
        ),
    ] {
        let (admin, request) = serve(&folder, response(200, LEAK));
        let text = run(&[words, &["--admin", &admin]].concat()).unwrap();
        assert!(text.starts_with(printed), "{words:?}: {text}");
        let request = request.join().unwrap();
        assert!(request.starts_with(line), "{request}");
        assert!(!request.contains("Authorization"), "a unix socket needs no token: {request}");
        if line.starts_with("POST") {
            assert!(request.contains("\r\nContent-Type: application/json\r\n"), "{request}");
        }
    }
}

#[test]
fn reason_of_the_server_is_the_failure_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    for (status, body, expected, code) in [
        (409, r#"{"detail":"The alert does not fire."}"#, "The alert does not fire. (409)", 1),
        (503, r#"{"detail":"Retry in 1 s."}"#, "Retry in 1 s. (503)", 75),
        (
            404,
            r#"{"detail":"There is nothing at this address."}"#,
            "older than this program (404)",
            1,
        ),
        (502, "<html>", "the server gives no reason (502)", 1),
        (200, "<html>", "not as expected", 1),
    ] {
        let (admin, request) = serve(&folder, response(status, body));
        let failure = run(&["ack", "leak", "--admin", &admin]).unwrap_err();
        request.join().unwrap();
        assert!(failure.to_string().contains(expected), "{failure}");
        assert_eq!(failure.exit_code(), ExitCode::from(code), "{status}");
    }
    // Nothing listens on the socket any more.
    let admin = format!("unix:{}", folder.path().join("admin.sock").display());
    let failure = run(&["list", "--admin", &admin]).unwrap_err();
    assert_eq!(failure.exit_code(), ExitCode::from(75), "{failure}");
    let nowhere = format!("unix:{}", folder.path().join("none.sock").display());
    let failure = run(&["list", "--admin", &nowhere]).unwrap_err();
    assert_eq!(failure.exit_code(), ExitCode::from(1), "{failure}");
}

#[test]
fn token_is_sent_over_tcp_and_its_absence_is_explained_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "pumphouse_secret\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = listener.local_addr().unwrap().to_string();
    let thread =
        std::thread::spawn(move || answer(listener.accept().unwrap().0, &response(200, LEAK)));
    let words = ["unsilence", "leak", "--admin", &admin];
    if std::env::var_os("PUMPHOUSE_TOKEN").is_none() {
        let failure = run(&words).unwrap_err();
        assert_eq!(failure.exit_code(), ExitCode::from(2));
        assert!(failure.to_string().contains("pumphouse-web token new"), "{failure}");
    }
    run(&[&words[..], &["--token-file", file.to_str().unwrap()]].concat()).unwrap();
    let request = thread.join().unwrap();
    assert!(request.contains("\r\nAuthorization: Bearer pumphouse_secret\r\n"), "{request}");
}

#[test]
fn length_of_a_silence_is_checked_before_any_request() {
    for (length, is_allowed) in [
        ("8h", true),
        ("1s", true),
        ("0s", false),
        ("10ms", false),
        ("9000h", false),
        ("1y", false),
        ("x", false),
    ] {
        assert_eq!(silence_length(length).is_ok(), is_allowed, "{length}");
        let error = silence_length(length).err();
        assert!(error.is_none_or(|error| error.contains("30m, 8h or 2d")), "{length}");
    }
}
