//! Trends after a restart, which come from the history.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;

use crate::harness::eventually;
use crate::server::{Server, code};

/// Observations: seconds before the start of the test, and gallons. A refill of 500 gallons, then a
/// decrease of 60 gallons an hour.
const SEEN: [(i64, f64); 6] =
    [(10_800, 500.0), (9000, 1000.0), (6000, 950.0), (4200, 920.0), (2400, 890.0), (600, 860.0)];

#[test]
fn trends_survive_a_restart() {
    let start = Timestamp::now().as_second();
    let answer = |(ago, volume): (i64, f64)| {
        let (at, level) = (start - ago, volume / 14.0);
        format!(r#"{{"at": {at}, "volume": {volume}, "level": {level}}}"#)
    };
    let upstream = Upstream::answering(&answer(SEEN[0]));
    let source = Source::json("tank", &upstream.url())
        .value("volume", "/volume", "gal")
        .value("level", "/level", "%")
        .observed_at_unix()
        .set("interval", "1s")
        .set("stale_after", "1d");
    let config = Config::https().set("history.flush", "200ms").source(source);
    let mut server = Server::start(&config);
    let recorded = || {
        let response =
            server.get("/api/v1/history?field=tank.volume&days=1&step=raw&format=ndjson");
        if code(&response) == 200 { response.matches("\"at\"").count() } else { 0 }
    };
    for (number, seen) in SEEN.into_iter().enumerate() {
        upstream.set(Some(&answer(seen)));
        eventually("the observation is recorded", || recorded() > number);
    }
    let value = |status: &serde_json::Value, field: &str| {
        status["sources"]["tank"]["values"][field]["value"].clone()
    };
    const FIELDS: [&str; 7] = [
        "volume_rate",
        "volume_change_1h",
        "time_to_empty",
        "time_to_full",
        "last_refill",
        "last_refill_began",
        "last_refill_amount",
    ];
    let before = server.status();
    let expected = FIELDS.map(|field| value(&before, field));
    assert_eq!(expected[0], -60.0, "{before}");
    assert_eq!(expected[6], 500.0, "{before}");
    // A stop writes the last values, which are otherwise written once a minute.
    server.signal("TERM");
    assert!(server.wait().success());

    // The upstream hangs. A single new observation would not be enough for a rate.
    upstream.set(None);
    let again = server.start_again(&config);
    let status = again.eventually_status("the history is loaded", |status| {
        !value(status, "volume_rate").is_null()
    });
    assert!(status["sources"]["tank"]["observed_at"].is_string());
    assert_eq!(FIELDS.map(|field| value(&status, field)), expected, "{status}");
}
