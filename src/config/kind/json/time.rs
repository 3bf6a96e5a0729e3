//! Times of observation, and where and how a response states them.

use std::fmt;

use jiff::ZonedDateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::super::section::{Section, Spanned};
use super::place::{JsonPlace, place};

/// `observed_at = { pointer, format, timezone }`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTime {
    /// Position of the time.
    pub place: JsonPlace,
    /// Format of the time.
    pub format: TimeFormat,
    /// Time zone of a time that states none.
    pub timezone: Option<TimeZone>,
}

/// Format of a time in an upstream's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// One of the formats that have a name.
    Named(NamedFormat),
    /// A pattern of `strptime`, such as `%d.%m.%Y %H:%M`.
    Pattern(String),
}

/// Format of a time that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum NamedFormat {
    /// Seconds since 1970, `unix`.
    Unix,
    /// Milliseconds since 1970, `unix_ms`.
    UnixMs,
    /// Microseconds since 1970, `unix_us`.
    UnixUs,
    /// RFC 3339, `rfc3339`.
    #[strum(serialize = "rfc3339")]
    Rfc3339,
    /// HTTP-date (RFC 9110 5.6.7), `http`.
    Http,
    /// Date and time by the clocks of `timezone`, `local`: `2026-01-31T17:16:00`.
    Local,
    /// Age in English words, `age`: `5 minutes ago`.
    Age,
    /// Age in seconds, `age_seconds`.
    AgeSeconds,
}

impl JsonTime {
    /// Returns a time of a named format that states its zone.
    pub fn at(pointer: &str, format: NamedFormat) -> JsonTime {
        JsonTime {
            place: JsonPlace::at(pointer),
            format: TimeFormat::Named(format),
            timezone: None,
        }
    }

    /// Returns true if `timezone` is configured and has no effect.
    pub(super) const fn has_idle_zone(&self) -> bool {
        use NamedFormat::{Local, Rfc3339};
        let may_need_zone =
            matches!(self.format, TimeFormat::Named(Local | Rfc3339) | TimeFormat::Pattern(_));
        self.timezone.is_some() && !may_need_zone
    }

    /// Returns true if the upstream states a point in time, and not an age.
    pub const fn is_absolute(&self) -> bool {
        !matches!(self.format, TimeFormat::Named(NamedFormat::Age | NamedFormat::AgeSeconds))
    }
}

/// Formats the name or the pattern as in the configuration.
impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeFormat::Named(format) => f.write_str(format.into()),
            TimeFormat::Pattern(pattern) => write!(f, "{pattern:?}"),
        }
    }
}

/// Reads `observed_at`.
pub(super) fn time_of(mut section: Section<'_, '_>) -> Option<JsonTime> {
    let place = place(&mut section);
    let format = section.string("format");
    let format = section.require("format", format);
    let zone_at = section.span_of("timezone");
    let timezone = section.clock_zone("the sensor's clock");
    let format_at = format.as_ref().map(|at| at.span);
    let format = format.and_then(|format| format_of(&section, format));
    if let (Some(format), None, Some(span)) = (&format, zone_at, format_at)
        && format.needs_zone
    {
        let format = &format.format;
        section.report(
            span,
            format_args!(
                "\"format\": {format} states no zone; add timezone = \"Europe/Vienna\", the one of \
                 the sensor's clock"
            ),
        );
        section.finish();
        return None;
    }
    section.finish();
    if zone_at.is_some() && timezone.is_none() {
        return None;
    }
    Some(JsonTime { place: place?, format: format?.format, timezone })
}

/// A format, and whether a time of it never states its zone.
struct CheckedFormat {
    format: TimeFormat,
    needs_zone: bool,
}

fn format_of(
    section: &Section<'_, '_>,
    Spanned { value, span }: Spanned<String>,
) -> Option<CheckedFormat> {
    if value.contains('%') {
        return match pattern_states_zone(&value) {
            Ok(states_zone) => {
                Some(CheckedFormat { format: TimeFormat::Pattern(value), needs_zone: !states_zone })
            }
            Err(reason) => {
                section.report(span, format_args!("\"format\": \"{value}\" {reason}"));
                None
            }
        };
    }
    let Ok(named) = value.parse::<NamedFormat>() else {
        let all = NamedFormat::VARIANTS.join(", ");
        section.report(
            span,
            format_args!(
                "\"format\": \"{value}\" is none of {all}, nor a pattern such as \
                 \"%d.%m.%Y %H:%M:%S\""
            ),
        );
        return None;
    };
    Some(CheckedFormat {
        format: TimeFormat::Named(named),
        needs_zone: named == NamedFormat::Local,
    })
}

/// Returns true if a time of this pattern states its zone, by formatting and parsing a time. An error is
/// the reason why it states no point in time.
fn pattern_states_zone(pattern: &str) -> Result<bool, String> {
    let invalid = |error: jiff::Error| format!("is not a valid pattern: {error}");
    let example: ZonedDateTime = "2026-01-31T17:16:05+01:00[Europe/Vienna]"
        .parse()
        .expect("the bundled database has this zone");
    let mut text = String::new();
    BrokenDownTime::from(&example).format(pattern, &mut text).map_err(invalid)?;
    let parsed = BrokenDownTime::parse(pattern, &text).map_err(invalid)?;
    if parsed.to_timestamp().is_ok() || parsed.to_zoned_datetime().is_ok() {
        return Ok(true);
    }
    let has_same_hour = |hour| hour == example.hour();
    match parsed.to_datetime() {
        Ok(_) if parsed.hour().is_some_and(has_same_hour) => Ok(false),
        _ => Err("states no point in time: it needs a year, a day and an hour (%H, or %I with \
                  %p), or %s,"
            .into()),
    }
}
