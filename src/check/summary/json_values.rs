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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Kind};

    /// Describes the source with these keys.
    fn described(keys: &str) -> String {
        let text =
            format!("[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n{keys}");
        let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
        let Kind::Json(keys) = &config.sources[0].kind else { panic!() };
        let mut text = String::new();
        lines(&mut text, keys).unwrap();
        text
    }

    #[test]
    fn every_key_is_described() {
        let text = described(
            "[source.values.depth]\npointer = [\"/val\", \"/value\"]\nlist = \"/list\"\n\
             where = { id = \"0x03\", channel = 1 }\nunit = \"in\"\nscale = 0.5\noffset = 1\n\
             invert_from = 200\nmin = 0\nmax_step = 2.5\nfilter = \"median 5\"\nrequired = true\n\
             over_time = \"max\"\n\
             observed_at = { pointer = \"/at\", format = \"local\", timezone = \"Asia/Kathmandu\" }\n\
             [source.values.pump]\npointer = \"/p\"\nmap = { on = \"running\", off = \"resting\" }\n\
             [source.values.valve]\npointer = \"/v\"\nlist = \"/l\"\nlast = true\n\
             map = { open = true }\n\
             [source.values.hay]\npointer = \"/h\"\nunit_label = \"bales\"\nmax = 40\n\
             [source.values.count]\npointer = \"/c\"\ntype = \"number\"\n\
             [source.values.any]\npointer = \"/a\"\n",
        );
        let expected = "  observed at the latest of the times of its values\n  \
            depth: \"/val\" or \"/value\" of the element of \"/list\" with id = \"0x03\" and \
            channel = 1, in, times 0.5 plus 1, subtracted from 200, accepted from 0 to …, steps \
            above 2.5 confirmed by the next observation, median of 5 observations, required, over \
            time: max, observed at \"/at\" (local, Asia/Kathmandu)\n  \
            pump: \"/p\", a text; \"on\" is \"running\", \"off\" is \"resting\"\n  \
            valve: \"/v\" of the last element of \"/l\", bool; \"open\" is 1\n  \
            hay: \"/h\", bales, accepted from … to 40\n  \
            count: \"/c\", a number without a unit\n  \
            any: \"/a\", a number or a text as sent\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn time_of_the_source_is_described() {
        let value = "[source.values.a]\npointer = \"/a\"\n";
        for (time, line) in [
            ("", "observed when fetched, as observed_at is not configured"),
            (
                "observed_at = { pointer = \"/t\", format = \"unix_us\" }\n",
                "observed at \"/t\" (unix_us)",
            ),
            (
                "observed_at = { pointer = \"/t\", format = \"%d.%m.%Y %H:%M %z\" }\n",
                "observed at \"/t\" (\"%d.%m.%Y %H:%M %z\")",
            ),
        ] {
            let text = described(&format!("{time}{value}"));
            assert_eq!(text.lines().next(), Some(&*format!("  {line}")));
        }
    }
}
