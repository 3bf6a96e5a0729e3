//! Names of sources and fields.

/// Returns true for a valid name: `[a-z][a-z0-9_]*`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
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
