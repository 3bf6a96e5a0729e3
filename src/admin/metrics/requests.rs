//! Requests, counted as the site responds to them.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::family::PREFIX;
use crate::site::RequestObserver;

/// Upper bounds of the duration histogram's buckets, seconds. A handler copies bytes, so most
/// requests take less than a millisecond.
const BUCKETS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Counters of answered requests and their durations.
pub struct RequestMetrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
}

impl RequestMetrics {
    /// Returns counters that are zero.
    ///
    /// # Errors
    /// Never in practice: the names are valid constants, and each is registered once.
    pub fn new() -> prometheus::Result<RequestMetrics> {
        let registry = Registry::new();
        let name = |name: &str| format!("{PREFIX}{name}");
        let requests = IntCounterVec::new(
            Opts::new(
                name("http_requests_total"),
                "Number of requests answered, by route, method and status code.",
            ),
            &["route", "method", "code"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                name("http_request_duration_seconds"),
                "Time from the call of the handler to its response, including the wait for a permit.",
            )
            .buckets(BUCKETS.to_vec()),
            &["route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        Ok(RequestMetrics { registry, requests, durations })
    }

    /// Returns the current counts as text.
    pub(super) fn text(&self) -> String {
        let mut families = self.registry.gather();
        // The encoder rejects families without samples.
        families.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            log::error!("cannot encode the metrics of requests: {error}");
            String::new()
        })
    }
}

impl RequestObserver for RequestMetrics {
    fn observe(&self, route: &'static str, method: &'static str, code: u16, elapsed: Duration) {
        let mut digits = [0; 3];
        self.requests.with_label_values(&[route, method, code_label(code, &mut digits)]).inc();
        self.durations.with_label_values(&[route]).observe(elapsed.as_secs_f64());
    }
}

/// Writes a status code as three digits, without an allocation.
fn code_label(code: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in [100, 10, 1].into_iter().zip(digits.iter_mut()) {
        // The remainder is below ten.
        *digit = b'0' + (code / place % 10) as u8;
    }
    std::str::from_utf8(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_code() {
        let metrics = RequestMetrics::new().unwrap();
        for code in [200, 200, 404] {
            metrics.observe("/ping", "GET", code, Duration::from_micros(300));
        }
        let text = metrics.text();
        for line in [
            r#"pumphouse_http_requests_total{code="200",method="GET",route="/ping"} 2"#,
            r#"pumphouse_http_requests_total{code="404",method="GET",route="/ping"} 1"#,
            r#"pumphouse_http_request_duration_seconds_bucket{route="/ping",le="0.00025"} 0"#,
            r#"pumphouse_http_request_duration_seconds_bucket{route="/ping",le="0.0005"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
