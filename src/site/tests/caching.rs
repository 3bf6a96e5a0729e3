//! Preconditions, content codings and caching headers.

use http::StatusCode;

use super::header;
use crate::board::{ErrorKind, SourceView, State};
use crate::engine::{Body, Response};
use crate::site::fixture::{at, failing, get, pump, site, stale, tank, weather};

#[test]
fn representation_follows_preconditions_and_codings() {
    let site = site(vec![tank(), weather(), pump()]);
    const TARGETS: [&str; 4] =
        ["/api/v1/status", "/api/v1/sources", "/api/v1/status?fields=tank.level", "/"];
    for target in TARGETS {
        let plain = get(&site, target, &[]);
        let etag = header(&plain, "etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() > 2, "{target}");
        assert_eq!(header(&plain, "vary"), "accept-encoding");
        assert_eq!(header(&plain, "content-encoding"), "");

        let again = get(&site, target, &[("if-none-match", &etag)]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{target}");
        assert!(matches!(again.body(), Body::Full(bytes) if bytes.is_empty()));
        for name in ["etag", "cache-control", "vary", "last-modified"] {
            assert_eq!(header(&again, name), header(&plain, name), "{target} {name}");
        }
        assert_eq!(header(&again, "content-type"), "");

        let packed = get(&site, target, &[("accept-encoding", "gzip")]);
        let is_long = matches!(plain.body(), Body::Full(bytes) if bytes.len() > 1024);
        assert_eq!(header(&packed, "content-encoding") == "gzip", is_long, "{target}");
        assert_eq!(header(&packed, "etag") != etag, is_long, "{target}");
        let failed = get(&site, target, &[("if-match", "\"other\"")]);
        assert_eq!(failed.status(), StatusCode::PRECONDITION_FAILED, "{target}");
    }
    let status = get(&site, "/api/v1/status", &[]);
    assert_eq!(header(&status, "cache-control"), "max-age=30, stale-if-error=86400");
    assert_eq!(header(&status, "last-modified"), "Sat, 31 Jan 2026 17:19:30 GMT");
    let tank = get(&site, "/api/v1/sources/tank", &[]);
    assert_eq!(header(&tank, "cache-control"), "max-age=241, stale-if-error=86400");
    assert_eq!(header(&tank, "last-modified"), "Sat, 31 Jan 2026 17:16:00 GMT");
}

#[test]
fn if_modified_since_after_a_change_of_state_gets_the_new_representation() {
    let since = |response: &Response| header(response, "last-modified").to_owned();
    let send = |source: SourceView, date: &str| {
        get(&site(vec![source]), "/api/v1/status", &[("if-modified-since", date)]).status()
    };
    let date = since(&get(&site(vec![tank()]), "/api/v1/status", &[]));
    assert_eq!(send(tank(), &date), StatusCode::NOT_MODIFIED);

    let aged = stale(tank(), 7200);
    let date = since(&get(&site(vec![aged.clone()]), "/api/v1/status", &[]));
    assert_eq!(send(aged, &date), StatusCode::OK, "it has turned stale since");

    let mut broken = failing(stale(tank(), 7200), ErrorKind::Dns, "no such name");
    broken.reading.as_mut().unwrap().stale_at = at(60);
    broken.state = State::Fresh;
    broken.changed_at = broken.error.as_ref().unwrap().since;
    let date = since(&get(&site(vec![broken.clone()]), "/api/v1/status", &[]));
    assert_eq!(send(broken, &date), StatusCode::OK, "it has begun to fail since");

    let mut corrected = tank();
    let date = since(&get(&site(vec![corrected.clone()]), "/api/v1/status", &[]));
    corrected.changed_at = at(-30);
    assert_eq!(send(corrected, &date), StatusCode::OK, "a value of an earlier time has come since");
}

#[test]
fn asset_with_a_hashed_name_is_immutable() {
    let site = site(vec![]);
    for (asset, kind) in [
        (&site.context.assets.style, "text/css; charset=utf-8"),
        (&site.context.assets.script, "text/javascript; charset=utf-8"),
        (&site.context.assets.icon, "image/svg+xml"),
    ] {
        let response = get(&site, &format!("/{}", asset.path), &[]);
        assert_eq!(header(&response, "content-type"), kind);
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    }
}
