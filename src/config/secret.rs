//! Secrets: values that no log line, page or error may contain.

use std::fmt;
use std::path::Path;

use super::section::{Section, Spanned};
use crate::file_error::{FileError, MAX_PEM_BYTES};

/// A token, password or key. It has no `Display`, and its `Debug` shows a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value of the configuration.
    pub fn new(value: String) -> Secret {
        Secret(value)
    }

    /// Reads a secret from a file that contains nothing else.
    ///
    /// # Errors
    /// The file cannot be read, or contains no text.
    pub fn read(path: &Path) -> Result<Secret, String> {
        let bytes = FileError::read(path, MAX_PEM_BYTES).map_err(|error| error.to_string())?;
        of_file(path, bytes)
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

/// Parts of names of keys, members and fields whose values are secrets.
const SECRET_NAMES: [&str; 8] =
    ["pass", "pwd", "token", "secret", "key", "auth", "bearer", "cookie"];

/// Returns true if the name of a key, member or field says that its value is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Keys that may be empty: some devices have an empty password.
const MAY_BE_EMPTY: [&str; 2] = ["password", "body"];

impl Section<'_, '_> {
    /// Reads a secret, given by `key` or in a separate file by `key_file`.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let secret = self.secret_or_empty(key)?;
        if secret.value.expose().trim().is_empty() && !MAY_BE_EMPTY.contains(&key) {
            self.report(secret.span, format_args!("\"{key}\" is empty; write its value"));
            return None;
        }
        Some(secret.value)
    }

    /// Reads a secret that may be an empty text, if that is what the file says.
    pub(super) fn secret_or_empty(&mut self, key: &str) -> Option<Spanned<Secret>> {
        let file_key = format!("{key}_file");
        let (inline, file) = (self.raw_string(key), self.path(&file_key));
        match (inline, file) {
            (Some(_), Some(Spanned { span, .. })) => {
                self.report(span, format_args!("\"{key}\" and \"{file_key}\" exclude each other"));
                None
            }
            (Some(raw), None) => self.inline_secret(key, raw),
            (None, Some(Spanned { value: path, span })) => {
                let bytes = FileError::read(&path, MAX_PEM_BYTES)
                    .map_err(|error| self.report_unreadable(span, &file_key, &error))
                    .ok()?;
                match of_file(&path, bytes) {
                    Ok(secret) => Some(Spanned { value: secret, span }),
                    Err(error) => {
                        self.report_file(span, &file_key, error);
                        None
                    }
                }
            }
            (None, None) => None,
        }
    }

    fn inline_secret(&self, key: &str, raw: Spanned<String>) -> Option<Spanned<Secret>> {
        let Spanned { value: raw, span } = raw;
        let value = self.expand(span, &raw)?;
        if value.trim().is_empty() && !raw.trim().is_empty() {
            let name = raw.trim().trim_start_matches("${").trim_end_matches('}');
            self.report_of_process(
                span,
                format_args!(
                    "\"{key}\" is empty: the environment variable {name} is set to nothing"
                ),
            );
            return None;
        }
        let is_hash = key.ends_with("_hash");
        if value == raw && !value.is_empty() && !is_hash && is_secret_name(key) {
            self.note_inline_secret(span, key);
        }
        Some(Spanned { value: Secret(value), span })
    }
}

/// Returns the secret of a file that contains nothing else, without the final line end.
fn of_file(path: &Path, bytes: Vec<u8>) -> Result<Secret, String> {
    let shown = |reason: &str| format!("{}: {reason}", crate::file_error::Shown(path));
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| shown("the file is not UTF-8 text; store it as UTF-8"))?;
    // Editors of Windows put a byte order mark in front.
    let secret = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(shown("the file is empty; write the secret into it"));
    }
    Ok(Secret(secret.to_owned()))
}
