//! `/scoreboard`: its members, and their values after reloads.

use hostile::config::{Config, Source};
use pumphouse_web::kernel::listen_queue::granted_backlog;
use serde_json::Value;

use super::busy;
use crate::harness::eventually;
use crate::server::{Server, json};

#[test]
fn scoreboard_has_the_documented_members() {
    let (server, _well, _silent) = busy();
    let board = json(&server.admin_get("/scoreboard"));
    let at = |pointer: &str| board.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {board}"));
    for pointer in [
        "/service/uptime_seconds",
        "/service/clock_correction_seconds",
        "/process/open_files",
        "/process/open_files_limit",
        "/process/resident_bytes",
        "/process/cpu_seconds",
        "/limits/queue",
        "/limits/max_connections",
        "/limits/somaxconn",
        "/acceptor_silent_seconds",
        "/queue_depth",
        "/listen_overflows_total",
        "/listen_drops_total",
        "/connections/handshaking",
        "/connections/idle",
        "/connections_shed/queue_timeout",
        "/connections_evicted",
        "/accept_queues/0/depth",
        "/scheduler/silent_seconds",
        "/scheduler/poller_threads",
        "/scheduler/idle_poller_threads",
        "/pollers/0/seconds",
        "/admin/acceptor_silent_seconds",
        "/admin/queue_depth",
        "/admin/connections/idle",
        "/admin/connections_shed/queue_timeout",
        "/admin/connections_evicted",
        "/board/silent_seconds",
        "/recorder/silent_seconds",
        "/recorder/rows",
        "/alerts/rules",
        "/alerts/states/inactive",
        "/alerts/states/firing",
        "/alerts/silent_seconds",
        "/alerts/firing_unlisted",
        "/alerts/faults_unlisted",
        "/alerts/heartbeat/pings/ok",
        "/channels/0/waiting",
        "/channels/0/sent",
        "/channels_unlisted",
        "/log/queued",
        "/log/dropped",
        "/log/suppressed",
        "/log/blocked_seconds",
        "/sources/0/age_seconds",
        "/sources/1/error/failures",
        "/source_counts/fresh",
        "/sources_unlisted",
        "/pollers_unlisted",
    ] {
        assert!(at(pointer).is_number(), "{pointer}: {}", at(pointer));
    }
    for (pointer, expected) in [
        ("/service/version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("/process/pid", server.process().into()),
        ("/limits/backlog", 1024.into()),
        ("/accept_queues/0/listener", server.address.to_string().into()),
        ("/accept_queues/0/limit", granted_backlog(1024).into()),
        ("/pollers/0/source", "well".into()),
        ("/sources/0/state", "fresh".into()),
        ("/sources/0/error", Value::Null),
        ("/sources/1/state", "waiting".into()),
        ("/sources/1/age_seconds", Value::Null),
        ("/sources/1/error/kind", "connect".into()),
        ("/recorder/enabled", true.into()),
        ("/recorder/trouble", Value::Null),
        ("/alerts/firing", Value::Array(Vec::new())),
        ("/alerts/holder", Value::Null),
        ("/channels/0/channel", "hook".into()),
        ("/channels/0/kind", "webhook".into()),
        ("/reloads/latest_refused", false.into()),
        ("/stuck", Value::Array(Vec::new())),
        ("/admin/stuck", Value::Array(Vec::new())),
        ("/certificates/0/names/0", "localhost".into()),
    ] {
        assert_eq!(*at(pointer), expected, "{pointer}");
    }
    let workers = at("/workers").as_array().unwrap();
    assert_eq!(workers.len(), 8);
    for worker in workers {
        let busy = worker["state"] != "waiting";
        assert_eq!(worker["seconds"].is_number(), busy, "{worker}");
    }
    assert!(at("/process/threads").as_u64() >= Some(12), "{board}");
    assert!(at("/certificates/0/days_left").as_i64() > Some(14), "{board}");
}

#[test]
fn brief_scoreboard_lists_troubled_sources_and_counts_all() {
    let sources = (0..25).fold(Config::https(), |config, number| {
        config
            .source(Source::json(&format!("s{number}"), "http://127.0.0.1:1").value("v", "/v", ""))
    });
    let server = Server::start(&sources);
    let brief = || json(&server.admin_get("/scoreboard?brief"));
    eventually("every source has failed", || brief()["source_counts"]["failing"] == 25);
    let board = brief();
    assert_eq!(board["sources"].as_array().map(Vec::len), Some(20), "{board}");
    assert_eq!(board["sources_unlisted"], 5);
    assert_eq!(board["process"]["pid"], server.process());
    let all = json(&server.admin_get("/scoreboard"));
    assert_eq!(all["sources"].as_array().map(Vec::len), Some(25));
}

#[test]
fn reload_is_counted_and_updates_the_scoreboard() {
    let server = Server::start(&Config::https().set("server.max_connections", 40));
    let config = server.folder().join("pumphouse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    for (text, reloads, limit) in [
        (text.replace("= 40", "= 50"), (1.0, 0.0, 1.0), 50),
        ("[server".to_owned(), (1.0, 1.0, 0.0), 50),
        (text.replace("= 40", "= 60"), (2.0, 1.0, 1.0), 60),
    ] {
        std::fs::write(&config, text).unwrap();
        server.signal("HUP");
        let counts = || {
            let scrape = server.admin_get("/metrics");
            let value = |name: &str| -> f64 {
                let line = scrape.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().parse().unwrap()
            };
            let ok = value("pumphouse_config_reloads_total{outcome=\"ok\"}");
            let refused = value("pumphouse_config_reloads_total{outcome=\"refused\"}");
            (ok, refused, value("pumphouse_config_last_reload_successful "))
        };
        eventually("the reload is counted", || counts() == reloads);
        // The scoreboard is rendered at most once a second.
        eventually("the scoreboard has the limit", || {
            json(&server.admin_get("/scoreboard"))["limits"]["max_connections"] == limit
        });
    }
}
