//! Describes the values of a source of kind `json`, one line for each.

use std::fmt::{self, Write as _};

use crate::config::{Calibration, Json, JsonTime, JsonValue, Mapped, ValueType};

/// Describes the time of observation and the values.
pub(super) fn lines(text: &mut String, keys: &Json) -> fmt::Result {
    match &keys.observed_at {
        Some(time) => writeln!(text, "  observed at {}", Time(time))?,
        None if keys.values.iter().any(|value| value.observed_at.is_some()) => {
            writeln!(text, "  observed at the latest of the times of its values")?;
        }
        None => writeln!(text, "  observed when fetched, as observed_at is not configured")?,
    }
    keys.values.iter().try_for_each(|value| line(text, value))
}

fn line(text: &mut String, value: &JsonValue) -> fmt::Result {
    write!(text, "  {}: {}, ", value.name, value.place)?;
    match (value.unit, value.value_type) {
        (Some(unit), _) => write!(text, "{unit}")?,
        (None, ValueType::AsSent) => write!(text, "a number or a text as sent")?,
        (None, ValueType::Number) => write!(text, "a number without a unit")?,
        (None, ValueType::Text | ValueType::Bool) => write!(text, "a text")?,
    }
    if let Some(map) = &value.map {
        for (index, (sent, mapped)) in map.entries().iter().enumerate() {
            let separator = if index == 0 { "; " } else { ", " };
            match mapped {
                Mapped::Number(number) => write!(text, "{separator}{sent:?} is {number}")?,
                Mapped::Text(mapped) => write!(text, "{separator}{sent:?} is {mapped:?}")?,
            }
        }
    }
    let Calibration { scale, offset, invert_from, min, max } = value.calibration;
    if scale != 1.0 || offset != 0.0 {
        write!(text, ", times {scale} plus {offset}")?;
    }
    if let Some(from) = invert_from {
        write!(text, ", subtracted from {from}")?;
    }
    if min.is_some() || max.is_some() {
        let bound =
            |bound: Option<f64>| bound.map_or_else(|| "…".to_owned(), |bound| bound.to_string());
        write!(text, ", accepted from {} to {}", bound(min), bound(max))?;
    }
    if let Some(step) = value.max_step {
        write!(text, ", steps above {step} confirmed by the next observation")?;
    }
    if let Some(count) = value.filter {
        write!(text, ", median of {count} observations")?;
    }
    if value.required {
        write!(text, ", required")?;
    }
    if let Some(over_time) = value.over_time {
        write!(text, ", over time: {over_time}")?;
    }
    if let Some(time) = &value.observed_at {
        write!(text, ", observed at {}", Time(time))?;
    }
    writeln!(text)
}

/// Formats a time as `"/at" (unix)` or `"/at" (local, Europe/Vienna)`.
struct Time<'a>(&'a JsonTime);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JsonTime { place, format, timezone } = self.0;
        write!(f, "{place} ({format}")?;
        if let Some(zone) = timezone {
            write!(f, ", {}", zone.iana_name().unwrap_or("an unnamed zone"))?;
        }
        f.write_char(')')
    }
}
