//! Media types that several handlers send.

/// Media type of the API.
pub(super) const JSON: &str = "application/json";

/// Media type of errors (RFC 9457).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Media type of plain text.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

/// Media type of pages.
pub(super) const HTML: &str = "text/html; charset=utf-8";
