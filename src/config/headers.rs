//! Header fields of requests: `[source.headers]`, `[notify.headers]`.

use http::{HeaderName, HeaderValue};

use super::secret::Secret;
use super::section::{Section, Spanned};

/// Reads a table of header fields.
pub(super) fn read(mut section: Section<'_, '_>) -> Vec<(HeaderName, Secret)> {
    let mut headers = Vec::new();
    for Spanned { value: key, span } in section.dynamic_keys() {
        // `NAME_file` is read together with its NAME: names of header fields have no underscore.
        let name = key.strip_suffix("_file").unwrap_or(&key).to_owned();
        let value = section.secret_or_empty(&name).map(|at| at.value);
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Err(_), _) => {
                section.report(span, format_args!("\"{name}\" is not the name of a header field"))
            }
            (Ok(_), Some(value)) if HeaderValue::from_str(value.expose()).is_err() => {
                section.report(span, format_args!("\"{name}\" contains a control character"));
            }
            (Ok(name), Some(value)) => headers.push((name, value)),
            (Ok(_), None) => {}
        }
    }
    section.finish();
    headers
}
