//! Names of fields in the settings of a source that no reading can have.

use super::kind::Kind;
use super::renamed_fields::renamed_fields;
use super::section::{Section, Spanned};
use super::trends::{self, TrendSettings};
use crate::suggestion::advice;

/// Warns of names that are no fields of the kind. Each has the key that it is in: `show`, `fields`, `trends`.
pub(super) fn check(
    section: &Section<'_, '_>,
    kind: &Kind,
    trends: &[TrendSettings],
    names: Vec<(&'static str, Spanned<String>)>,
) {
    let of_trends = trends::fields(trends);
    let of_kind = kind.fields();
    for (key, Spanned { value: name, span }) in names {
        // Trends are computed from fields of the kind, and shown like these.
        let trends = if key == "trends" { &[][..] } else { &of_trends };
        let known = of_kind.iter().copied().chain(trends.iter().map(String::as_str));
        let is_former = renamed_fields(kind.as_str()).any(|field| name.starts_with(field.old));
        if is_former || known.clone().any(|known| known == name) {
            continue;
        }
        let advice = advice(&name, known);
        let subject = match key {
            "show" => format!("\"show\": \"{name}\""),
            _ => format!("[source.{key}.{name}]: \"{name}\""),
        };
        let kind = kind.as_str();
        section.warn(span, format_args!("{subject} is no field of the kind \"{kind}\"; {advice}"));
    }
}
