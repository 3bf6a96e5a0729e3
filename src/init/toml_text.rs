//! Texts of users in TOML: as strings, and in comments.

use std::fmt::Write as _;

use crate::text::{clean, is_hidden};

/// Returns a TOML string with this content, in one line and without hidden characters.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a string does not fail.
            c if is_hidden(c) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a text for a comment: one line without hidden characters.
pub(super) fn comment(text: &str) -> String {
    clean(text).into_owned()
}

/// Start of a variable in strings of the configuration, for which it has no escape.
const VARIABLE: &str = "${";

/// Checks that a text of a user can be written into the configuration.
///
/// # Errors
/// It is empty, contains `${`, or has hidden characters.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        Err("it is empty")
    } else if text.contains(VARIABLE) {
        Err("it contains \"${\", which the configuration replaces by a variable of the environment")
    } else if clean(text) != text {
        Err("it contains a control character or an invisible one")
    } else {
        Ok(())
    }
}
