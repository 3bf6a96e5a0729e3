//! Charts: from the history to points, kept until there is something new, and to SVG.
//!
//! ```text
//! history ──► drawing (piece by piece) ──► chart (kept) ──► svg ──► page, or a picture
//! ```
//! Only a drawing reads the history. One is kept for each field and range, whatever sizes and
//! themes it is shown in, so that requests for many of these cost no look at the disk. After a
//! failure no drawing is tried for a moment.

mod axis;
mod drawing;
mod plot;
mod range;
mod route;
mod svg;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::plot::Plot;
use self::route::Theme;
use self::svg::Caption;
use crate::board::{Rendered, SourceView};
use crate::history::{Bucket, History};
use crate::units::Unit;

pub(super) use self::drawing::{Outdated, PageRenderers, draw_for_page};
pub(super) use self::range::Range;
pub(super) use self::route::{SIDES, picture};
pub(super) use self::svg::Size;

/// Charts that are kept; with more, the one drawn longest ago goes.
const MOST: usize = 128;

/// Seconds for which no drawing is tried after a failure.
const PAUSE: i64 = 2;

/// A piece of a drawing that takes so long waits for the disk, and no page waits for that.
const STALLED_AFTER: Duration = Duration::from_millis(100);

/// Seconds for which an outdated chart is shown where a new one cannot be had.
const SHOWN_FOR: i64 = 15 * 60;

/// The size where there is room.
pub(super) const WIDE: Size = Size { width: 720, height: 240 };

/// The size for a telephone, or a column of the page.
pub(super) const NARROW: Size = Size { width: 340, height: 210 };

/// Content of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    source: Arc<str>,
    field: String,
    range: Range,
}

/// State of the history and of the source that a chart was drawn from. Another chart of an equal
/// one would look the same.
type DrawnFrom = (u64, Option<Timestamp>);

/// A chart that was drawn.
#[derive(Debug)]
pub(super) struct Chart {
    source: Arc<str>,
    title: String,
    field: String,
    range: Range,
    plot: Plot,
    points: Vec<Bucket>,
    unit: Option<Unit>,
    zone: TimeZone,
    wide: OnceLock<String>,
    narrow: OnceLock<String>,
    table: OnceLock<String>,
    /// Pictures of the default size that stand alone, one for each theme.
    pictures: [OnceLock<Rendered>; Theme::ALL.len()],
}

impl Chart {
    /// The picture in that size; with a style sheet, one that stands alone.
    fn svg(&self, size: Size, style: Option<&str>) -> String {
        let caption = Caption {
            title: &super::page::label(&self.field),
            source: &self.title,
            window: &format!("the last {}", self.range.words()),
            unit: self.unit,
            id: &format!("{}-{}-{}", self.source, self.field, size.width),
            class: if size == NARROW { "narrow" } else { "wide" },
        };
        svg::render(&self.plot, &caption, size, &self.zone, style).into_string()
    }

    /// The picture for a page with room.
    pub(super) fn wide(&self) -> &str {
        self.wide.get_or_init(|| self.svg(WIDE, None))
    }

    /// The picture for a narrow page.
    pub(super) fn narrow(&self) -> &str {
        self.narrow.get_or_init(|| self.svg(NARROW, None))
    }
}

/// Reason for a chart's absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing of that field was ever recorded.
    Never,
    /// Nothing of that field is recorded in that window.
    Nothing,
    /// The history has no answer now.
    Unavailable,
    /// It is not drawn yet, as others are drawn first.
    Undrawn,
}

/// A chart, or the reason for its absence.
type Outcome = Result<Arc<Chart>, Missing>;

/// The charts that were drawn lately.
#[derive(Debug, Default)]
pub(super) struct Charts {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    charts: HashMap<Key, Entry>,
    /// Second until which no drawing is tried.
    failed_until: i64,
    /// Begin of the piece of a drawing that is being done.
    at_work_since: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    outcome: Outcome,
    drawn_from: DrawnFrom,
    drawn_at: i64,
}

/// A chart that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) source: &'a SourceView,
    pub(super) field: &'a str,
    pub(super) range: Range,
}

impl Wanted<'_> {
    fn key(&self) -> Key {
        let Wanted { source, field, range } = *self;
        Key { source: source.name.clone(), field: field.to_owned(), range }
    }

    fn drawn_from(&self, history: &History) -> DrawnFrom {
        let observed = self.source.reading.as_ref().map(|kept| kept.observed.at);
        (history.version(), observed)
    }
}

/// State of a chart, known without a look at the disk.
#[derive(Debug)]
pub(super) enum Known {
    /// Another drawing would come to the same.
    Current(Outcome),
    /// It is to be drawn; the one of before may be shown meanwhile.
    Outdated(Option<Outcome>),
}

impl Known {
    /// The best that can be shown now.
    pub(super) fn best(self) -> Outcome {
        match self {
            Known::Current(outcome) | Known::Outdated(Some(outcome)) => outcome,
            Known::Outdated(None) => Err(Missing::Undrawn),
        }
    }
}

impl Charts {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of a chart as of `now`.
    pub(super) fn look(&self, history: &History, wanted: Wanted<'_>, now: Timestamp) -> Known {
        let drawn_from = wanted.drawn_from(history);
        // What a pixel stands for.
        let fresh_for = (wanted.range.seconds() / 600).clamp(5, 900);
        let kept = self.kept();
        let entry = kept.charts.get(&wanted.key());
        let age = entry.map_or(0, |entry| now.as_second() - entry.drawn_at);
        match entry {
            Some(entry) if entry.drawn_from == drawn_from && (0..fresh_for).contains(&age) => {
                Known::Current(entry.outcome.clone())
            }
            _ if (1..=PAUSE).contains(&(kept.failed_until - now.as_second())) => {
                Known::Current(Err(Missing::Unavailable))
            }
            entry => {
                let shown = entry.filter(|_| (0..SHOWN_FOR).contains(&age));
                Known::Outdated(shown.map(|entry| entry.outcome.clone()))
            }
        }
    }

    /// Returns true if the disk holds up a drawing, so that a wait for another one would be in
    /// vain.
    pub(super) fn is_stalled(&self) -> bool {
        self.kept().at_work_since.is_some_and(|since| since.elapsed() >= STALLED_AFTER)
    }

    /// Notes that a piece of a drawing is being done until the guard is dropped.
    fn work(&self) -> AtWork<'_> {
        self.kept().at_work_since = Some(Instant::now());
        AtWork(self)
    }

    /// Keeps the result of a drawing. An empty result is kept only for fields that exist: clients
    /// may invent any number of other names.
    fn keep(&self, key: Key, entry: Entry, is_known: bool) {
        let mut kept = self.kept();
        if matches!(entry.outcome, Err(Missing::Unavailable)) {
            kept.failed_until = entry.drawn_at + PAUSE;
            return;
        }
        if entry.outcome.is_err() && !is_known {
            return;
        }
        if kept.charts.len() >= MOST && !kept.charts.contains_key(&key) {
            let oldest = kept.charts.iter().min_by_key(|(_, entry)| entry.drawn_at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| kept.charts.remove(&key));
        }
        kept.charts.insert(key, entry);
    }
}

/// Guard of a piece of a drawing.
struct AtWork<'c>(&'c Charts);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.kept().at_work_since = None;
    }
}

#[cfg(test)]
mod tests;
