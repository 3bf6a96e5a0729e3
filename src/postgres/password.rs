//! Password of the database's user.

use std::fmt;

/// A password. It has no `Display`, and its `Debug` shows a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn new(password: String) -> Password {
        Password(password)
    }

    /// Returns the password, for the code that proves that this client knows it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password]")
    }
}
