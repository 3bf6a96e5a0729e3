//! Chooses the rows from which a window is read.
//!
//! A window is read from the coarsest tier that is fine enough, so that its cost is bounded by about a month of
//! quarters of an hour. If the rows of that tier have been deleted for the window, the next coarser tier is
//! read ([`Coverage`]).

use super::bucket::Tier;
use super::calendar::{DAY, QUARTER};
use super::error::StoreError;
use super::observation::shift;
use super::pool::Reader;
use super::queries::Series;

/// Most points of a window with [`Step::Auto`].
pub const MAX_POINTS: i64 = 2_000;

/// Longest window with [`Step::Auto`] that is read from single observations.
const MAX_RAW_WINDOW: i64 = 36 * 60 * 60;

/// Longest window with [`Step::Auto`] that is read from quarters of an hour. Longer ones are read from days.
const MAX_QUARTER_WINDOW: i64 = 40 * DAY;

/// Seconds from the start of the first day to the first finer row, from which on that day is taken to have none.
/// Not the longest day: that would leave out a day of usual length.
const MISSING_DAY: i64 = DAY + 60 * 60;

/// Requested length of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The shortest step with at most [`MAX_POINTS`] points.
    Auto,
    /// Single observations.
    Raw,
    /// Step in seconds, counted from midnight. A step longer than a day is a number of whole days.
    Seconds(i64),
}

/// A span of time of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Name of the source.
    pub source: String,
    /// Name of the field.
    pub field: String,
    /// First second.
    pub from: i64,
    /// Second after the last.
    pub to: i64,
    /// Requested step.
    pub step: Step,
}

/// Tier from which a window is read, and the step to which its rows are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Rows to read.
    pub tier: Tier,
    /// Seconds of a step; `None`: each row is a point.
    pub step: Option<i64>,
}

impl Plan {
    /// Returns the seconds from point to point; `None` if each observation is a point.
    pub(super) fn step_seconds(self) -> Option<i64> {
        self.step.or(match self.tier {
            Tier::Raw => None,
            Tier::Quarter => Some(QUARTER),
            Tier::Day => Some(DAY),
        })
    }
}

/// Start of the time for which each of the finer tiers is complete. For earlier times, retention has left
/// coarser rows only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) raw: i64,
    pub(super) quarters: i64,
}

impl Coverage {
    /// Coverage of a history from which no rows were deleted.
    pub(super) const ALL: Coverage = Coverage { raw: i64::MIN, quarters: i64::MIN };

    /// Returns the coverage of several series together.
    pub(super) fn of(reader: &Reader<'_>, all: &[Series]) -> Result<Coverage, StoreError> {
        let mut coverage = Coverage::ALL;
        for series in all {
            let rows = |tier| reader.extent(series.id, tier);
            let (raw, quarters, days) = (rows(Tier::Raw)?, rows(Tier::Quarter)?, rows(Tier::Day)?);
            // The times of the steps to which the observations belong.
            let raw = raw.map(|(first, last)| {
                (first - shift(series.over_time), last - shift(series.over_time))
            });
            // Retention deletes the earliest rows first. A fine tier therefore lacks the time that a coarse one
            // has before the first fine row. Without any fine row it lacks all of it.
            let complete_since = |fine: Option<(i64, i64)>, coarse: Option<(i64, i64)>, length| {
                let (first, last) = coarse?;
                match fine {
                    Some((fine, _)) => (fine >= first + length).then_some(fine),
                    None => Some(last + length),
                }
            };
            let starts =
                [complete_since(raw, quarters, QUARTER), complete_since(raw, days, MISSING_DAY)];
            coverage.raw = starts.into_iter().flatten().fold(coverage.raw, i64::max);
            let start = complete_since(quarters, days, MISSING_DAY);
            coverage.quarters = start.into_iter().fold(coverage.quarters, i64::max);
        }
        Ok(coverage)
    }
}

/// Chooses the rows for a window without counting them. The caller removes the step of [`Step::Auto`] if there
/// are few enough single observations.
pub(super) fn plan(window: &Window, coverage: Coverage) -> Plan {
    let length = (window.to - window.from).max(1);
    let coarse_enough =
        |steps: &[i64]| steps.iter().copied().find(|step| length.div_euclid(*step) <= MAX_POINTS);
    let round_up = |part: i64, step: i64| (step - 1).div_euclid(part) * part + part;
    let (raw, quarters) = (window.from >= coverage.raw, window.from >= coverage.quarters);
    match window.step {
        Step::Raw => Plan { tier: Tier::Raw, step: None },
        Step::Seconds(step) if step % QUARTER != 0 && raw => {
            Plan { tier: Tier::Raw, step: Some(step) }
        }
        Step::Seconds(step) if step % DAY != 0 && quarters => {
            // At least the requested step, rounded up to whole quarters.
            let step = round_up(QUARTER, step);
            Plan { tier: Tier::Quarter, step: (step > QUARTER).then_some(step) }
        }
        Step::Seconds(step) => {
            let step = round_up(DAY, step);
            Plan { tier: Tier::Day, step: (step > DAY).then_some(step) }
        }
        Step::Auto if length <= MAX_RAW_WINDOW && raw => {
            Plan { tier: Tier::Raw, step: coarse_enough(&[1, 10, 30, 60, 120, 300]) }
        }
        Step::Auto if length <= MAX_QUARTER_WINDOW && quarters => {
            let step = coarse_enough(&[QUARTER, 2 * QUARTER, 4 * QUARTER]);
            Plan { tier: Tier::Quarter, step: step.filter(|&step| step > QUARTER) }
        }
        Step::Auto => {
            let days = length.div_euclid(DAY * MAX_POINTS) + 1;
            Plan { tier: Tier::Day, step: (days > 1).then_some(days * DAY) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;
    const HOUR: i64 = 3600;

    #[test]
    fn window_is_read_from_the_coarsest_tier_that_is_fine_enough() {
        let coverage = Coverage { raw: NOW - 400 * DAY, quarters: NOW - 3650 * DAY };
        let raw = |step| Plan { tier: Tier::Raw, step };
        let quarter = |step| Plan { tier: Tier::Quarter, step };
        let day = |step| Plan { tier: Tier::Day, step };
        for (from, length, step, expected) in [
            (NOW - 6 * HOUR, 6 * HOUR, Step::Auto, raw(Some(30))),
            (NOW - 36 * HOUR, 36 * HOUR, Step::Auto, raw(Some(120))),
            (NOW - 3 * DAY, 3 * DAY, Step::Auto, quarter(None)),
            (NOW - 30 * DAY, 30 * DAY, Step::Auto, quarter(Some(1800))),
            (NOW - 365 * DAY, 365 * DAY, Step::Auto, day(None)),
            (NOW - 3650 * DAY, 3650 * DAY, Step::Auto, day(Some(2 * DAY))),
            // Older than the single observations, and than the quarters.
            (NOW - 500 * DAY, 6 * HOUR, Step::Auto, quarter(None)),
            (NOW - 4000 * DAY, 6 * HOUR, Step::Auto, day(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Raw, raw(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(60), raw(Some(60))),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(900), quarter(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(HOUR), quarter(Some(HOUR))),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(DAY), day(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(7 * DAY), day(Some(7 * DAY))),
            // Requested steps, for which the finer tiers lack the time.
            (NOW - 500 * DAY, DAY, Step::Seconds(60), quarter(None)),
            (NOW - 500 * DAY, DAY, Step::Seconds(1000), quarter(Some(1800))),
            (NOW - 4000 * DAY, DAY, Step::Seconds(60), day(None)),
            (NOW - 4000 * DAY, DAY, Step::Seconds(HOUR), day(None)),
        ] {
            let (source, field) = ("tank".to_owned(), "level".to_owned());
            let window = Window { source, field, from, to: from + length, step };
            assert_eq!(plan(&window, coverage), expected, "{from} {length} {step:?}");
        }
    }
}
