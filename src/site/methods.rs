//! Methods of requests: those that exist, and those that a route allows.

use http::{HeaderValue, Method};

/// Label for the method of a request whose head was never parsed.
pub(super) const NO_METHOD: &str = "-";

/// Methods of RFC 9110 9.3, and PATCH (RFC 5789). All others are unknown.
const KNOWN: [&str; 9] =
    ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"];

fn known(method: &Method) -> Option<&'static str> {
    KNOWN.into_iter().find(|name| *name == method.as_str())
}

/// Returns true if the method is known, even if no route allows it.
pub(crate) fn is_known(method: &Method) -> bool {
    known(method).is_some()
}

/// Returns the method as a label of metrics and logs.
///
/// Clients choose methods freely, so all unknown ones share one label and the number of series
/// stays bounded.
pub(super) fn method_label(method: &Method) -> &'static str {
    known(method).unwrap_or("other")
}

/// Methods that a route allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Methods {
    /// GET and HEAD.
    Read,
    /// POST.
    Post,
    /// GET and HEAD of a form, and POST of its fields.
    Form,
}

impl Methods {
    /// Returns the value of `Allow`.
    pub(super) const fn allow(self) -> HeaderValue {
        match self {
            Methods::Read => HeaderValue::from_static("GET, HEAD, OPTIONS"),
            Methods::Post => HeaderValue::from_static("POST, OPTIONS"),
            Methods::Form => HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
        }
    }

    /// Returns true if the handler takes the method. The router answers OPTIONS itself.
    pub(super) fn reach_handler(self, method: &Method) -> bool {
        match self {
            Methods::Read => matches!(*method, Method::GET | Method::HEAD),
            Methods::Post => *method == Method::POST,
            Methods::Form => matches!(*method, Method::GET | Method::HEAD | Method::POST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_share_one_label() {
        for (method, label) in
            [("GET", "GET"), ("HEAD", "HEAD"), ("BREW", "other"), ("get", "other")]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(method_label(&method), label);
            assert_eq!(is_known(&method), label != "other", "{method}");
        }
    }
}
