//! `equals` and `not_equals`: a value of the type that the watched field has.

use super::super::kind::FieldType;
use super::super::section::{Section, Spanned};
use super::super::simple_value::Scalar;
use super::plant::{Misfit, Watched};
use crate::units::Unit;

/// Reads the value that a field is compared with. One that the field can never have is an error.
pub(super) fn scalar(
    section: &mut Section<'_, '_>,
    key: &str,
    watched: &Watched<'_, '_>,
) -> Option<Scalar> {
    let Spanned { value, span } = section.scalar(key)?;
    let (source, found) = match watched.misfit(&|found| fits(&value, found)) {
        Misfit::None => return Some(value),
        Misfit::Some { source, found, count } => {
            watched.warn_of_misfit(section, span, key, (source, found), count);
            return Some(value);
        }
        Misfit::All { source, found } => (source, found),
    };
    let field = format!("{}.{}", source.name, watched.field);
    let (is, advice) = match found {
        FieldType::Text => ("a text", format!("{key} = \"…\"")),
        FieldType::Number(Some(Unit::Bool)) => ("true or false", format!("{key} = true")),
        _ => ("a number", format!("{key} = 1")),
    };
    section.report(span, format_args!("\"{key}\" is {value}, and {field} is {is}; write {advice}"));
    None
}

fn fits(value: &Scalar, found: FieldType) -> bool {
    match (value, found) {
        (_, FieldType::AsSent | FieldType::Unknown) => true,
        (Scalar::Text(_), FieldType::Text) => true,
        (Scalar::Bool(_), FieldType::Number(unit)) => unit.is_none_or(|unit| unit == Unit::Bool),
        (Scalar::Integer(_) | Scalar::Number(_), FieldType::Number(_)) => true,
        (Scalar::Text(_), FieldType::Number(_)) | (_, FieldType::Text) => false,
    }
}
