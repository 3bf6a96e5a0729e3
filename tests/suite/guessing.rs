//! Password guesses at full speed, against accounts in use: the server compares few of them, admits
//! none, and keeps serving the owners.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostile::client::{connect_tls, read_response};
use hostile::config::Config;

use crate::access::{basic, request, text, token, with_throttled_anna};
use crate::harness::eventually;
use crate::server::{Server, body, code};

const COMPARED: &str = "pumphouse_auth_comparisons_total{caller=\"stranger\"}";

/// Returns the configuration of a server that takes the client's address from a field, so that this
/// machine can send from many addresses.
fn behind_proxy() -> Config {
    with_throttled_anna().set("server.trusted_proxies", ["127.0.0.1"])
}

/// Sends `count` requests on one connection, each built from its number and the status codes before
/// it. Returns the status codes.
fn codes(server: &Server, count: usize, request: impl Fn(usize, &[u16]) -> String) -> Vec<u16> {
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    let mut codes = Vec::new();
    for number in 0..count {
        stream.write_all(request(number, &codes).as_bytes()).unwrap();
        codes.push(code(text(&read_response(&mut stream).unwrap())));
    }
    codes
}

/// Ends the owner's visits when dropped, also after a failed assertion.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Visits as the owner's open page and a script do, until the attack is over. Returns the number of
/// visits.
fn owners_visits(server: &Server, credentials: &[String], is_over: &AtomicBool) -> usize {
    let mut visits = 0;
    while !is_over.load(Ordering::SeqCst) {
        for credentials in credentials {
            let request_text = request("GET", "/api/v1/status", credentials, "192.0.2.1");
            assert_eq!(codes(server, 1, |_, _| request_text.clone()), [200]);
            visits += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    visits
}

#[test]
fn throttled_guess_at_a_remembered_account_is_refused() {
    const GUESSES: usize = 5000;
    const CONNECTIONS: usize = 4;
    let (token, read) = token(&[]);
    let server = Server::start(&behind_proxy().append(&read));
    let owner = [basic("anna", "right"), format!("Bearer {token}")];
    let request_text = request("GET", "/", &owner[0], "192.0.2.1");
    assert_eq!(codes(&server, 1, |_, _| request_text.clone()), [200]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = Over(&is_over);
        let visits = scope.spawn(|| owners_visits(&server, &owner, &is_over));

        // From one address: each connection fails until it is throttled, and then sends the right
        // password among wrong ones.
        let before = server.metric(COMPARED);
        let attackers: Vec<_> = (0..CONNECTIONS)
            .map(|attacker| {
                let server = &server;
                scope.spawn(move || {
                    codes(server, GUESSES / CONNECTIONS, |number, before| {
                        let guess = match before.last() {
                            Some(429) if number % 2 == 0 => basic("anna", "right"),
                            _ => basic("anna", &format!("{attacker}-{number}")),
                        };
                        request("GET", "/", &guess, "198.51.100.1")
                    })
                })
            })
            .collect();
        let received: Vec<u16> =
            attackers.into_iter().flat_map(|attacker| attacker.join().unwrap()).collect();
        let compared = server.metric(COMPARED) - before;
        assert!(!received.contains(&200), "a throttled guess was admitted");
        assert_eq!(
            (received.len(), compared),
            (GUESSES, 6),
            "other than five free guesses and one that is throttled were compared"
        );

        // From as many addresses as there are guesses, under as many names.
        let (before, begun) = (server.metric(COMPARED), Instant::now());
        let attackers: Vec<_> = (0..CONNECTIONS)
            .map(|attacker| {
                let server = &server;
                scope.spawn(move || {
                    codes(server, GUESSES / CONNECTIONS / 4, |number, _| {
                        let from = format!("203.{attacker}.{}.{}", number / 250, number % 250);
                        let guess = basic(&format!("u{attacker}-{number}"), "guess");
                        request("GET", "/", &guess, &from)
                    })
                })
            })
            .collect();
        let received: Vec<u16> =
            attackers.into_iter().flat_map(|attacker| attacker.join().unwrap()).collect();
        assert!(received.iter().all(|code| [401, 503].contains(code)));
        let compared = server.metric(COMPARED) - before;
        let seconds = begun.elapsed().as_secs() as usize + 2;
        assert!(compared <= 20 * seconds, "{compared} were compared in {seconds} s");

        drop(over);
        let visits = visits.join().unwrap();
        assert!(visits > 0, "the owner was served {visits} times");
    });
    let refused = server.metric("pumphouse_auth_failures_total{reason=\"throttled\"}");
    assert!(refused > 100, "{refused}");
}

/// Returns status code and response of curl over the unix socket, without fields that depend on the
/// time.
fn over_socket(folder: &Path, arguments: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .current_dir(folder)
        .args(["--silent", "--include", "--cacert", "cert.pem", "--unix-socket", "public.sock"])
        .args(arguments)
        .arg("https://localhost/api/v1/status")
        .output()
        .unwrap();
    let answer = text(&output.stdout).to_owned();
    let moments = ["date: ", "x-request-id: ", "retry-after: "];
    let stays = |line: &&str| !moments.iter().any(|it| line.to_ascii_lowercase().starts_with(it));
    (code(&answer), answer.lines().filter(stays).collect::<Vec<_>>().join("\n"))
}

/// Sends guesses for a name, each from another address, until `count` were compared. Waits while the
/// limit of unknown callers refuses them.
fn fail_from_many_addresses(server: &Server, name: &str, count: usize) {
    let mut failed = 0;
    for number in 0..200 {
        let guess = basic(name, &format!("guess {number}"));
        let request_text = request("GET", "/", &guess, &format!("203.0.{number}.1"));
        match code(&server.ask(&request_text)) {
            401 => failed += 1,
            503 => std::thread::sleep(Duration::from_millis(200)),
            other => panic!("{other} after {failed} failures"),
        }
        if failed == count {
            return;
        }
    }
    panic!("{failed} of {count} were compared");
}

#[test]
fn account_names_at_a_unix_socket_cannot_be_listed() {
    let config = behind_proxy().listen("unix:public.sock");
    let answers = ["anna", "nobody"].map(|name| {
        let server = Server::start(&config);
        let curl = |arguments: &[&str]| over_socket(server.folder(), arguments);
        assert_eq!(curl(&["--user", "anna:right"]).0, 200, "the owner is refused");
        // Makes unknown callers of this name wait.
        fail_from_many_addresses(&server, name, 21);
        let guess = |number: usize| curl(&["--user", &format!("{name}:guess {number}")]);
        let mut course: Vec<_> = (0..10).map(guess).collect();
        course.extend(["anna", "nobody"].map(|name| curl(&["--user", &format!("{name}:x")])));
        course
    });
    let codes = answers[0].iter().map(|(code, _)| *code).collect::<Vec<_>>();
    assert_eq!(codes, [&[401; 6][..], &[429; 6]].concat());
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn owner_with_a_device_cookie_is_served_behind_a_shared_socket() {
    let config = with_throttled_anna().listen("unix:public.sock");
    let server = Server::start(&config);
    let curl = |server: &Server, arguments: &[&str]| over_socket(server.folder(), arguments);
    let owner = ["--user", "anna:right", "--cookie", "jar", "--cookie-jar", "jar"];
    assert_eq!(curl(&server, &owner).0, 200);
    let fail = |server: &Server| {
        for number in 0..8 {
            curl(server, &["--user", &format!("anna:guess {number}")]);
        }
        assert_eq!(curl(server, &["--user", "anna:right"]).0, 429, "without the cookie");
    };
    fail(&server);
    let (code, answer) = curl(&server, &owner);
    assert_eq!(code, 200);
    assert!(
        !answer.to_ascii_lowercase().contains("set-cookie"),
        "the cookie is set twice: {answer}"
    );
    // A forged cookie has no effect.
    let jar = std::fs::read_to_string(server.folder().join("jar")).unwrap();
    let value = jar.split_whitespace().last().unwrap();
    let forged = format!("pumphouse_device_443={}AAAA", &value[..value.len() - 4]);
    assert_eq!(curl(&server, &["--user", "anna:right", "--cookie", &forged]).0, 429);
    // The cookie is valid after a restart, when no network is known.
    let folder = server.folder().to_owned();
    server.signal("TERM");
    let again = server.start_again(&config);
    drop(server);
    fail(&again);
    assert_eq!(over_socket(&folder, &owner).0, 200);
}

#[test]
fn clients_behind_a_trusted_unix_socket_have_limits_of_their_own() {
    let config = with_throttled_anna().listen("unix:public.sock");
    for (config, of_another) in [
        (config.clone().push("server.trusted_proxies", "unix"), 200),
        // Else anyone could choose the address that its failures count for.
        (config.push("server.trusted_proxies", "127.0.0.1"), 429),
    ] {
        let server = Server::start(&config);
        let curl = |from: &str, login: &str| {
            let from = format!("X-Forwarded-For: 203.0.113.9, {from}");
            over_socket(server.folder(), &["--user", login, "--header", &from]).0
        };
        for number in 0..8 {
            curl("198.51.100.1", &format!("anna:guess {number}"));
        }
        assert_eq!(curl("198.51.100.1", "anna:right"), 429);
        assert_eq!(curl("192.0.2.1", "anna:right"), of_another);
    }
}

#[test]
fn mistyped_password_is_revealed_to_no_other_address() {
    let server = Server::start(&behind_proxy());
    let guess = |text: &str, from: &str| {
        let request_text = request("GET", "/", &basic("anna", text), from);
        server.ask(&request_text)
    };
    // The owner's mistyped password is the failure that makes unknown callers wait.
    fail_from_many_addresses(&server, "anna", 20);
    eventually("the mistyped password is compared", || code(&guess("rihgt", "192.0.2.9")) == 401);
    let answers = ["rihgt", "right", "else"].map(|text| guess(text, "198.51.100.1"));
    let [mistyped, right, other] = answers.map(|answer| (code(&answer), body(&answer).to_owned()));
    assert_eq!((mistyped.0, &mistyped.1), (429, &other.1));
    assert_eq!(right, other);
}
