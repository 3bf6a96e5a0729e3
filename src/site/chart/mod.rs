//! Charts: from the history to SVG, drawn once and kept until there is something new.
//!
//! ```text
//! history ──► points ──► plot (shapes) ──► svg ──► page, or a picture for other pages
//! ```
//! A page goes without charts rather than wait for a disk: after a failure nobody tries for a
//! moment, and a page that has met one tries no further.

mod axis;
mod plot;
mod range;
mod route;
mod svg;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use self::plot::{Frame, Plot};
use self::svg::Caption;
use crate::board::{Datum, KeptReading, SourceView};
use crate::history::{Bucket, History, HistoryError, Step, Window};
use crate::units::Unit;

pub(super) use self::range::Range;
pub(super) use self::route::{SIDES, picture};
pub(super) use self::svg::Size;

/// Charts that are kept; with more, all are drawn anew.
const MOST: usize = 128;

/// Seconds for which nobody tries after a failure.
const PAUSE: i64 = 2;

/// Seconds after which a source without a reading would be stale.
const STALE_AFTER: i64 = 900;

/// The size where there is room.
pub(super) const WIDE: Size = Size { width: 720, height: 240 };

/// The size for a telephone, or a column of the page.
pub(super) const NARROW: Size = Size { width: 340, height: 210 };

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    source: Arc<str>,
    field: String,
    range: Range,
    size: Size,
    style: Option<String>,
}

/// A chart that was drawn.
#[derive(Debug)]
pub(super) struct Chart {
    /// The picture.
    pub(super) svg: String,
    points: Vec<Bucket>,
    unit: Option<Unit>,
    /// Whether another one would look the same: what it was drawn from, and when.
    drawn_from: (u64, Option<Timestamp>),
    drawn_at: i64,
}

/// Why there is no chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing of that field was ever recorded.
    Never,
    /// Nothing of that field is recorded in that window.
    Nothing,
    /// The history has no answer now.
    Unavailable,
}

/// The charts that were drawn lately.
#[derive(Debug, Default)]
pub(super) struct Charts {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    charts: HashMap<Key, Arc<Chart>>,
    /// Until when nobody tries.
    failed_until: i64,
}

/// A chart that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) source: &'a SourceView,
    pub(super) field: &'a str,
    pub(super) range: Range,
    pub(super) size: Size,
    /// The style sheet of a chart that stands alone.
    pub(super) style: Option<&'a str>,
}

impl Charts {
    /// The chart as of `now`.
    pub(super) fn chart(
        &self,
        history: &History,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Result<Arc<Chart>, Missing> {
        let key = Key {
            source: wanted.source.name.clone(),
            field: wanted.field.to_owned(),
            range: wanted.range,
            size: wanted.size,
            style: wanted.style.map(str::to_owned),
        };
        let observed = wanted.source.reading.as_ref().map(|kept| kept.observed.at);
        let drawn_from = (history.version(), observed);
        // What a pixel stands for.
        let fresh_for = (wanted.range.seconds() / 600).clamp(5, 900);
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(chart) = kept.charts.get(&key)
                && chart.drawn_from == drawn_from
                && (0..fresh_for).contains(&(now.as_second() - chart.drawn_at))
            {
                return Ok(chart.clone());
            }
            if (1..=PAUSE).contains(&(kept.failed_until - now.as_second())) {
                return Err(Missing::Unavailable);
            }
        }
        let drawn = draw(history, wanted, now, drawn_from);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match drawn {
            Ok(chart) => {
                if kept.charts.len() >= MOST {
                    kept.charts.clear();
                }
                let chart = Arc::new(chart);
                kept.charts.insert(key, chart.clone());
                Ok(chart)
            }
            Err(missing) => {
                if missing == Missing::Unavailable {
                    kept.failed_until = now.as_second() + PAUSE;
                }
                Err(missing)
            }
        }
    }
}

fn draw(
    history: &History,
    wanted: Wanted<'_>,
    now: Timestamp,
    drawn_from: (u64, Option<Timestamp>),
) -> Result<Chart, Missing> {
    let Wanted { source, field, range, size, style } = wanted;
    let to = now.as_second() + 1;
    let window = Window {
        source: source.name.to_string(),
        field: field.to_owned(),
        from: to - range.seconds(),
        to,
        step: Step::Seconds(range.step()),
    };
    let points = history.points(window).map_err(|error| match error {
        HistoryError::Off => Missing::Never,
        _ => Missing::Unavailable,
    })?;
    let mut points = points.ok_or(Missing::Never)?;
    let latest = source.reading.as_ref().and_then(|kept| latest(kept, field));
    if let Some((_, Some(told_now))) = latest {
        // The board may know of a change of units that the history has not heard of yet.
        points = points.told_in(Some(told_now));
    }
    let unit = points.unit();
    let points: Result<Vec<Bucket>, _> = points.collect();
    let mut points =
        points.map_err(|error| history.failed(error)).map_err(|_| Missing::Unavailable)?;
    let latest =
        latest.map(|(latest, _)| latest).filter(|latest| latest.at >= to - range.seconds());
    // What the board knows may not have been written yet.
    let unwritten =
        latest.filter(|it| points.last().is_none_or(|last| last.at < it.at - range.step()));
    points.extend(unwritten);
    let stale_after = source
        .reading
        .as_ref()
        .map_or(STALE_AFTER, |kept| kept.stale_at.duration_since(kept.observed.at).as_secs());
    let frame = Frame { from: to - range.seconds(), to, step: range.step(), stale_after, unit };
    // A line through means ends at what is so now, which is what the last of them is part of.
    let end = latest.filter(|it| points.last().is_some_and(|last| last.at < it.at));
    let drawn: Vec<Bucket> = points.iter().copied().chain(end).collect();
    let plot = Plot::of(&drawn, frame).ok_or(Missing::Nothing)?;
    let caption = Caption {
        title: &super::page::label(field),
        source: &source.title,
        window: &format!("the last {}", range.words()),
        unit,
        id: &format!("{}-{field}-{}", source.name, size.width),
        class: if size == NARROW { "narrow" } else { "wide" },
    };
    let svg = svg::render(&plot, &caption, size, history.zone(), style).into_string();
    Ok(Chart { svg, points, unit, drawn_from, drawn_at: now.as_second() })
}

/// The latest observation as the board knows it.
fn latest(kept: &KeptReading, field: &str) -> Option<(Bucket, Option<Unit>)> {
    let (_, value) = kept.values.iter().find(|(name, _)| **name == *field)?;
    match value.datum {
        Some(Datum::Number(number)) => {
            Some((Bucket::single(kept.observed.at.as_second(), number.get()), value.unit))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
