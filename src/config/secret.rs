//! Secrets: values that no log line, page or error may contain.

use std::fmt;
use std::io;
use std::path::Path;

/// A token, password or key. It has no `Display`, and its `Debug` shows a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value of the configuration.
    pub fn new(value: String) -> Secret {
        Secret(value)
    }

    /// Reads a secret from a file that contains nothing else, without the final line end.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub fn from_file(path: &Path) -> io::Result<Secret> {
        let text = std::fs::read_to_string(path)?;
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Returns the value, for the code that sends or verifies it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the last of several words: the token of credentials that begin with their scheme
    /// (RFC 9110 11.4).
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
