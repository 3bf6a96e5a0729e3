//! What is made of an answer, with nothing in it that must not be told.

use jiff::Timestamp;

use super::conversion::told_in;
use super::secrets::Secrets;
use super::{excerpt, kind};
use crate::board::{ErrorKind, PollError, Reading};
use crate::config::Source;

/// An answer that is not what this kind of upstream sends.
#[derive(Debug)]
pub(super) struct NotUnderstood {
    pub(super) error: PollError,
    /// How the answer begins.
    pub(super) excerpt: String,
}

/// Reads a body that was complete at that time, into the units in which it is to be told.
///
/// # Errors
/// When it is not what this kind of upstream sends.
pub(super) fn read(
    source: &Source,
    secrets: &Secrets,
    body: &[u8],
    at: Timestamp,
) -> Result<Reading, NotUnderstood> {
    match kind::decode(&source.kind, body, at) {
        Ok(reading) => Ok(secrets.strike_out_of_reading(told_in(&source.units, reading))),
        Err(error) => Err(NotUnderstood {
            error: secrets
                .strike_out_of_error(PollError::new(ErrorKind::Decode, error.to_string())),
            excerpt: excerpt::of(body, secrets),
        }),
    }
}
