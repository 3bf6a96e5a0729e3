//! Errors that the server reports.

use std::fmt;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorFields;

use crate::text::one_line;

/// Most characters of a text of the server that are kept.
const MAX_CHARACTERS: usize = 500;

/// Error that the server reports. Its texts are of one line each, and bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// Code of five characters, such as `23505`.
    pub sqlstate: String,
    /// Message in one line.
    pub message: String,
    /// Details, which may hold values of rows. The error's `Display` leaves them out.
    pub detail: Option<String>,
    /// Advice of the server.
    pub hint: Option<String>,
    /// Constraint that a row violates.
    pub constraint: Option<String>,
    /// True if the server ends the session.
    pub is_fatal: bool,
}

impl ServerError {
    pub(super) fn of(mut fields: ErrorFields<'_>) -> ServerError {
        let mut error = ServerError::default();
        // The severity `V` is that of `S` in English.
        while let Ok(Some(field)) = fields.next() {
            let text = one_line(field.value_bytes(), MAX_CHARACTERS);
            match field.type_() {
                b'C' => error.sqlstate = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'n' => error.constraint = Some(text),
                b'V' => error.is_fatal = matches!(text.as_str(), "FATAL" | "PANIC"),
                _ => {}
            }
        }
        error
    }

    /// Returns true if the same call may succeed later without any change: for a conflict with another
    /// transaction, a limit of time, a shortage, or a server that starts or stops.
    pub(crate) fn is_transient(&self) -> bool {
        const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
        /// lock_not_available.
        const LOCKED: &str = "55P03";
        CLASSES.iter().any(|class| self.sqlstate.starts_with(class)) || self.sqlstate == LOCKED
    }
}

/// Shows message, code, constraint and hint.
impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate)?;
        if let Some(constraint) = &self.constraint {
            write!(f, ", constraint {constraint}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, ": {hint}")?;
        }
        Ok(())
    }
}
