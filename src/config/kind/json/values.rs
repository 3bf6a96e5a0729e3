//! The values of a response, and where they are in it.

use std::sync::Arc;

use super::super::super::name::is_name;
use super::super::super::section::{Section, Spanned};
use super::pointer;
use crate::units::Unit;

/// `[source.values.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValue {
    /// The field's name.
    pub name: Arc<str>,
    /// JSON pointer (RFC 6901) to the value.
    pub pointer: String,
    /// The unit; `None` for text.
    pub unit: Option<Unit>,
    /// Factor of the raw number.
    pub scale: f64,
    /// Number that is added after scaling.
    pub offset: f64,
    /// Least plausible value.
    pub min: Option<f64>,
    /// Greatest plausible value.
    pub max: Option<f64>,
}

/// Reads `[source.values]`.
pub(super) fn values_of(mut section: Section<'_, '_>) -> Vec<JsonValue> {
    let mut values = Vec::new();
    for Spanned { value: name, span } in section.dynamic_keys() {
        if !is_name(&name) {
            section.report(
                span,
                format_args!("\"{name}\" must be lower-case letters, digits and underscores"),
            );
        }
        let title = format!("[source.values.{name}]");
        values.extend(section.section(&name, title).and_then(|value| value_of(&name, value)));
    }
    section.finish();
    values
}

fn value_of(name: &str, mut section: Section<'_, '_>) -> Option<JsonValue> {
    let pointer = pointer(&mut section);
    let has_unit = section.span_of("unit").is_some();
    let unit = section.unit();
    let number = |section: &mut Section<'_, '_>, key: &str| section.number(key).map(|at| at.value);
    let scale = number(&mut section, "scale").unwrap_or(1.0);
    let offset = number(&mut section, "offset").unwrap_or(0.0);
    let (min, max) = (number(&mut section, "min"), number(&mut section, "max"));
    section.finish();
    // A faulty unit must not turn the value into text.
    if has_unit && unit.is_none() {
        return None;
    }
    Some(JsonValue { name: name.into(), pointer: pointer?, unit, scale, offset, min, max })
}
