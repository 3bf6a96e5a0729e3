//! Pings of a dead man's switch outside, which sends messages of its own when they cease.

use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::context::ChannelContext;
use super::cut::{Measure, cut};
use super::delivery::DeliveryError;
use super::heartbeat::Switch;
use super::http::HttpClient;
use crate::config::Heartbeat;

/// Longest reason, bytes.
const MAX_REASON: usize = 10_000;

/// Client of the switch.
pub struct Ping {
    success: HttpClient,
    failure: HttpClient,
    timeout: Duration,
}

impl Ping {
    /// Returns the client of a configuration.
    pub fn new(config: &Heartbeat, context: &ChannelContext) -> Ping {
        let url = config.url.expose();
        let client =
            |to: &str| HttpClient::new(to, &[url], config.timeout, context.tls.clone(), context);
        Ping { success: client(url), failure: client(&fail_url(url)), timeout: config.timeout }
    }

    /// Reports that everything works.
    ///
    /// # Errors
    /// The ping was not taken.
    pub fn succeed(&self) -> Result<(), DeliveryError> {
        self.success.exchange(None, &[], Instant::now() + self.timeout)
    }

    /// Reports that something does not work.
    ///
    /// # Errors
    /// The ping was not taken.
    pub fn fail(&self, reason: &str) -> Result<(), DeliveryError> {
        let body = cut(reason, MAX_REASON, Measure::Bytes);
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        let deadline = Instant::now() + self.timeout;
        self.failure.exchange(Some(body.as_bytes()), &[(CONTENT_TYPE, plain)], deadline)
    }
}

impl Switch for Ping {
    fn ping(&self, reason: Option<&str>) -> Result<(), DeliveryError> {
        reason.map_or_else(|| self.succeed(), |reason| self.fail(reason))
    }
}

/// Returns the URL of failures: `/fail` is added to the path, before the query.
fn fail_url(url: &str) -> String {
    let (path, query) = match url.find('?') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    format!("{}/fail{query}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::notify::fake::{Reply, Server};
    use crate::notify::fixture::context;

    #[test]
    fn failure_is_added_before_the_query() {
        for (url, expected) in [
            ("https://hc.test/uuid", "https://hc.test/uuid/fail"),
            ("https://hc.test/uuid/", "https://hc.test/uuid/fail"),
            ("https://hc.test/uuid?a=b/", "https://hc.test/uuid/fail?a=b/"),
        ] {
            assert_eq!(fail_url(url), expected);
        }
    }

    #[test]
    fn ping_is_a_get_and_a_failure_a_post_of_its_reason() {
        let server = Server::new(Reply::ok("OK"));
        let url = Secret::new(server.url("/0123-uuid?create=1"));
        let timeout = Duration::from_secs(20);
        let ping = Ping::new(&Heartbeat { url, every: timeout, timeout }, &context());
        ping.succeed().unwrap();
        ping.fail("history: no space left").unwrap();
        let requests = server.requests();
        assert!(requests[0].head.starts_with("GET /0123-uuid?create=1 HTTP/1.1\r\n"));
        assert!(requests[0].head.contains("user-agent: pumphouse-web/test\r\n"));
        assert!(requests[1].head.starts_with("POST /0123-uuid/fail?create=1 HTTP/1.1\r\n"));
        assert_eq!(requests[1].body, "history: no space left");
    }
}
