//! Denials of the gate as problems.

use std::time::Duration;

use http::StatusCode;

use super::problem::Problem;
use crate::access::Denial;

/// `Retry-After` of a request that found all password verifications in use, in seconds.
pub(super) const BUSY_RETRY: u64 = 1;

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Problem {
        match denial {
            Denial::Host => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "This server does not go by the name that the request asks for.",
            ),
            Denial::Unauthorized(challenges) => Problem::new(
                StatusCode::UNAUTHORIZED,
                "This is for those with an account, and the request has no credentials that are \
                 good here.",
            )
            .challenges(challenges),
            Denial::Scope(scope, challenges) => Problem::new(
                StatusCode::FORBIDDEN,
                format!("These credentials do not allow \"{}\".", scope.as_str()),
            )
            .challenges(challenges),
            Denial::CrossSite => Problem::new(
                StatusCode::FORBIDDEN,
                "Another site's page may change nothing here, unless it sends a token.",
            ),
            Denial::Throttled(wait) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong credentials have come before this; wait as long as Retry-After \
                 says.",
            )
            .retry_after(whole_seconds(wait)),
            Denial::Busy => Problem::unavailable("Too many logins are in progress; retry in 1 s.")
                .retry_after(BUSY_RETRY),
            Denial::NoRandomness => {
                Problem::unavailable("The system gives no random numbers, so no session can begin.")
                    .retry_after(BUSY_RETRY)
            }
        }
    }
}

/// Rounds a wait up, so that a client that returns on time is not too early.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
