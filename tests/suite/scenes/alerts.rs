//! Pages of alerts: that fire, on one tank and on many, that were answered, and whose messages wait.

use hostile::config::Config;
use hostile::upstream::Upstream;
use serde_json::json;

use super::Scene;
use super::sources::{ANSWER, source};
use super::stage::{self, Complete, load};
use crate::harness::eventually;
use crate::server::{Server, json};
use crate::webdriver::Browser;

/// Visits a page of a server on which a critical alert fires, and another on a part of the server's four tanks. Its
/// channel refuses.
pub(super) fn firing(browser: &Browser, path: &str) -> Scene {
    let (server, upstream) = alerting();
    let url = format!("https://localhost:{}/{path}", server.address.port());
    load(browser, &url, "waiting since", Complete::Charts);
    stage::scene(vec![Box::new(server), Box::new(upstream)])
}

/// Visits the page of an alert that was acknowledged, silenced, and has an incident of the past.
pub(super) fn answered(browser: &Browser) -> Scene {
    let (server, upstream) = alerting();
    let url = format!("https://localhost:{}/alert/tank_low", server.address.port());
    load(browser, &url, "It fires", Complete::Charts);
    browser.run_async(
        "const done = arguments[0];
         const send = (command) => fetch(`../api/v1/alerts/tank_low/${command}`, { method: 'POST' });
         send('acknowledge').then(() => send('silence?for=8h')).then(() => done(null), done)",
    );
    load(browser, &url, "Silenced until", Complete::Charts);
    stage::scene(vec![Box::new(server), Box::new(upstream)])
}

fn alerting() -> (Server, Upstream) {
    let upstream = Upstream::answering(ANSWER);
    let config = (0..4).fold(Config::https(), |config, number| {
        let title = ["Cistern", "Upper tank", "Trough in the paddock", "Barn"][number];
        let tank = source(&format!("s{number}"), "tank", &upstream.url()).set("title", title);
        config.source(tank)
    });
    let config = config
        .push(
            "alert",
            json!({ "name": "tank_low", "field": "s0.volume", "below": "1250 gal",
                    "severity": "critical" }),
        )
        .push(
            "alert",
            json!({ "name": "level_outside_of_the_usual_range", "field": "level", "source": "*",
                    "outside": ["20 %", "80 %"] }),
        )
        .push("alert", json!({ "name": "tank_stale", "source": "*", "stale": true }))
        .push(
            "alert",
            json!({ "name": "leak", "field": "s1.volume", "falls": "20 gal",
                               "within": "3h", "between": "00:00-04:30", "severity": "info" }),
        )
        .push(
            "notify",
            json!({ "name": "phone", "kind": "webhook", "url": "http://127.0.0.1:1/hook",
                    "group_wait": "0s" }),
        );
    let server = stage::start(config);
    eventually("the alerts fire", || {
        let all = json(&server.get("/api/v1/alerts"));
        let alerts = all["alerts"].as_array().cloned().unwrap_or_default();
        alerts.iter().filter(|alert| alert["state"] == "firing").count() == 5
    });
    (server, upstream)
}
