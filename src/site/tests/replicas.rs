//! Two replicas with equal readings: equal responses, whatever else differs between the processes.

use super::header;
use crate::board::{ErrorKind, ServiceInfo, Snapshot, SourceView};
use crate::site::fixture::{
    at, drained, failing, get, now, pump, site_of, snapshot, stale, tank, waiting, weather,
};

/// Returns the snapshot of a process that started at another time, and has published and polled another number of
/// times.
fn of_another_process(sources: Vec<SourceView>) -> Snapshot {
    let other = |source| SourceView { version: 900, is_held: false, ..source };
    let before = snapshot(sources.into_iter().map(other).collect());
    Snapshot {
        version: 5000,
        service: ServiceInfo { started_at: at(-5), ..before.service },
        published_at: now() + jiff::SignedDuration::from_millis(700),
        ..before
    }
}

#[test]
fn equal_readings_have_equal_bodies_and_tags() {
    let grouped = SourceView { group: Some("north".into()), ..tank() };
    let sources = || {
        vec![
            grouped.clone(),
            weather(),
            failing(stale(pump(), 7200), ErrorKind::Dns, "no such name"),
            waiting("well", "json"),
        ]
    };
    let (one, other) = (site_of(snapshot(sources())), site_of(of_another_process(sources())));
    for target in [
        "/api/v1/status",
        "/api/v1/status?fields=tank.level",
        "/api/v1/status?format=shell",
        "/api/v1/status?limit=2",
        "/api/v1/sources",
        "/api/v1/sources?group=north",
        "/api/v1/sources/tank",
        "/api/v1/sources/pump",
        "/api/v1/values/tank.level",
        "/api/v1/values/tank.level?format=shell",
        "/",
        "/?range=week",
        "/source/tank",
        "/group/north",
        "/openapi.json",
    ] {
        let responses = [get(&one, target, &[]), get(&other, target, &[])];
        assert!(responses[0].status().is_success(), "{target}");
        for name in ["etag", "cache-control", "last-modified", "content-type"] {
            assert_eq!(header(&responses[0], name), header(&responses[1], name), "{target} {name}");
        }
        let has_tag = !header(&responses[0], "etag").is_empty();
        assert!(has_tag || target.contains("format=shell"), "{target}");
        let [one, other] = responses.map(drained);
        assert_eq!(one, other, "{target}");
    }
}
