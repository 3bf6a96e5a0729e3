//! `[source.query]`: parameters that are appended to the query of the URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::super::secret::{Secret, is_secret_name};
use super::super::super::section::{Section, Spanned};
use super::super::super::simple_value::Scalar;

/// Every byte but the unreserved ones (RFC 3986 2.3), so that any server reads the parameter as it was written.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Suffix of a key that names a file with the value.
const FILE: &str = "_file";

/// Parameters of a query, in the order of the file. A value may be a secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query(Vec<(String, Secret)>);

impl Query {
    /// Returns the parameters' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the parameters in the syntax of a URL. Not for logs.
    pub fn encoded(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| {
            let value = utf8_percent_encode(value.expose(), ENCODED);
            format!("{}={value}", utf8_percent_encode(name, ENCODED))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Returns the values, as configured and as sent.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Secret> {
        // A common word: a response has it, too.
        let is_secret = |value: &Secret| !matches!(value.expose(), "true" | "false");
        let values = self.0.iter().filter(move |(_, value)| is_secret(value));
        values.flat_map(|(_, value)| {
            let sent = utf8_percent_encode(value.expose(), ENCODED).to_string();
            [value.clone(), Secret::new(sent)]
        })
    }
}

/// Reads the parameters. `NAME_file` names a file with the value of the parameter NAME.
pub(super) fn read(mut section: Section<'_, '_>) -> Query {
    let mut parameters = Vec::new();
    let keys = section.dynamic_keys();
    for Spanned { value: key, span } in &keys {
        let plain = key.strip_suffix(FILE).filter(|plain| !plain.is_empty());
        match plain {
            Some(plain) if keys.iter().any(|other| other.value == plain) => {
                let message = format_args!("\"{plain}\" and \"{key}\" exclude each other");
                section.report(*span, message);
                section.string(key);
            }
            Some(plain) => {
                let value = section.secret_or_empty(plain).map(|at| at.value);
                parameters.extend(value.map(|value| (plain.to_owned(), value)));
            }
            None => {
                if let Some(span) = section.inline_text_of(key).filter(|_| is_secret_name(key)) {
                    section.note_inline_secret(span, key);
                }
                let value = section.scalar(key).map(|at| match at.value {
                    Scalar::Text(text) => text,
                    other => other.to_string(),
                });
                parameters.extend(value.map(|value| (key.clone(), Secret::new(value))));
            }
        }
    }
    section.finish();
    Query(parameters)
}
