//! A renewal that fails: log, doctor, metrics, scoreboard and page report it until a load succeeds.

use std::process::Command;

use hostile::config::Config;

use crate::harness::eventually;
use crate::server::{BINARY, Server, json};

const METRIC: &str = "pumphouse_certificate_last_reload_successful";

#[test]
fn failed_renewal_is_reported_everywhere_until_a_load_succeeds() {
    let polled = || Config::https().set("tls.check_every", "100ms");
    let server = Server::start(&polled());
    let key = server.folder().join("key.pem");
    let whole = std::fs::read(&key).unwrap();
    let certificate = |pointer: &str| {
        let board = json(&server.admin_get("/scoreboard"));
        board.pointer(&format!("/certificates/0{pointer}")).cloned().unwrap_or_default()
    };
    let doctor = || {
        let (listen, admin) = (server.address.to_string(), server.admin.to_string());
        let addresses = ["--listen", &listen, "--admin", &admin];
        let output = Command::new(BINARY).arg("doctor").args(addresses).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(server.metric(METRIC), 1);
    assert!(certificate("/error").is_null() && certificate("/since").is_null());

    std::fs::write(&key, "").unwrap();
    eventually("the failure is reported", || server.metric(METRIC) == 0);
    let error = certificate("/error");
    assert!(error.as_str().unwrap().contains(": the file is empty; "), "{error}");
    let line = |error: &serde_json::Value| -> usize {
        let error = error.as_str().unwrap().strip_prefix("pumphouse.toml:").unwrap();
        error.split(':').next().unwrap().parse().unwrap()
    };
    let first_line = line(&error);
    assert!(certificate("/since").as_str().unwrap().ends_with('Z'));
    server.wait_for_log("cannot load renewed certificates: ");
    let page = server.get("/");
    assert!(page.contains("renewed certificate has not been loaded for"), "{page}");
    assert!(!page.contains("key.pem"), "{page}");
    let report = doctor();
    assert!(report.contains("the latest files have not been loaded since "), "{report}");
    assert!(report.contains(": the file is empty; "), "{report}");

    std::fs::write(&key, &whole).unwrap();
    eventually("the load succeeds", || server.metric(METRIC) == 1);
    assert!(certificate("/error").is_null());
    assert!(!server.get("/").contains("has not been loaded for"));
    assert!(!doctor().contains("have not been loaded since"));

    // An edit that moves the key moves the error.
    server.reload(&polled().set("server.keep_alive", "70s"));
    std::fs::write(&key, "").unwrap();
    eventually("the failure is reported", || server.metric(METRIC) == 0);
    assert_eq!(line(&certificate("/error")), first_line + 1);
    std::fs::write(&key, whole).unwrap();
    eventually("the load succeeds", || server.metric(METRIC) == 1);

    // A reload that is refused for other files says nothing about those in use.
    let https = || Config::https().set("tls.check_every", "1h");
    let reloaded = server.reload(&https().set("tls.key", "wrong.pem"));
    assert!(reloaded.contains("nothing changes: pumphouse.toml:"), "{reloaded}");
    assert!(reloaded.contains(": \"key\" in [tls]: cannot read wrong.pem in "), "{reloaded}");
    assert_eq!(server.metric(METRIC), 1);
    // A reload that finds the same fault reports it at once.
    let cert = server.folder().join("cert.pem");
    std::fs::write(&cert, "").unwrap();
    server.reload(&https());
    assert_eq!(server.metric(METRIC), 0);
}

#[test]
fn issuer_that_has_expired_is_reported_as_the_end_of_the_certificate() {
    let server = Server::start(&Config::https().set("tls.check_every", "100ms"));
    let (cert, key) = super::pair((2020, 2090), Some((2020, 2021)));
    std::fs::write(server.folder().join("key.pem"), key).unwrap();
    std::fs::write(server.folder().join("cert.pem"), cert).unwrap();
    let certificate = || {
        let board = json(&server.admin_get("/scoreboard"));
        board.pointer("/certificates/0").cloned().unwrap_or_default()
    };
    eventually("the chain is loaded", || certificate()["expiring_issuer"] == "CN=middle");
    let certificate = certificate();
    assert_eq!(certificate["not_after"], "2021-01-01T00:00:00Z");
    assert!(certificate["valid"] == false && certificate["days_left"].as_i64() < Some(0));
    let expiry = "pumphouse_certificate_not_after_timestamp_seconds{name=\"tank.lan\"}";
    assert_eq!(server.metric(expiry), 1_609_459_200);
    server.wait_for_log(
        "the certificate of the issuer \"CN=middle\" in the chain for tank.lan has expired, so clients refuse \
         it; use the full chain",
    );
    let admin = server.admin.to_string();
    let output = Command::new(BINARY).args(["doctor", "--admin", &admin]).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = "tank.lan: its issuer \"CN=middle\" expired on 2021-01-01T00:00:00Z";
    assert!(report.contains(line), "{report}");
}
