//! The last good values survive `kill -9`, and are served with their true ages before any poll.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::harness::eventually;
use crate::server::Server;

#[test]
fn last_values_survive_kill_9() {
    let upstream = Upstream::answering(r#"{"pressure": 29.92}"#);
    let source = Source::json("well", &upstream.url())
        .value("pressure", "/pressure", "inHg")
        .set("interval", "1h")
        .set("timeout", "50s");
    let config = Config::https().source(source);
    let server = Server::start(&config);
    let before = server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });
    let file = server.folder().join("pumphouse.last.json");
    eventually("the value is on disk", || file.exists());
    server.signal("KILL");

    // Values that are served from now on come from the file.
    upstream.set(None);
    let again = server.start_again(&config);
    let status = again.status();
    for key in ["state", "observed_at", "fetched_at", "stale_at", "values"] {
        assert_eq!(status["sources"]["well"][key], before["sources"]["well"][key], "{key}");
    }
    again.signal("KILL");

    std::fs::write(&file, "damaged").unwrap();
    let third = again.start_again(&config);
    assert_eq!(third.status()["sources"]["well"]["state"], "waiting");
    assert!(third.log().iter().any(|line| line.contains("set aside")), "{:?}", third.log());
    assert!(third.folder().join("pumphouse.last.json.damaged").exists());
}
