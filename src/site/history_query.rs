//! Query of `/api/v1/history`: the field, the window, the step and the format.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::problem::Problem;
use super::query::{self, Pairs};
use super::series::Format;
use crate::history::{DAY, MIN_TIME, QUARTER, Step, Window, parse_step, parse_time};

/// Length of the window where the query names none, in seconds.
const DEFAULT_WINDOW: i64 = DAY;

/// Minimum number of points of a window up to now, which determines how often its end moves on.
const POINTS: i64 = 300;

/// Reads the query.
///
/// # Errors
/// A parameter is missing, unknown, malformed, or excludes another.
pub(super) fn parse(
    mut pairs: Pairs<'_>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<(Window, Format), Problem> {
    let moment = |text: Option<String>, name: &str| {
        let Some(text) = text else { return Ok(None) };
        parse_time(&text, zone).map(Some).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name} is a time such as 2026-01-31T17:16:00Z, a date, or seconds since 1970."
            ))
        })
    };
    let field = pairs.take("field").ok_or_else(|| {
        Problem::bad_request("The parameter field is required, such as field=tank.level.")
    })?;
    let field = query::field(&field)
        .ok_or_else(|| Problem::bad_request("field is source.field, such as field=tank.level."))?;
    let from = moment(pairs.take("from"), "from")?;
    let to = moment(pairs.take("to"), "to")?;
    let mut lengths = Vec::new();
    for (name, unit) in [("hours", 3600), ("days", DAY)] {
        if let Some(text) = pairs.take(name) {
            lengths.push(length(&text, unit).ok_or_else(|| {
                Problem::bad_request(format!(
                    "{name} is a number greater than 0, such as {name}=6."
                ))
            })?);
        }
    }
    let step = match pairs.take("step") {
        None => Step::Auto,
        Some(text) => parse_step(&text).ok_or_else(|| {
            Problem::bad_request(
                "step is raw, a time such as 15m or 1d, or seconds; above a day, whole days.",
            )
        })?,
    };
    let format = match pairs.take("format") {
        None => Format::Json,
        Some(name) => {
            name.parse().map_err(|_| Problem::bad_request("format is json, csv or ndjson."))?
        }
    };
    pairs.finish()?;
    let to =
        to.unwrap_or_else(|| window_end(now, lengths.first().copied().unwrap_or(DEFAULT_WINDOW)));
    let from = match (from, &lengths[..]) {
        (None, []) => (to - DEFAULT_WINDOW).max(MIN_TIME),
        (Some(from), []) => from,
        (None, [length]) => to.saturating_sub(*length).max(MIN_TIME),
        _ => {
            return Err(Problem::bad_request(
                "from, hours and days exclude each other; use one of them.",
            ));
        }
    };
    if from >= to {
        return Err(Problem::bad_request("The window is empty: from must be earlier than to."));
    }
    let window = Window { source: field.source, field: field.field, from, to, step };
    Ok((window, format))
}

/// Returns the end of a window of that length up to now.
///
/// It moves on only when a point of such a window is complete. A client that repeats the request
/// before then, without a new observation, gets the same window, and so a 304.
fn window_end(now: Timestamp, length: i64) -> i64 {
    let unit = [60, 300].into_iter().find(|unit| length <= unit * POINTS).unwrap_or(QUARTER);
    (now.as_second().div_euclid(unit) + 1) * unit
}

/// Reads a number of hours or days as seconds.
fn length(text: &str, unit: i64) -> Option<i64> {
    const MAX_SECONDS: f64 = 1e9;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok().filter(|_| is_plain)?;
    let seconds = number * unit as f64;
    // Whole seconds are fine enough, and thirty years long enough.
    (1.0..=MAX_SECONDS).contains(&seconds).then_some(seconds as i64)
}
