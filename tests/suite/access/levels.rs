//! Levels of access: what each credential permits, and how curl and wget send it.

use std::process::Command;

use hostile::config::Config;

use super::{basic, request, source, text, token, user, with_anna};
use crate::server::{Server, code, run};

#[test]
fn each_credential_gets_its_level_of_access() {
    let (reader, read) = token(&["--name", "reader"]);
    let (poller, poll) = token(&["--name", "poller", "--scope", "poll"]);
    let (boss, admin) = token(&["--name", "boss", "--scope", "admin"]);
    let config = with_anna().source(source()).append(&read).append(&poll).append(&admin);
    let server = Server::start(&config);
    let bearer = |token: &str| format!("Bearer {token}");
    // Status of a GET of the status, of a POST for a poll, and of a GET of no route.
    for (credentials, expected) in [
        (String::new(), [401, 401, 401]),
        (basic("anna", "wrong"), [401, 401, 401]),
        (basic("nobody", "right"), [401, 401, 401]),
        (bearer("pumphouse_wrong"), [401, 401, 401]),
        (basic("anna", "right"), [200, 403, 404]),
        (bearer(&reader), [200, 403, 404]),
        (bearer(&poller), [403, 404, 404]),
        (bearer(&boss), [200, 404, 404]),
    ] {
        let codes =
            [("GET", "/api/v1/status"), ("POST", "/api/v1/sources/none/poll"), ("GET", "/nowhere")]
                .map(|(method, target)| {
                    let answer = server.ask(&request(method, target, &credentials, "127.0.0.1"));
                    let head = answer.to_ascii_lowercase();
                    assert!(head.contains("strict-transport-security: max-age="), "{answer}");
                    assert!(!head.contains("\r\nserver:") && !answer.contains("anna"), "{answer}");
                    code(&answer)
                });
        assert_eq!(codes, expected, "{credentials}");
        assert_eq!(code(&server.ask(&request("GET", "/ping", &credentials, "127.0.0.1"))), 200);
    }
    let printed = run(&["check"], server.folder());
    let printed = text(&printed.stdout);
    for expected in [
        "user anna, scopes: read",
        "token poller, scopes: poll",
        "without an account also served: /ping, /healthz",
    ] {
        assert!(printed.contains(expected), "{expected} is not in {printed}");
    }
    assert!(!printed.contains("argon2") && !printed.contains("sha256"), "{printed}");
    let log = server.log().join("\n");
    assert!(!log.contains(&reader) && !log.contains("right") && !log.contains("argon2"), "{log}");
}

#[test]
fn curl_with_credentials_is_served() {
    let (token, read) = token(&[]);
    let anna = user("anna", "correct horse: battery", &["read"]);
    let server = Server::start(&Config::https().push("auth.user", anna).append(&read));
    let url = format!("https://localhost:{}/api/v1/status", server.address.port());
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--output", "/dev/null", "--cacert"])
            .arg(server.certificate())
            .args(["--write-out", "%{http_code}", &url])
            .args(arguments)
            .output()
            .unwrap();
        text(&output.stdout).to_owned()
    };
    assert_eq!(curl(&[]), "401");
    assert_eq!(curl(&["--user", "anna:correct horse: battery"]), "200");
    assert_eq!(curl(&["--anyauth", "--user", "anna:correct horse: battery"]), "200");
    assert_eq!(curl(&["--oauth2-bearer", &token]), "200");
}

#[test]
fn wget_with_credentials_is_served_after_a_challenge() {
    let (_, read) = token(&[]);
    let anna = user("anna", "correct horse: battery", &["read"]);
    let server = Server::start(&Config::https().push("auth.user", anna).append(&read));
    let wget = |path: &str, arguments: &[&str]| {
        let output = Command::new("wget")
            .args(["--quiet", "--output-document=-", "--ca-certificate"])
            .arg(server.certificate())
            .args(arguments)
            .arg(format!("https://localhost:{}{path}", server.address.port()))
            // Otherwise wget stores what it learns about hosts in the home folder.
            .env("HOME", server.folder())
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout).to_owned())
    };
    let right = ["--user=anna", "--password=correct horse: battery"];
    for (path, expected) in [("/api/v1/status", "{\"service\":"), ("/", "<!doctype html>")] {
        // wget sends a password only after a challenge for Basic.
        let (code, document) = wget(path, &right);
        assert_eq!(code, Some(0), "{path}");
        assert!(document.to_ascii_lowercase().starts_with(expected), "{document}");
        let at_once = [&right[..], &["--auth-no-challenge"]].concat();
        assert_eq!(wget(path, &at_once).0, Some(0), "{path}");
        // Exit code 6: authentication failure.
        assert_eq!(wget(path, &[]).0, Some(6), "{path}");
        assert_eq!(wget(path, &["--user=anna", "--password=wrong"]).0, Some(6), "{path}");
    }
}
