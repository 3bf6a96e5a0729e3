//! Requests to poll a source now.

use super::header;
use crate::engine::Activity;
use crate::site::fixture::{now, request, site, tank};

#[test]
fn poll_of_a_source_begins_or_is_refused_with_a_reason() {
    let site = site(vec![tank()]);
    let same = ("host", "pump.example:6443");
    for (target, fields, code) in [
        ("/api/v1/sources/tank/poll", &[][..], 202),
        ("/api/v1/sources/weather/poll", &[], 429),
        ("/api/v1/sources/none/poll", &[], 404),
        ("/api/v1/sources/tank/poll?now=1", &[], 400),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "same-origin")], 202),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "cross-site")], 403),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "same-site")], 403),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "https://pump.example:6443")], 202),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "https://evil.example")], 403),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "null")], 403),
    ] {
        let (_, response) =
            site.answer(&request("POST", target, fields), now(), &Activity::default());
        assert_eq!(response.status().as_u16(), code, "{target} {fields:?}");
        if code == 429 {
            assert_eq!(header(&response, "retry-after"), "10");
        }
        if code == 202 {
            assert_eq!(header(&response, "location"), "../tank");
        }
    }
    for (method, code) in [("GET", 405), ("HEAD", 405), ("DELETE", 405), ("OPTIONS", 204)] {
        let poll = request(method, "/api/v1/sources/tank/poll", &[]);
        let (_, response) = site.answer(&poll, now(), &Activity::default());
        assert_eq!(response.status().as_u16(), code, "{method}");
        assert_eq!(header(&response, "allow"), "POST, OPTIONS", "{method}");
    }
}
