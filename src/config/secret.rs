//! Values that must never be shown.

use std::fmt;
use std::io;
use std::path::Path;

/// A token, a password, a key. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that stands in the configuration itself.
    pub fn new(value: String) -> Secret {
        Secret(value)
    }

    /// A secret in a file of its own, without the line's end.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub fn from_file(path: &Path) -> io::Result<Secret> {
        let text = std::fs::read_to_string(path)?;
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last of several words: of credentials with their scheme (RFC 9110 11.4) the part
    /// that proves something.
    pub(super) fn last_word(&self) -> Option<Secret> {
        let (_, last) = self.0.trim().rsplit_once(char::is_whitespace)?;
        Some(Secret(last.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
