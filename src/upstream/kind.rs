//! What is particular to each kind of upstream: what to ask for, and how to read it.

use jiff::Timestamp;
use ureq::http::header::{ACCEPT, HeaderName, HeaderValue};

use super::decode::DecodeError;
use super::fetch::Request;
use super::{json, open_meteo, ptlevel};
use crate::board::Reading;
use crate::config::Kind;

/// The request for the source's current values. This is the one place where the
/// configured addresses are taken and header fields are set.
///
/// A 304 is of use only where the body tells the time of observation absolutely: an
/// unchanged page that says "3 minutes ago" would say something else by now, and a
/// body without any time is observed when it is fetched.
pub(super) fn request(kind: &Kind) -> Request {
    match kind {
        Kind::PtLevel(keys) => Request {
            url: keys.url.as_str().to_owned(),
            headers: accept("text/html"),
            conditional: false,
            reason: |_| None,
        },
        Kind::OpenMeteo(keys) => Request {
            url: open_meteo::url(keys),
            headers: accept("application/json"),
            conditional: true,
            reason: open_meteo::reason,
        },
        Kind::Json(keys) => Request {
            url: keys.url.as_str().to_owned(),
            headers: accept("application/json"),
            conditional: keys.observed_at.is_some(),
            reason: |_| None,
        },
    }
}

fn accept(media_type: &'static str) -> Vec<(HeaderName, HeaderValue)> {
    vec![(ACCEPT, HeaderValue::from_static(media_type))]
}

/// Reads an answer that was complete at that time by our clock.
///
/// # Errors
/// When it is not what this kind of upstream sends.
pub(super) fn decode(
    kind: &Kind,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    match kind {
        Kind::PtLevel(keys) => ptlevel::decode(keys, body, fetched_at),
        Kind::OpenMeteo(_) => open_meteo::decode(body),
        Kind::Json(keys) => json::decode(keys, body, fetched_at),
    }
}
