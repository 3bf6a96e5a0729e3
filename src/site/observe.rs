//! Telling the metrics what was answered.

use std::time::Duration;

use http::Method;

/// Counts answered requests. Called on a worker after each answer; must not block.
pub trait RequestObserver: Send + Sync {
    /// One answer: the route's pattern (`-` where none matched or the engine
    /// refused), the method (`-` where unknown), the status code, and the time the
    /// site took.
    fn observe(&self, route: &'static str, method: &'static str, code: u16, elapsed: Duration);
}

/// The method of a request whose head was never understood.
pub(super) const NO_METHOD: &str = "-";

/// The methods of RFC 9110 9.3, and PATCH (RFC 5789). All others are unknown.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"];

fn known(method: &Method) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method.as_str())
}

/// Returns whether the method is known, even if no route allows it.
pub(crate) fn is_known(method: &Method) -> bool {
    known(method).is_some()
}

/// The method as a label. Clients choose methods freely, so that all but the
/// known ones share one label and the number of series stays bounded.
pub(super) fn method_label(method: &Method) -> &'static str {
    known(method).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_methods_share_one_label() {
        for (method, label) in
            [("GET", "GET"), ("HEAD", "HEAD"), ("BREW", "other"), ("get", "other")]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(method_label(&method), label);
            assert_eq!(is_known(&method), label != "other", "{method}");
        }
    }
}
