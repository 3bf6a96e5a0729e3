//! Texts of certificates in messages: in one line, and bounded, as a certificate may hold any text.

use x509_parser::prelude::X509Name;

use crate::text::one_line;

/// Maximum number of names that a message lists.
const MAX_NAMES: usize = 8;

/// Maximum number of characters of a subject.
const MAX_SUBJECT: usize = 128;

/// Returns the subject or issuer of a certificate.
pub(super) fn subject(name: &X509Name<'_>) -> String {
    text(&name.to_string())
}

/// Returns a text of a certificate.
pub(super) fn text(text: &str) -> String {
    one_line(text.as_bytes(), MAX_SUBJECT)
}

/// Returns the first of some names, and the number of the others.
pub fn listed(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMES).map(|name| text(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
