//! Responses as the metrics count them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{header, parsed};
use crate::engine::{Activity, BadRequest, Refusal, Service as _};
use crate::site::fixture::{request, site_observed, text};
use crate::site::{RequestObserver, SiteService};

#[derive(Default)]
struct Seen(Mutex<Vec<(&'static str, &'static str, u16)>>);

impl RequestObserver for Seen {
    fn observe(&self, route: &'static str, method: &'static str, code: u16, _: Duration) {
        self.0.lock().unwrap().push((route, method, code));
    }
}

#[test]
fn each_response_and_refusal_is_counted_once() {
    let seen = Arc::new(Seen::default());
    let site = site_observed(vec![], Arc::clone(&seen) as Arc<dyn RequestObserver>);
    let site = SiteService(Arc::new(site));
    site.call(&request("GET", "/ping", &[]), &Activity::default());
    site.call(&request("BREW", "/ping", &[]), &Activity::default());
    site.call(&request("HEAD", "/nowhere", &[]), &Activity::default());
    for (refusal, code, retry) in [
        (Refusal::BadRequest(BadRequest::FieldName), 400, ""),
        (Refusal::Timeout, 408, ""),
        (Refusal::BodyTooLarge, 413, ""),
        (Refusal::TargetTooLong, 414, ""),
        (Refusal::UnknownExpectation, 417, ""),
        (Refusal::Misdirected, 421, ""),
        (Refusal::HeadTooLarge, 431, ""),
        (Refusal::Panicked, 500, ""),
        (Refusal::UnknownCoding, 501, ""),
        (Refusal::UnknownMethod, 501, ""),
        (Refusal::Overloaded, 503, "2"),
        (Refusal::HeavyOverload, 503, "2"),
        (Refusal::UnknownVersion, 505, ""),
    ] {
        let response = site.refuse(refusal, None);
        assert_eq!(response.status().as_u16(), code);
        assert_eq!(header(&response, "retry-after"), retry);
        assert_eq!(parsed(&response)["detail"], refusal.detail());
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "-", code)));

        let script = request("POST", "/api/v1/status?a=b", &[("accept", "application/json")]);
        let response = site.refuse(refusal, Some((&script).into()));
        assert_eq!(parsed(&response)["instance"], "/api/v1/status");
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "POST", code)));

        let browser = request("GET", "/", &[("accept", "text/html,*/*;q=0.8")]);
        let response = site.refuse(refusal, Some((&browser).into()));
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert!(text(&response).contains(refusal.detail()));
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "GET", code)));
    }
    assert_eq!(
        *seen.0.lock().unwrap(),
        [("/ping", "GET", 200), ("-", "other", 501), ("-", "HEAD", 404)]
    );
}
