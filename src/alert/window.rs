//! Latest observations of a field, for rules on changes within a window.
//!
//! # Start of the window
//! The value at the start of the window is interpolated between the observations around it. After a gap in the
//! observations, only that share of a change counts that falls into the window. If there is no observation at or before
//! the start, the window is not covered.
//!
//! # Thinning
//! At any interval at most [`MAX_SAMPLES`] observations are kept. Of each [`BUCKETS`]th of the window's span the first,
//! the last, the lowest and the highest one stay, so that no maximum and no minimum is lost. Only at the start of the
//! window, which may be within such a part, may others be missing: a change is then computed as of a window that is
//! shorter or longer by at most 1/64. A rise that begins and ends within one part, after a higher value and before a
//! lower one of the same part, may be missed too.
//!
//! # Counters
//! A counter that was reset continues from its level before: see `units::rise`.

use std::time::Duration;

use jiff::Timestamp;

use crate::order;
use crate::units::{Unit, rise};

/// Most observations of a window: 5 KiB.
pub(super) const MAX_SAMPLES: usize = 320;

/// Parts of a window's span in which four observations are kept each.
const BUCKETS: i64 = 64;

/// An observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Time in milliseconds since 1970.
    pub(super) at: i64,
    /// Number.
    pub(super) number: f64,
}

/// Latest observations in order of time, without two of the same time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Window {
    samples: Vec<Sample>,
}

/// Changes of the values within a window up to an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Changes {
    /// Latest level: the value, or that of a counter without its resets.
    pub(super) latest: f64,
    /// Highest level.
    pub(super) highest: f64,
    /// Lowest level.
    pub(super) lowest: f64,
    /// Largest rise from a level to a later one.
    pub(super) largest_rise: f64,
    /// True if an observation is at the start of the window or before it.
    pub(super) is_covered: bool,
}

impl Window {
    /// Returns the window of observations that were saved.
    pub(super) fn restored(mut samples: Vec<Sample>) -> Window {
        order::sort_by_key(&mut samples, |sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
        Window { samples }
    }

    /// Adds an observation, or replaces the one of the same time. Drops those that are too old for a window of that
    /// length which ends at the latest one.
    pub(super) fn push(&mut self, sample: Sample, within: Duration) {
        match self.samples.binary_search_by_key(&sample.at, |known| known.at) {
            Ok(index) => self.samples[index] = sample,
            Err(index) => self.samples.insert(index, sample),
        }
        let start = self.latest().saturating_sub(millis(within));
        // The last one before the start is kept.
        let old = self.samples.partition_point(|sample| sample.at < start);
        // Dropped several at a time, as dropping moves all others.
        if old > 1 && (old > self.samples.len() / 8 || self.samples.len() > MAX_SAMPLES) {
            self.samples.drain(..old - 1);
        }
        if self.samples.len() > MAX_SAMPLES {
            self.thin((millis(within) / BUCKETS).max(1));
        }
    }

    /// Adds earlier observations before those that are there, which replace them at the same time.
    pub(super) fn backfill(&mut self, samples: impl Iterator<Item = Sample>, within: Duration) {
        let own = std::mem::take(&mut self.samples);
        samples.for_each(|sample| self.push(sample, within));
        own.into_iter().for_each(|sample| self.push(sample, within));
    }

    /// Drops the observations later than a time, which are no longer believed.
    pub(super) fn forget_after(&mut self, at: i64) {
        let kept = self.samples.partition_point(|sample| sample.at <= at);
        self.samples.truncate(kept);
    }

    /// Moves all observations.
    pub(super) fn redate(&mut self, step: i64) {
        for sample in &mut self.samples {
            sample.at = sample.at.saturating_add(step);
        }
        self.samples.dedup_by_key(|sample| sample.at);
    }

    /// Converts the numbers to another unit, or drops them all if it measures another quantity.
    pub(super) fn convert(&mut self, from: Option<Unit>, to: Option<Unit>) {
        let converted = |sample: &Sample| {
            let number = from?.convert_unrounded(sample.number, to?)?;
            number.is_finite().then_some(Sample { number, ..*sample })
        };
        self.samples =
            self.samples.iter().map(converted).collect::<Option<Vec<_>>>().unwrap_or_default();
    }

    /// Returns the changes within the window of that length which ends at the observation of `end`, and begins not before
    /// `begin`; `None` without an observation in it.
    pub(super) fn changes(
        &self,
        end: i64,
        within: Duration,
        begin: Option<i64>,
        is_counter: bool,
    ) -> Option<Changes> {
        let start = end.saturating_sub(millis(within)).max(begin.unwrap_or(i64::MIN));
        let known = &self.samples[..self.samples.partition_point(|sample| sample.at <= end)];
        let inside = known.partition_point(|sample| sample.at < start);
        let first = known.get(inside)?;
        let mut changes = Changes {
            latest: first.number,
            highest: first.number,
            lowest: first.number,
            largest_rise: 0.0,
            is_covered: first.at == start,
        };
        // Relative to the first observation within the window, the one before it is lower by the rise between them.
        if let Some(before) = inside.checked_sub(1).and_then(|index| known.get(index)) {
            let level = match is_counter {
                true => first.number - rise(before.number, first.number),
                false => before.number,
            };
            let share = (start.saturating_sub(before.at)) as f64
                / (first.at.saturating_sub(before.at)).max(1) as f64;
            let at_start = level * (1.0 - share) + first.number * share;
            changes.latest = at_start;
            (changes.highest, changes.lowest) = (at_start, at_start);
            changes.is_covered = true;
            changes.add(first.number);
        }
        let mut number = first.number;
        let mut level = first.number;
        for sample in &known[inside + 1..] {
            level = match is_counter {
                true => level + rise(number, sample.number),
                false => sample.number,
            };
            number = sample.number;
            changes.add(level);
        }
        Some(changes)
    }

    /// Returns the observations, earliest first.
    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn latest(&self) -> i64 {
        self.samples.last().map_or(i64::MIN, |sample| sample.at)
    }

    /// Keeps of each span of `width` the first, the last, the lowest and the highest observation, and the latest of all.
    fn thin(&mut self, width: i64) {
        let mut kept: Vec<Sample> = Vec::with_capacity(MAX_SAMPLES);
        for bucket in self.samples.chunk_by(|a, b| a.at.div_euclid(width) == b.at.div_euclid(width))
        {
            let by_number = |a: &usize, b: &usize| bucket[*a].number.total_cmp(&bucket[*b].number);
            let lowest = (0..bucket.len()).min_by(by_number).unwrap_or(0);
            let highest = (0..bucket.len()).max_by(by_number).unwrap_or(0);
            let mut indices =
                [0, lowest.min(highest), lowest.max(highest), bucket.len() - 1].to_vec();
            indices.dedup();
            kept.extend(indices.into_iter().filter_map(|index| bucket.get(index)));
        }
        self.samples = kept;
    }
}

impl Changes {
    /// Adds the next level.
    fn add(&mut self, level: f64) {
        self.latest = level;
        self.largest_rise = self.largest_rise.max(level - self.lowest);
        self.lowest = self.lowest.min(level);
        self.highest = self.highest.max(level);
    }
}

/// Returns a time in milliseconds since 1970, the unit of windows.
pub(super) fn time(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Returns a duration in milliseconds.
pub(super) fn millis(within: Duration) -> i64 {
    i64::try_from(within.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn window(samples: &[(i64, f64)], within: Duration) -> Window {
        let mut window = Window::default();
        for &(minute, number) in samples {
            window.push(Sample { at: minute * 60_000, number }, within);
        }
        window
    }

    fn changes(window: &Window, minute: i64, within: Duration, begin: Option<i64>) -> Changes {
        let begin = begin.map(|minute| minute * 60_000);
        window.changes(minute * 60_000, within, begin, false).unwrap()
    }

    #[test]
    fn value_at_the_start_is_interpolated() {
        let mut window = window(&[(0, 100.0), (40, 60.0), (80, 50.0)], HOUR);
        let uncovered = changes(&window, 40, HOUR, None);
        assert_eq!((uncovered.highest, uncovered.is_covered), (100.0, false));
        let found = changes(&window, 80, HOUR, None);
        assert_eq!((found.highest, found.latest), (80.0, 50.0), "of minute 20");
        let clipped = changes(&window, 80, HOUR, Some(60));
        assert_eq!((clipped.highest, clipped.is_covered), (55.0, true), "of minute 60");
        window.push(Sample { at: 120 * 60_000, number: 55.0 }, HOUR);
        let found = changes(&window, 120, HOUR, None);
        assert_eq!((found.highest, found.lowest, found.latest), (55.0, 50.0, 55.0));
        assert!(found.is_covered);
        assert!((found.largest_rise - 5.0).abs() < 1e-9);
    }

    #[test]
    fn late_and_corrected_observations_enter_in_order() {
        let samples = window(&[(0, 1.0), (20, 3.0), (10, 2.0), (20, 4.0)], HOUR);
        assert_eq!(samples, window(&[(0, 1.0), (10, 2.0), (20, 4.0)], HOUR));
        let mut later = window(&[(20, 4.0), (30, 5.0)], HOUR);
        let at = |minute: i64| minute * 60_000;
        let past = [(0, 1.0), (20, 9.0)].map(|(minute, number)| Sample { at: at(minute), number });
        later.backfill(past.into_iter(), HOUR);
        assert_eq!(later, window(&[(0, 1.0), (20, 4.0), (30, 5.0)], HOUR));
    }

    #[test]
    fn counter_continues_after_a_reset() {
        let window = window(&[(0, 10.0), (20, 14.0), (40, 0.5), (60, 2.0)], HOUR);
        let found = window.changes(60 * 60_000, HOUR, None, true).unwrap();
        assert!((found.latest - found.lowest - 6.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.highest, found.latest, "a counter does not fall");
        // The reset is between the start of the window and the one before it.
        let found = window.changes(60 * 60_000, HOUR / 2, None, true).unwrap();
        assert!((found.latest - found.lowest - 1.75).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn thinned_window_is_small_and_has_the_same_extremes() {
        let mut random = fastrand::Rng::with_seed(7);
        for step in [1, 7, 60, 900] {
            let (mut thinned, mut all) = (Window::default(), Vec::new());
            for index in 0..4_000_i64 {
                let sample = Sample { at: index * step * 1000, number: random.f64() * 100.0 };
                thinned.push(sample, HOUR);
                all.push(sample);
                assert!(thinned.samples.len() <= MAX_SAMPLES);
                if index % 97 != 0 {
                    continue;
                }
                let found = thinned.changes(sample.at, HOUR, None, false).unwrap();
                // All observations of the window but those of the part in which it starts.
                let start = sample.at - 3_600_000 * 63 / 64;
                let numbers = all.iter().filter(|sample| sample.at >= start).map(|s| s.number);
                let highest = numbers.clone().fold(f64::MIN, f64::max);
                let lowest = numbers.fold(f64::MAX, f64::min);
                assert!(found.highest >= highest && found.lowest <= lowest, "{step} {index}");
            }
        }
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        let mut window = Window::default();
        for at in [i64::MIN, -1, 0, i64::MAX] {
            window.push(Sample { at, number: f64::MAX }, Duration::MAX);
            window.push(Sample { at, number: f64::MIN }, Duration::MAX);
            let _ = window.changes(at, Duration::MAX, Some(i64::MIN), true);
            let _ = window.changes(at, Duration::ZERO, None, false);
            window.redate(i64::MAX);
            window.redate(i64::MIN);
        }
    }
}
