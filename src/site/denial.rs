//! Denials of the gate as problems.

use std::time::Duration;

use http::StatusCode;

use super::problem::Problem;
use crate::access::{Denial, OriginMismatch};

/// `Retry-After` of a request that found all password verifications in use, in seconds.
pub(super) const BUSY_RETRY: u64 = 1;

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Problem {
        match denial {
            Denial::Host(host) => Problem::new(StatusCode::MISDIRECTED_REQUEST, misdirected(host)),
            Denial::Unauthorized(challenges) => Problem::new(
                StatusCode::UNAUTHORIZED,
                "This address requires an account or a token, and the request has no valid \
                 credentials.",
            )
            .challenges(challenges),
            Denial::Scope(scope, challenges) => Problem::new(
                StatusCode::FORBIDDEN,
                format!("These credentials lack the scope \"{}\".", scope.as_str()),
            )
            .challenges(challenges),
            Denial::CrossSite(mismatch) => {
                Problem::new(StatusCode::FORBIDDEN, cross_site(mismatch.as_deref()))
            }
            Denial::Throttled(wait) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many failed logins; retry after the time in Retry-After.",
            )
            .retry_after(whole_seconds(wait)),
            Denial::Busy => Problem::unavailable("Too many logins are in progress; retry in 1 s.")
                .retry_after(BUSY_RETRY),
            Denial::NoRandomness => Problem::unavailable(
                "The system has no random numbers for a session; retry in 1 s.",
            )
            .retry_after(BUSY_RETRY),
        }
    }
}

/// Returns the detail of a 421. It names the host of the request and the keys to set, and not the names
/// that are configured: a stranger who guesses at them learns nothing.
fn misdirected(host: Option<String>) -> String {
    let subject = match host {
        Some(host) => format!("The request is for the host \"{host}\", which is"),
        None => "The request has no Host, so it is".to_owned(),
    };
    format!(
        "{subject} not one of this server's names. If it should be, add it to \"names\" in [server], or set \
         the public address as \"url\" in [site]. If a reverse proxy replaced the Host, let it pass on \
         that of the browser: in nginx, \"proxy_set_header Host $http_host;\"."
    )
}

/// Returns the detail of a 403 for a page of another site. It names both origins, and what to set if a proxy
/// made them differ.
fn cross_site(mismatch: Option<&OriginMismatch>) -> String {
    let refusal = "A page of another site may not change anything here without a token.";
    let Some(OriginMismatch { sent, own }) = mismatch else { return refusal.to_owned() };
    format!(
        "{refusal} The page is of the origin \"{sent}\", and the request is for \"{own}\". If both are this \
         site behind a reverse proxy, set the address in the browser as \"url\" in [site], or let the proxy \
         pass on the Host of the browser with its port: in nginx, \"proxy_set_header Host $http_host;\". If \
         only http and https differ, add the proxy to \"trusted_proxies\" in [server], and let it send \
         X-Forwarded-Proto."
    )
}

/// Rounds a wait up, so that a client that returns on time is not too early.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
