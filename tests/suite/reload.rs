//! Reloads of the configuration and of certificates by a running server.

use std::io::Write;
use std::sync::Arc;

use hostile::client::{connect_tls, read_response};
use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::harness::{eventually, get};
use crate::server::{Server, body, code, json, run, trust};

fn source(name: &str, upstream: &Upstream) -> Source {
    Source::json(name, &upstream.url()).value("level", "/level", "%")
}

#[test]
fn reload_adds_changes_and_removes_sources_and_keeps_values() {
    let answering = Upstream::answering(r#"{"level": 84.6}"#);
    let hung = Upstream::hung();
    let config =
        Config::https().source(source("tank", &answering)).source(source("pump", &answering));
    let server = Server::start(&config);
    server.eventually_status("both have answered", |status| {
        ["tank", "pump"].iter().all(|it| status["sources"][it]["state"] == "fresh")
    });
    let mut kept = connect_tls(server.address, &server.client).unwrap();
    kept.write_all(get("/ping").as_bytes()).unwrap();
    read_response(&mut kept).unwrap();

    let tank = source("tank", &hung).set("title", "Cistern").set("timeout", "1s");
    let config = Config::https()
        .set("server.keep_alive", "70s")
        .set("site.title", "North")
        .source(tank)
        .source(source("well", &answering));
    let line = server.reload(&config);
    for change in [
        "source tank changed",
        "source well added",
        "source pump removed",
        "title changed",
        "[server] keep_alive changed",
    ] {
        assert!(line.contains(change), "{change} is not in {line}");
    }
    let status = server
        .eventually_status("the new one has answered, the changed one fails", |it| {
            it["sources"]["well"]["state"] == "fresh" && !it["sources"]["tank"]["error"].is_null()
        });
    let tank = &status["sources"]["tank"];
    assert_eq!(tank["title"], "Cistern");
    assert_eq!(tank["values"]["level"]["value"], 84.6, "the value was lost: {tank}");
    assert_eq!(tank["error"]["kind"], "timeout", "the new address is not polled");
    assert!(status["sources"]["pump"].is_null());
    assert_eq!(code(&server.get("/api/v1/values/pump.level")), 404);
    assert!(server.get("/").contains("<h1>North</h1>"));
    let metrics = server.admin_get("/metrics");
    assert!(metrics.contains("source=\"well\"") && !metrics.contains("source=\"pump\""));

    kept.write_all(get("/ping").as_bytes()).unwrap();
    let answer = read_response(&mut kept).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "the reload closed a connection");
    eventually("the reload is among the events", || {
        let events = json(&server.get("/api/v1/events"));
        events["events"].as_array().unwrap().iter().any(|event| event["kind"] == "reloaded")
    });
}

#[test]
fn reload_of_an_invalid_file_changes_nothing_and_is_logged() {
    let answering = Upstream::answering(r#"{"level": 84.6}"#);
    let server = Server::start(&Config::https().source(source("tank", &answering)));
    server.eventually_status("it has answered", |it| it["sources"]["tank"]["state"] == "fresh");
    let before = server.get("/api/v1/sources");

    let line = server.reload(&Config::https().set("server.keep_aliv", "70s"));
    assert!(line.contains("HUP: nothing changes: pumphouse.toml:3:1"), "{line}");
    assert!(line.contains("did you mean \"keep_alive\"?"), "{line}");
    assert_eq!(body(&server.get("/api/v1/sources")), body(&before));

    std::fs::write(server.folder().join("key.pem"), "garbage").unwrap();
    let line = server.reload(&Config::https());
    assert!(line.contains("key.pem"), "{line}");
    assert_eq!(
        body(&server.get("/api/v1/sources")),
        body(&before),
        "a part of the reload was applied"
    );
}

#[test]
fn reload_of_a_key_that_needs_a_restart_is_logged() {
    let server = Server::start(&Config::https());
    server.reload(&Config::https().set("server.workers", 3).set("server.backlog", 99));
    let line = server.wait_for_log("need a restart to change");
    assert!(line.contains("workers") && line.contains("backlog"), "{line}");
    assert!(server.serves());
}

/// Creates another certificate in a folder of the server, and a client that trusts only it.
fn another_certificate(server: &Server, folder: &str) -> Arc<rustls::ClientConfig> {
    let made = run(&["cert", "--force", "--dir", folder], server.folder());
    assert!(made.status.success());
    trust(&server.folder().join(folder).join("cert.pem"))
}

#[test]
fn reload_of_a_certificate_closes_no_connection() {
    let server = Server::start(&Config::https());
    let mut kept = connect_tls(server.address, &server.client).unwrap();
    kept.write_all(get("/ping").as_bytes()).unwrap();
    read_response(&mut kept).unwrap();

    let old = server.folder().join("old.pem");
    std::fs::copy(server.certificate(), &old).unwrap();
    let client = another_certificate(&server, ".");
    let line = server.signal_and_wait("HUP", &["reloaded: "]);
    assert!(line.contains("certificates renewed"), "{line}");
    let mut fresh = connect_tls(server.address, &client).unwrap();
    fresh.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut fresh).unwrap().starts_with(b"HTTP/1.1 200"));
    let old = connect_tls(server.address, &trust(&old))
        .and_then(|mut stream| stream.write_all(get("/ping").as_bytes()));
    assert!(old.is_err(), "the old certificate is presented");
    kept.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut kept).unwrap().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn renewed_certificate_behind_symbolic_links_is_loaded() {
    let server = Server::start(&Config::https().set("tls.check_every", "100ms"));
    let client = another_certificate(&server, "renewed");
    for file in ["cert.pem", "key.pem"] {
        // As certbot does: a new link replaces the old one.
        let link = server.folder().join("link");
        std::os::unix::fs::symlink(server.folder().join("renewed").join(file), &link).unwrap();
        std::fs::rename(link, server.folder().join(file)).unwrap();
    }
    server.wait_for_log("the certificates were renewed");
    let mut fresh = connect_tls(server.address, &client).unwrap();
    fresh.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut fresh).unwrap().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn public_address_changes_by_a_reload() {
    let server = Server::start(&Config::https());
    let address = || json(&server.get("/openapi.json"))["servers"][0]["url"].clone();
    assert_eq!((address(), code(&server.get("/pumphouse/ping"))), (".".into(), 404));
    let config = Config::https().set("site.url", "https://tank.example/pumphouse/");
    let reloaded = server.reload(&config);
    assert!(reloaded.contains("url changed") && !reloaded.contains("[auth]"), "{reloaded}");
    assert_eq!(address(), "https://tank.example/pumphouse");
    assert_eq!(code(&server.get("/pumphouse/ping")), 200);
    assert!(server.reload(&Config::https()).contains("url changed"));
    assert_eq!((address(), code(&server.get("/pumphouse/ping"))), (".".into(), 404));
}
