//! HUP: another configuration and other certificates, taken up by the running server.

use std::io::Write;
use std::sync::Arc;

use crate::harness::{eventually, get};
use crate::server::{Server, Setup, body, code, json, run, trust};
use hostile::client::{connect_tls, read_response};
use hostile::upstream::Upstream;

fn source(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"{url}\"\n{more}\n\
         values = {{ level = {{ pointer = \"/level\", unit = \"%\" }} }}\n"
    )
}

#[test]
fn sources_come_change_and_go_and_values_stay() {
    let answering = Upstream::answering(r#"{"level": 84.6}"#);
    let hung = Upstream::hung();
    let tank = source("tank", &answering.url(), "");
    let pump = source("pump", &answering.url(), "");
    let server = Server::start(&Setup { sources: &[tank, pump].concat(), ..Setup::default() });
    server.eventually_status("both have answered", |status| {
        ["tank", "pump"].iter().all(|it| status["sources"][it]["state"] == "fresh")
    });
    let mut kept = connect_tls(server.address, &server.client).unwrap();
    kept.write_all(get("/ping").as_bytes()).unwrap();
    read_response(&mut kept).unwrap();

    let tank = source("tank", &hung.url(), "title = \"Cistern\"\ntimeout = \"1s\"");
    let well = source("well", &answering.url(), "");
    let told = server.reload(&Setup {
        server: "keep_alive = \"70s\"",
        sources: &[&tank, &*well, "[site]\ntitle = \"North\"\n"].concat(),
        ..Setup::default()
    });
    for change in [
        "source tank changed",
        "source well added",
        "source pump removed",
        "title changed",
        "[server] keep_alive changed",
    ] {
        assert!(told.contains(change), "{change} is not in {told}");
    }
    let status = server
        .eventually_status("the new one has answered, the changed one fails", |it| {
            it["sources"]["well"]["state"] == "fresh" && !it["sources"]["tank"]["error"].is_null()
        });
    let tank = &status["sources"]["tank"];
    assert_eq!(tank["title"], "Cistern");
    assert_eq!(tank["values"]["level"]["value"], 84.6, "its value stays: {tank}");
    assert_eq!(tank["error"]["kind"], "timeout", "it is polled at the new address");
    assert!(status["sources"]["pump"].is_null());
    assert_eq!(code(&server.get("/api/v1/values/pump.level")), 404);
    assert!(server.get("/").contains("<h1>North</h1>"));
    let metrics = server.admin_get("/metrics");
    assert!(metrics.contains("source=\"well\"") && !metrics.contains("source=\"pump\""));

    kept.write_all(get("/ping").as_bytes()).unwrap();
    let answer = read_response(&mut kept).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "connections outlive a reload");
    eventually("the reload is among the events", || {
        let events = json(&server.get("/api/v1/events"));
        events["events"].as_array().unwrap().iter().any(|event| event["kind"] == "reloaded")
    });
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    let answering = Upstream::answering(r#"{"level": 84.6}"#);
    let tank = source("tank", &answering.url(), "");
    let server = Server::start(&Setup { sources: &tank, ..Setup::default() });
    server.eventually_status("it has answered", |it| it["sources"]["tank"]["state"] == "fresh");
    let before = server.get("/api/v1/sources");

    let told = server.reload(&Setup { server: "keep_aliv = \"70s\"", ..Setup::default() });
    assert!(told.contains("HUP: nothing changes: pumphouse.toml:4:1"), "{told}");
    assert!(told.contains("did you mean \"keep_alive\"?"), "{told}");
    assert_eq!(body(&server.get("/api/v1/sources")), body(&before));

    std::fs::write(server.folder().join("key.pem"), "garbage").unwrap();
    let told = server.reload(&Setup { sources: "", ..Setup::default() });
    assert!(told.contains("key.pem"), "{told}");
    assert_eq!(body(&server.get("/api/v1/sources")), body(&before), "all or nothing");
}

#[test]
fn what_takes_a_restart_is_said() {
    let server = Server::start(&Setup::default());
    server.reload(&Setup { server: "workers = 3\nbacklog = 99", ..Setup::default() });
    let told = server.wait_for_log("take a restart to change");
    assert!(told.contains("workers") && told.contains("backlog"), "{told}");
    assert!(server.serves());
}

/// Makes another pair in the server's folder, and a client that trusts it alone.
fn another_certificate(server: &Server, folder: &str) -> Arc<rustls::ClientConfig> {
    let made = run(&["cert", "--force", "--dir", folder], server.folder());
    assert!(made.status.success());
    trust(&server.folder().join(folder).join("cert.pem"))
}

#[test]
fn a_certificate_is_rotated_without_a_connection_lost() {
    let server = Server::start(&Setup::default());
    let mut kept = connect_tls(server.address, &server.client).unwrap();
    kept.write_all(get("/ping").as_bytes()).unwrap();
    read_response(&mut kept).unwrap();

    let old = server.folder().join("old.pem");
    std::fs::copy(server.certificate(), &old).unwrap();
    let client = another_certificate(&server, ".");
    let told = server.signal_and_wait("HUP", &["reloaded: "]);
    assert!(told.contains("certificates renewed"), "{told}");
    let mut fresh = connect_tls(server.address, &client).unwrap();
    fresh.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut fresh).unwrap().starts_with(b"HTTP/1.1 200"));
    let old = connect_tls(server.address, &trust(&old))
        .and_then(|mut stream| stream.write_all(get("/ping").as_bytes()));
    assert!(old.is_err(), "the old certificate is not shown any more");
    kept.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut kept).unwrap().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn renewed_files_behind_symbolic_links_are_noticed() {
    let server = Server::start(&Setup { tls: "check_every = \"100ms\"", ..Setup::default() });
    let client = another_certificate(&server, "renewed");
    for file in ["cert.pem", "key.pem"] {
        // As certbot does it: another link takes the place of the old name.
        let link = server.folder().join("link");
        std::os::unix::fs::symlink(server.folder().join("renewed").join(file), &link).unwrap();
        std::fs::rename(link, server.folder().join(file)).unwrap();
    }
    server.wait_for_log("the certificates were renewed");
    let mut fresh = connect_tls(server.address, &client).unwrap();
    fresh.write_all(get("/ping").as_bytes()).unwrap();
    assert!(read_response(&mut fresh).unwrap().starts_with(b"HTTP/1.1 200"));
}
