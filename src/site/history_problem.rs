//! Problems of requests for recorded data: no history, a history that cannot be read, a field that
//! was never recorded.

use http::StatusCode;

use super::problem::Problem;
use crate::board::{Datum, SourceView};
use crate::history::HistoryError;

/// Returns the problem of a history that is off or cannot be read.
pub(super) fn unavailable(error: &HistoryError) -> Problem {
    let (status, retry) = match error {
        HistoryError::Off => return Problem::not_found("This server records no history."),
        HistoryError::Held(holder) => {
            let detail = format!(
                "Another instance of this server ({}) records the history. This one shows it when that one \
                 ends.",
                holder.brief()
            );
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(60);
        }
        HistoryError::Busy | HistoryError::Closed => (StatusCode::SERVICE_UNAVAILABLE, 2),
        HistoryError::Away => (StatusCode::SERVICE_UNAVAILABLE, 5),
        HistoryError::Unreadable => (StatusCode::SERVICE_UNAVAILABLE, 60),
    };
    let mut detail = error.to_string();
    // A sentence begins with a capital and ends with a stop.
    detail.replace_range(..1, &detail[..1].to_ascii_uppercase());
    detail.push_str(" now.");
    Problem::new(status, detail).retry_after(retry)
}

/// Returns the problem of a field without records. The source's latest reading gives the reason.
pub(super) fn unrecorded(view: Option<&SourceView>, source: &str, field: &str) -> Problem {
    let reading = view.and_then(|view| view.reading.as_ref());
    let derived = reading.map_or(&[][..], |reading| &reading.derived);
    let value = view.and_then(|view| view.value(field)).map(|value| &value.datum);
    let detail = if derived.iter().any(|(name, _)| **name == *field) {
        format!(
            "{source}.{field} is computed from recorded values, and not recorded itself. Its current \
             value is at /api/v1/values/{source}.{field}."
        )
    } else {
        match value {
            Some(Some(Datum::Text(_))) => {
                format!("{source}.{field} is a text, and only numbers are recorded.")
            }
            Some(_) => format!("No value of {source}.{field} has been recorded yet."),
            None => format!("No value of {source}.{field} was ever recorded."),
        }
    };
    Problem::not_found(detail)
}
