//! All faults of upstreams at once: each fails its own source until it ends.

use std::path::Path;

use hostile::config::{Config, Source};
use hostile::upstream_faults::{Effect, Fault, FaultyUpstream};
use jiff::Timestamp;
use serde_json::Value;

use crate::harness::eventually;
use crate::server::{Server, json};

/// Number of poller threads that always exist.
const CORE_POLLERS: u64 = 4;

fn name(fault: Fault) -> String {
    format!("{fault:?}").to_lowercase()
}

fn source(upstream: &FaultyUpstream, folder: &Path) -> Source {
    let name = name(upstream.fault());
    let ca_certs = folder.join(format!("{name}.pem"));
    std::fs::write(&ca_certs, upstream.ca_certs()).unwrap();
    Source::json(&name, &upstream.url())
        .value("level", "/level", "%")
        .observed_at_unix()
        .set("ca_file", ca_certs.to_str())
        .set("interval", "1s")
        .set("timeout", "1s")
        .set("stale_after", "1h")
}

fn is_healthy(status: &Value, fault: Fault, level: usize) -> bool {
    let source = &status["sources"][name(fault)];
    source["error"].is_null()
        && source["values"]["level"]["value"].as_f64() == Some(level as f64)
        && source["values"]["level"]["note"].is_null()
}

fn shows_effect(status: &Value, fault: Fault) -> bool {
    let source = &status["sources"][name(fault)];
    let level = &source["values"]["level"];
    match fault.effect() {
        Effect::PollFails(kind) => {
            source["error"]["kind"] == kind
                // Two failures: the first faulty poll ended, and the next one began.
                && source["error"]["failures"].as_u64() >= Some(2)
                && level["value"] == 50.0
        }
        Effect::ValueIsNull => level["value"].is_null() && level["note"].is_string(),
        Effect::ValueHasNote => {
            level["value"] == 50.0
                && level["note"].as_str().is_some_and(|note| note.contains("in the future"))
                && source["observed_at_inferred"] == true
        }
    }
}

/// Returns true if the source is polled again within this many seconds. The status has whole seconds.
fn is_polled_within(seconds: i64, status: &Value, fault: Fault, now: Timestamp) -> bool {
    let next = status["sources"][name(fault)]["next_poll_at"].as_str();
    let next = next.map(|at| at.parse::<Timestamp>().unwrap());
    next.is_none_or(|next| next.as_second() <= now.as_second() + seconds)
}

/// Returns the number of poller threads.
fn poller_threads(server: &Server) -> u64 {
    json(&server.admin_get("/scoreboard"))["scheduler"]["poller_threads"].as_u64().unwrap()
}

#[test]
fn each_upstream_fault_fails_its_own_source_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let upstreams: Vec<FaultyUpstream> =
        Fault::ALL.iter().copied().map(FaultyUpstream::new).collect();
    let sources = upstreams.iter().map(|it| source(it, folder.path()));
    let server = Server::start(&Config::https().sources(sources));
    let wait_for_all = |what: &str, within, is_so: &dyn Fn(&Value, Fault) -> bool| -> Value {
        let mut last = Value::Null;
        eventually(what, || {
            last = server.status();
            let now = Timestamp::now();
            for fault in Fault::ALL {
                let source = &last["sources"][name(*fault)];
                assert!(
                    is_polled_within(within, &last, *fault, now),
                    "{fault:?} at {now}: {source}"
                );
            }
            Fault::ALL.iter().all(|fault| is_so(&last, *fault))
        });
        last
    };

    // A first poll may be followed by a whole interval until the next slot. After that, a source is polled within
    // its interval of 1 s, which is also the longest `Retry-After` of the faults.
    wait_for_all("all sources are healthy", 2, &|status, fault| is_healthy(status, fault, 50));
    eventually("all sources have been polled at their slots", || {
        let (status, now) = (server.status(), Timestamp::now());
        Fault::ALL.iter().all(|fault| is_polled_within(1, &status, *fault, now))
    });
    upstreams.iter().for_each(FaultyUpstream::inject);
    let status = wait_for_all("every fault shows its effect", 1, &shows_effect);
    let most = Fault::ALL.len() as u64 + CORE_POLLERS;
    assert!(poller_threads(&server) <= most, "a source has more than one poll in flight");

    // A kept value keeps its observation time, from before the fault.
    let observed = |status: &Value, fault| status["sources"][name(fault)]["observed_at"].clone();
    let later = server.status();
    for fault in Fault::ALL {
        if let Effect::PollFails(_) = fault.effect() {
            assert!(observed(&status, *fault).is_string());
            assert_eq!(observed(&status, *fault), observed(&later, *fault), "{fault:?}");
        }
    }

    for upstream in &upstreams {
        upstream.recover(60);
    }
    wait_for_all("all sources are healthy again", 1, &|status, fault| {
        is_healthy(status, fault, 60)
    });
    eventually("the threads that hung polls needed have ended", || poller_threads(&server) <= 12);
    for fault in Fault::ALL {
        // Well above the timeout of 1 s, and bounded.
        server.assert_polls_took_at_most(&name(*fault), 5);
    }
}
