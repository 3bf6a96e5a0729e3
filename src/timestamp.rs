//! Timestamps as text: RFC 3339, always in UTC and with `Z`.
//!
//! Every timestamp that a program may parse has one of these forms: in JSON, in the log, in shell
//! assignments, in HTML attributes and in the texts of events. Ages and local times, which only
//! people read, are formatted in `format`.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A timestamp with whole seconds: `2026-01-31T17:16:00Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

/// A timestamp with milliseconds: `2026-01-31T17:16:00.250Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rfc3339Millis(pub(crate) Timestamp);

/// The date of a timestamp in UTC: `2026-01-31`, the `full-date` of RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rfc3339Date(pub(crate) Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").fmt(f)
    }
}

impl fmt::Display for Rfc3339Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").fmt(f)
    }
}

impl fmt::Display for Rfc3339Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%Y-%m-%d").fmt(f)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_cut_to_the_precision_of_its_form() {
        let at = "2026-01-31T18:16:00.2509+01:00".parse().unwrap();
        assert_eq!(Rfc3339(at).to_string(), "2026-01-31T17:16:00Z");
        assert_eq!(Rfc3339Millis(at).to_string(), "2026-01-31T17:16:00.250Z");
        assert_eq!(Rfc3339Date(at).to_string(), "2026-01-31");
        assert_eq!(serde_json::to_string(&Rfc3339(at)).unwrap(), "\"2026-01-31T17:16:00Z\"");
    }
}
