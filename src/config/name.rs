//! Names of sources, fields, alerts and channels.

use std::collections::BTreeMap;

use super::section::{Section, Spanned};

/// Returns true for a valid name: `[a-z][a-z0-9_]*`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Reports a `name` that is not valid, and returns false.
pub(super) fn check_name(section: &Section<'_, '_>, name: &Spanned<String>) -> bool {
    let Spanned { value, span } = name;
    let is_valid = is_name(value);
    if !is_valid {
        section.report(
            *span,
            format_args!(
                "\"name\": \"{value}\" must be lower-case letters, digits and underscores, \
                 beginning with a letter"
            ),
        );
    }
    is_valid
}

/// Reads the `name` of a table of an array, such as `[[alert]]`, which is unique among these. `lines` are those of the
/// names so far.
pub(super) fn read_unique_name(
    section: &mut Section<'_, '_>,
    table: &str,
    lines: &mut BTreeMap<String, usize>,
) -> Option<String> {
    let name = section.string("name");
    let name = section.require("name", name)?;
    section.rename(format!("{table} \"{}\"", name.value));
    if !check_name(section, &name) {
        return None;
    }
    let Spanned { value, span } = name;
    if let Some(line) = lines.get(&value) {
        section.report(
            span,
            format_args!("the name \"{value}\" is taken by another {table}, in line {line}"),
        );
        return None;
    }
    lines.insert(value.clone(), section.line_of(span));
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn name_of_lower_case_letters_digits_and_underscores_is_valid() {
        for (text, expected) in [
            ("a", true),
            ("tank_2", true),
            ("", false),
            ("_a", false),
            ("2a", false),
            ("Tank", false),
            ("a b", false),
            ("a.b", false),
            ("é", false),
            ("aé", false),
        ] {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }
}
