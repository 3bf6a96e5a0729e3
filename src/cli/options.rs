//! Parsers for the values of options.

use std::time::Duration;

use crate::config::parse_duration;

/// Parses an option that is a duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

/// Parses an option that is a duration longer than zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() {
        Err("the duration must be longer than zero".to_owned())
    } else {
        Ok(duration)
    }
}
