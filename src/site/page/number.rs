//! Numbers of a source, by the name of their field.

use crate::board::{Datum, SourceView};
use crate::units::Unit;

/// Returns the number in a field and its unit; `None` for a text, a null or an unknown field.
pub(super) fn number(source: &SourceView, field: &str) -> Option<(f64, Option<Unit>)> {
    let value = source.value(field)?;
    match value.datum {
        Some(Datum::Number(number)) => Some((number.get(), value.unit)),
        _ => None,
    }
}

/// Returns the number in a field that the source is configured to show.
pub(super) fn shown_number(source: &SourceView, field: &str) -> Option<(f64, Option<Unit>)> {
    number(source, field).filter(|_| source.shows(field))
}
