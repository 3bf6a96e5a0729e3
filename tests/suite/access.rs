//! Access control of the real program: levels of access, brute force at full speed, and the commands
//! that create password hashes and tokens.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hostile::client::{connect_tls, read_response};
use hostile::config::{Config, Source};
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::server::{BINARY, Server, body, code, run};

/// Runs a command of the program with this standard input.
fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may exit before it has read all of its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns a user with a hash that the program made.
pub fn user(name: &str, password: &str, scopes: &[&str]) -> Value {
    let made = run_with(&["hash-password"], password.as_bytes());
    assert!(made.status.success(), "{}", text(&made.stderr));
    json!({ "name": name, "password_hash": text(&made.stdout).trim_end(), "scopes": scopes })
}

/// Returns a configuration with the account `anna`, whose password is `right`.
pub fn with_anna() -> Config {
    Config::https().push("auth.user", user("anna", "right", &["read"]))
}

/// Returns the same where no delay of a throttled client ends during a test.
pub fn with_throttled_anna() -> Config {
    with_anna().set("auth.first_delay", "10m")
}

/// Returns a source whose upstream refuses connections.
pub fn source() -> Source {
    Source::json("well", "http://127.0.0.1:1/").value("level", "/level", "%")
}

/// Returns a token and its section, as the program printed them.
pub fn token(arguments: &[&str]) -> (String, String) {
    let made = run(&[&["token", "new"], arguments].concat(), Path::new("."));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (token, section) = text(&made.stdout).split_once("\n\n").unwrap();
    (token.to_owned(), section.to_owned())
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

pub fn request(method: &str, target: &str, credentials: &str, from: &str) -> String {
    let authorization = match credentials {
        "" => String::new(),
        credentials => format!("Authorization: {credentials}\r\n"),
    };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {from}\r\n\
         {authorization}\r\n"
    )
}

pub fn metric(server: &Server, name: &str) -> usize {
    let page = server.admin_get("/metrics");
    let value = body(&page).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

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

/// Sends guesses at full speed on one connection, until this number of them were throttled.
fn guess_until_throttled(server: &Server, times: usize, attempt: impl Fn(usize) -> String) {
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    let mut throttled = 0;
    for number in 0..MOST_GUESSES {
        stream.write_all(attempt(number).as_bytes()).unwrap();
        let answer = read_response(&mut stream).unwrap();
        match code(text(&answer)) {
            429 => throttled += 1,
            401 | 503 => {}
            code => panic!("a guess was answered {code}"),
        }
        if throttled == times {
            return;
        }
    }
    panic!("{MOST_GUESSES} guesses, and throttled {throttled} times");
}

/// Number of guesses on one connection after which the test fails.
const MOST_GUESSES: usize = 1_000_000;

/// Runs an attack on several connections, while canaries visit that must all be served. Returns the
/// number of their visits.
fn under_attack(server: &Server, good: &[(&str, String)], attack: impl Fn(usize) + Sync) -> usize {
    let visits = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..8)
            .map(|number| {
                let attack = &attack;
                scope.spawn(move || attack(number))
            })
            .collect();
        while !attackers.iter().all(|attacker| attacker.is_finished()) {
            for (target, credentials) in good {
                let answer = server.ask(&request("GET", target, credentials, "192.0.2.1"));
                assert_eq!(code(&answer), 200, "{target}: {answer}");
                visits.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    visits.into_inner()
}

#[test]
fn brute_force_costs_few_verifications_and_delays_no_other_client() {
    /// Number of throttled guesses after which an attacking connection ends.
    const REFUSALS: usize = 200;
    /// Number of guesses that were being verified when the first delay began.
    const UNDER_WAY: usize = 4;
    let (token, read) = token(&[]);
    let config = with_throttled_anna()
        .set("auth.max_throttled", 64)
        .set("auth.longest_delay", "1h")
        .append(&read)
        // So that this machine can send from many addresses.
        .set("server.trusted_proxies", ["127.0.0.1"]);
    let server = Server::start(&config);
    let good = [
        ("/api/v1/status", basic("anna", "right")),
        ("/api/v1/status", format!("Bearer {token}")),
        ("/ping", String::new()),
    ];
    let verified = || metric(&server, "pumphouse_auth_verifications_total");
    let anna = server.ask(&request("GET", "/", &good[0].1, "192.0.2.1"));
    assert_eq!((code(&anna), verified()), (200, 1));

    // From one address, against one account and against many names.
    let visits = under_attack(&server, &good, |attacker| {
        guess_until_throttled(&server, REFUSALS, |number| {
            let name = if number % 2 == 0 { "anna".to_owned() } else { format!("user{number}") };
            let credentials = basic(&name, &format!("{attacker}-{number}"));
            request("GET", "/", &credentials, "198.51.100.1")
        });
    });
    assert!(visits >= good.len());
    let after_one = verified();
    assert!(after_one <= 1 + 6 + UNDER_WAY, "{after_one} verifications");

    // From many addresses, against one account.
    under_attack(&server, &good, |attacker| {
        guess_until_throttled(&server, REFUSALS, |number| {
            let from = format!("203.0.{attacker}.{}", number % 250);
            request("GET", "/", &basic("anna", &format!("{attacker}-{number}")), &from)
        });
    });
    let after_many = verified();
    assert!(after_many <= after_one + 21 + UNDER_WAY, "{after_many} verifications");

    // From many addresses, with tokens, and under as many names as there are guesses. No throttle
    // counts these; the limits of verifications refuse most passwords without comparing them.
    let refused = AtomicUsize::new(0);
    under_attack(&server, &good, |attacker| {
        let mut stream = connect_tls(server.address, &server.client).unwrap();
        for number in 0..200 {
            let from = format!("203.{attacker}.{}.1", number % 250);
            let credentials = match number % 2 {
                0 => format!("Bearer pumphouse_{attacker}-{number}"),
                _ => basic(&format!("user{attacker}-{number}"), "guess"),
            };
            stream.write_all(request("GET", "/", &credentials, &from).as_bytes()).unwrap();
            let response = read_response(&mut stream).unwrap();
            match code(text(&response)) {
                401 => {}
                503 => _ = refused.fetch_add(1, Ordering::Relaxed),
                other => panic!("{other}"),
            }
        }
    });
    let refused = refused.into_inner();
    assert!(refused > 0, "every password was compared");
    let failures = metric(&server, "pumphouse_auth_failures_total{reason=\"throttled\"}");
    assert!(failures >= 2 * 8 * REFUSALS, "{failures} were throttled");
    assert_eq!(code(&server.admin_get("/healthz")), 200);
    let lines = server.log();
    assert!(lines.len() < 200, "the log does not flood: {} lines", lines.len());
    assert!(
        lines.iter().any(|line| line.contains("too many failed attempts: 198.51.100.1")),
        "{lines:?}"
    );
}

#[test]
fn slow_verifications_delay_no_other_client() {
    // A hash that no password matches, and that costs a hundred times as much as usual.
    let hash = "$argon2id$v=19$m=65536,t=16,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
    let config = Config::https()
        .push("auth.user", json!({ "name": "anna", "password_hash": hash }))
        .set("server.workers", 2)
        .set("server.trusted_proxies", ["127.0.0.1"]);
    let server = Server::start(&config);
    let seen_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for attacker in 0..4 {
            let (server, seen_enough) = (&server, &seen_enough);
            scope.spawn(move || {
                for number in 0.. {
                    let from = format!("203.0.{attacker}.{}", number % 250);
                    let credentials = basic(&format!("u{attacker}-{number}"), "guess");
                    server.ask(&request("GET", "/", &credentials, &from));
                    if seen_enough.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        let busy = "pumphouse_auth_failures_total{reason=\"busy\"}";
        for _ in 0..3 {
            let before = metric(&server, busy);
            eventually("a verification is refused as busy", || metric(&server, busy) > before);
            for _ in 0..5 {
                assert_eq!(code(&server.get("/ping")), 200);
            }
        }
        seen_enough.store(true, Ordering::SeqCst);
    });
}

#[test]
fn hash_password_refuses_empty_and_malformed_input() {
    let long = "x".repeat(1025);
    for (input, expected) in [
        ("correct horse\n", ""),
        ("correct horse\r\n", ""),
        ("", "the password is empty"),
        ("\n", "the password is empty"),
        (&*long, "longer than 1024 bytes"),
        ("two\nlines\n", "control character"),
    ] {
        let made = run_with(&["hash-password"], input.as_bytes());
        assert_eq!(made.status.success(), expected.is_empty(), "{input:?}");
        assert!(text(&made.stderr).contains(expected), "{}", text(&made.stderr));
        let printed = text(&made.stdout);
        let is_hash =
            printed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && printed.ends_with('\n');
        assert!(if expected.is_empty() { is_hash } else { printed.is_empty() }, "{printed}");
    }
    let invalid = run_with(&["hash-password"], b"\xff\n");
    assert!(text(&invalid.stderr).contains("not UTF-8"));
    let name = run(&["token", "new", "--name", "a:b"], Path::new("."));
    assert!(text(&name.stderr).contains("no colon"), "{}", text(&name.stderr));
    let scope = run(&["token", "new", "--scope", "raed"], Path::new("."));
    assert!(text(&scope.stderr).contains("expected read, poll, admin"));
}

/// Types each text once its prompt is shown and the terminal does not echo. Returns true if the
/// command succeeded, and all that the terminal showed.
fn on_a_terminal(typed: &[(&str, &str)]) -> (bool, String) {
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{BINARY} hash-password"))
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed: apt-get install bsdutils");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for (prompt, text) in typed {
        while !String::from_utf8_lossy(&shown).contains(prompt) {
            let mut byte = [0];
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        let terminal = terminal_below(child.id());
        eventually("the terminal does not echo", || {
            let modes = Command::new("stty").arg("--file").arg(&terminal).arg("--all").output();
            String::from_utf8(modes.unwrap().stdout).unwrap().contains(" -echo ")
        });
        writeln!(keys, "{text}").unwrap();
    }
    screen.read_to_end(&mut shown).unwrap();
    drop(keys);
    (child.wait().unwrap().success(), String::from_utf8(shown).unwrap())
}

/// Returns the terminal of a process's child.
fn terminal_below(process: u32) -> std::path::PathBuf {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap();
    let child = children.split_whitespace().next().unwrap();
    std::fs::read_link(format!("/proc/{child}/fd/0")).unwrap()
}

#[test]
fn hash_password_on_a_terminal_prompts_twice_without_echo() {
    let (made, shown) =
        on_a_terminal(&[("Password: ", "hunter2"), ("Repeat the password: ", "hunter2")]);
    assert!(made && shown.contains("$argon2id$"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let (made, shown) =
        on_a_terminal(&[("Password: ", "hunter2"), ("Repeat the password: ", "hunter3")]);
    assert!(
        !made && shown.contains("the passwords differ") && !shown.contains("$argon2id$"),
        "{shown}"
    );
    let (made, shown) = on_a_terminal(&[("Password: ", "")]);
    assert!(!made && shown.contains("empty") && !shown.contains("Repeat"), "{shown}");
}
