//! Converts a response body into a reading: decodes it, rejects what cannot be true, converts units, redacts
//! secrets.

use jiff::Timestamp;

use super::conversion::convert;
use super::json::Settling;
use super::secrets::Secrets;
use super::{excerpt, kind, plausible};
use crate::board::{ErrorKind, PollError, Reading};
use crate::config::{Kind, Source};

/// A response that cannot be decoded.
#[derive(Debug)]
pub(super) struct DecodeFailure {
    pub(super) error: PollError,
    /// Beginning of the response, for the log.
    pub(super) excerpt: String,
}

/// Converts a body that was complete at `at` into a reading. `settling` is the state of the source between its
/// polls.
///
/// # Errors
/// The decoder of the source's kind rejects the body.
pub(super) fn interpret(
    source: &Source,
    secrets: &Secrets,
    settling: &mut Settling,
    body: &[u8],
    at: Timestamp,
) -> Result<Reading, DecodeFailure> {
    match kind::decode(&source.kind, body, at) {
        Ok(reading) => {
            let plausible = plausible::check(&source.kind, reading);
            let settled = match &source.kind {
                Kind::Json(keys) => settling.settle(keys, plausible),
                _ => plausible,
            };
            Ok(secrets.redact_reading(convert(&source.units, settled)))
        }
        Err(error) => Err(DecodeFailure {
            error: secrets.redact_error(PollError::new(ErrorKind::Decode, error.to_string())),
            excerpt: excerpt::of(body, secrets),
        }),
    }
}
