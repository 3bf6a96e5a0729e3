//! The time of observation, and where and how a response states it.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::super::section::{Section, Spanned};
use super::pointer;

/// `observed_at = { pointer, format }`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTime {
    /// JSON pointer (RFC 6901) to the time.
    pub pointer: String,
    /// Format of the time.
    pub format: TimeFormat,
}

/// Format of a time in an upstream's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TimeFormat {
    /// Seconds since 1970, `unix`.
    Unix,
    /// Milliseconds since 1970, `unix_ms`.
    UnixMs,
    /// RFC 3339, `rfc3339`.
    #[strum(serialize = "rfc3339")]
    Rfc3339,
}

impl TimeFormat {
    /// Returns its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Reads `observed_at`.
pub(super) fn time_of(mut section: Section<'_, '_>) -> Option<JsonTime> {
    let pointer = pointer(&mut section);
    let format = section.string("format");
    let format = section.require("format", format).and_then(|Spanned { value, span }| {
        let format = value.parse().ok();
        if format.is_none() {
            let all = TimeFormat::VARIANTS.join(", ");
            section.report(span, format_args!("\"format\": \"{value}\" is none of {all}"));
        }
        format
    });
    section.finish();
    Some(JsonTime { pointer: pointer?, format: format? })
}
