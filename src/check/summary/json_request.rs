//! Describes what is sent to the endpoint of a source of kind `json`, without secrets.

use std::fmt::{self, Write as _};

use crate::config::{Credentials, JsonRequest, Method};

/// Writes one line for each thing that differs from a plain GET.
pub(super) fn lines(text: &mut String, request: &JsonRequest) -> fmt::Result {
    let method = request.method.as_str();
    match &request.body {
        Some(body) => {
            let length = body.expose().len();
            writeln!(text, "  requested by {method}, with a body of {length} bytes")?;
        }
        None if request.method != Method::Get => writeln!(text, "  requested by {method}")?,
        None => {}
    }
    for name in request.query.names() {
        writeln!(text, "  sends the parameter {name}: [secret]")?;
    }
    for (name, _) in &request.headers {
        writeln!(text, "  sends {name}: [secret]")?;
    }
    match &request.credentials {
        Some(Credentials::Bearer(_)) => writeln!(text, "  sends a bearer token")?,
        Some(Credentials::Basic(login)) => {
            writeln!(text, "  sends a password for {}", login.username)?;
        }
        Some(Credentials::Digest(login)) => {
            writeln!(text, "  sends a digest of a password for {}", login.username)?;
        }
        None => {}
    }
    Ok(())
}
