//! `group` of a source: a path of names that pages and the API select sources by.

use std::sync::Arc;

use super::section::{Section, Spanned};

/// Maximum length in bytes. A group is part of URLs and of each page that shows it.
pub const MAX_GROUP_BYTES: usize = 128;

/// Maximum number of names in a path.
const MAX_LEVELS: usize = 8;

/// Reads `group`, such as `north/ridge`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Arc<str>> {
    let Spanned { value, span } = section.string("group")?;
    if value.len() > MAX_GROUP_BYTES {
        let length = value.len();
        let message =
            format_args!("\"group\" has {length} bytes; it must have at most {MAX_GROUP_BYTES}");
        section.report(span, message);
        return None;
    }
    if value.split('/').all(is_segment) {
        let levels = value.split('/').count();
        if levels > MAX_LEVELS {
            let message =
                format_args!("\"group\" has {levels} levels; it must have at most {MAX_LEVELS}");
            section.report(span, message);
            return None;
        }
        return Some(value.into());
    }
    let advice = match corrected(&value) {
        Some(corrected) => format!("write \"{corrected}\""),
        None => "write it as \"north/ridge\"".to_owned(),
    };
    let message = format_args!(
        "\"group\": \"{value}\" must be lower-case letters, digits, \"_\" and \"-\", with \"/\" between \
         levels; {advice}"
    );
    section.report(span, message);
    None
}

/// Returns true if a source of the group `own` is in `group` or in a group below it: `north/ridge` is in `north`.
pub fn is_within(own: &str, group: &str) -> bool {
    let rest = own.strip_prefix(group);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns true for one name of a path, which begins with a letter or a digit.
fn is_segment(text: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(is_alphanumeric)
        && text.bytes().all(|byte| is_alphanumeric(byte) || matches!(byte, b'_' | b'-'))
}

/// Returns the valid group that is probably meant, if there is one.
fn corrected(written: &str) -> Option<String> {
    let lower = written.trim().replace(['\\', '.', ':'], "/").to_lowercase();
    let segment = |text: &str| text.trim().trim_matches(['_', '-']).replace(' ', "_");
    let segments: Vec<String> =
        lower.split('/').map(segment).filter(|segment| !segment.is_empty()).collect();
    let is_valid = !segments.is_empty() && segments.iter().all(|segment| is_segment(segment));
    is_valid.then(|| segments.join("/"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    fn group(written: &str) -> Result<Option<String>, String> {
        let text = format!(
            "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\ngroup = \"{written}\"\n"
        );
        let config = parse(Path::new("p.toml"), &text, &|_| None);
        let config = config.map_err(|errors| errors.to_string())?;
        Ok(config.sources[0].group.as_deref().map(str::to_owned))
    }

    #[test]
    fn path_of_names_is_a_group() {
        for written in
            ["north", "north/ridge", "site-7/0_b", &"a/".repeat(7)[..13], &"g".repeat(128)]
        {
            assert_eq!(group(written).as_ref().map(Option::as_deref), Ok(Some(written)));
        }
        let none = "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n";
        assert_eq!(parse(Path::new("p"), none, &|_| None).unwrap().sources[0].group, None);
    }

    #[test]
    fn other_text_is_refused_with_the_nearest_group() {
        for (written, advice) in [
            ("North", "write \"north\""),
            ("/north/ridge/", "write \"north/ridge\""),
            ("north//ridge", "write \"north/ridge\""),
            ("North Field/ Upper Ridge", "write \"north_field/upper_ridge\""),
            ("north.ridge", "write \"north/ridge\""),
            ("-north", "write \"north\""),
            ("..", "write it as \"north/ridge\""),
            ("", "write it as \"north/ridge\""),
            ("nörth", "write it as \"north/ridge\""),
            ("a?b", "write it as \"north/ridge\""),
        ] {
            let error = group(written).unwrap_err();
            // The position of an empty string is that of its first quotation mark.
            let column = if written.is_empty() { 9 } else { 10 };
            let expected = format!(
                "p.toml:5:{column}: \"group\": \"{written}\" must be lower-case letters, digits, \"_\" and \
                 \"-\", with \"/\" between levels in [[source]] \"w\"; {advice}"
            );
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn longest_and_deepest_groups_are_limited() {
        for (written, expected) in [
            (
                "g".repeat(129),
                "\"group\" has 129 bytes in [[source]] \"w\"; it must have at most 128",
            ),
            (
                ["a"; 9].join("/"),
                "\"group\" has 9 levels in [[source]] \"w\"; it must have at most 8",
            ),
        ] {
            assert_eq!(group(&written), Err(format!("p.toml:5:10: {expected}")));
        }
    }
}
