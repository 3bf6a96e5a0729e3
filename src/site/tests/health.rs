//! Liveness and readiness.

use http::StatusCode;
use serde_json::json;

use super::parsed;
use crate::board::ErrorKind;
use crate::site::fixture::{failing, get, site, stale, tank, text, waiting, weather};

#[test]
fn readiness_requires_that_every_source_is_fresh() {
    for (sources, ready, listed) in [
        (vec![], true, json!(null)),
        (vec![tank(), weather()], true, json!(null)),
        (vec![failing(tank(), ErrorKind::Tls, "expired")], true, json!(null)),
        (
            vec![stale(tank(), 7200), weather(), waiting("well", "json")],
            false,
            json!([
                {"name": "tank", "state": "stale", "observed_at": "2026-01-31T15:16:00Z"},
                {"name": "well", "state": "waiting", "observed_at": null},
            ]),
        ),
    ] {
        let site = site(sources);
        assert_eq!(text(&get(&site, "/healthz", &[])), "ok\n");
        let response = get(&site, "/readyz", &[]);
        if ready {
            assert_eq!(text(&response), "ok\n");
        } else {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(parsed(&response)["detail"], "tank is stale, well is waiting.");
            assert_eq!(parsed(&response)["sources"], listed);
        }
    }
}
