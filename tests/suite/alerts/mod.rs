//! Alerts of the real program: their receivers, crashes, disks, reloads, fleets, access and secrets.

mod access;
mod commands;
mod crashes;
mod disks;
mod faulty_channel;
mod fleets;
mod groups;
mod receivers;
mod reload;
mod secrets;
mod standby;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostile::client::TEST_TIMEOUT;
use hostile::config::{Config, Source};
use hostile::receiver::Posted;
use hostile::upstream::Upstream;
use serde_json::{Value, json};

use crate::server::Server;

/// Level below the threshold of [`tank_low`].
pub const LOW: &str = r#"{"level": 10}"#;

/// Level above that at which [`tank_low`] is resolved.
pub const FULL: &str = r#"{"level": 90}"#;

/// Returns the source `tank` with one field.
pub fn tank(upstream: &Upstream) -> Source {
    let source = Source::json("tank", &upstream.url()).value("level", "/level", "%");
    source.set("title", "Cistern").set("interval", "1s")
}

/// Returns a rule on the level of `tank`.
pub fn tank_low() -> Value {
    json!({ "name": "tank_low", "field": "tank.level", "below": "40 %", "clear": "50 %" })
}

/// Returns a channel of the kind `webhook` that sends at once.
pub fn webhook(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name, "kind": "webhook", "url": format!("http://{address}/hook"),
        "group_wait": "0s", "timeout": "2s", "max_per_hour": 3600,
    })
}

/// Returns a channel of the kind `ntfy` that sends at once.
pub fn ntfy(name: &str, address: SocketAddr) -> Value {
    let mut channel = webhook(name, address);
    channel["kind"] = "ntfy".into();
    channel["url"] = format!("http://{address}").into();
    channel["topic"] = "tanks".into();
    channel
}

/// Returns a configuration with `tank`, whose rule sends to these channels.
pub fn config(upstream: &Upstream, channels: impl IntoIterator<Item = Value>) -> Config {
    let config = Config::https().set("history.flush", "200ms").source(tank(upstream));
    let config = config.push("alert", tank_low());
    channels.into_iter().fold(config, |config, channel| config.push("notify", channel))
}

/// Returns the alert on `tank`, as the API shows it.
pub fn shown(server: &Server) -> Value {
    let all = crate::server::json(&server.get("/api/v1/alerts"));
    let alerts = all["alerts"].as_array().cloned().unwrap_or_default();
    alerts.into_iter().find(|alert| alert["name"] == "tank_low").unwrap_or_default()
}

/// Waits until the alert on `tank` is in a state; returns it.
pub fn wait_for_state(server: &Server, state: &str) -> Value {
    let mut alert = Value::Null;
    let begun = Instant::now();
    while alert["state"] != state {
        let log = || server.log().join("\n");
        assert!(begun.elapsed() < TEST_TIMEOUT, "tank_low is not {state}: {alert}\n{}", log());
        std::thread::sleep(Duration::from_millis(20));
        alert = shown(server);
    }
    alert
}

/// Returns the posted alerts of one rule.
pub fn of_rule(posted: Vec<Posted>, rule: &str) -> Vec<Posted> {
    posted.into_iter().filter(|posted| posted.alert == rule).collect()
}

/// Returns the number of rows that a file of alerts has in a table, such as `notice`; 0 if it cannot be read.
pub fn saved_rows(file: &Path, table: &str) -> i64 {
    let read = || -> rusqlite::Result<i64> {
        let file = rusqlite::Connection::open(file)?;
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    read().unwrap_or(0)
}

/// Returns the path of a server's file of alerts.
pub fn alert_file(server: &Server) -> PathBuf {
    server.folder().join("pumphouse.alerts.db")
}
