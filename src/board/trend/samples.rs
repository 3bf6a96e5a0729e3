//! Latest observations of one field, with their rate and changes.

use std::collections::VecDeque;
use std::time::Duration;

/// Most observations. When it is reached, every other one is dropped.
const MAX_SAMPLES: usize = 2_048;

/// Fewest observations for a rate.
const MIN_RATE_SAMPLES: usize = 3;

/// Share of a rate's time that its observations must cover.
const MIN_COVERAGE: f64 = 0.5;

/// Longest distance from the start of a change's span to the observation that is used for it, as a
/// share of the span.
const MAX_DISTANCE_SHARE: f64 = 0.1;

/// Lower bound of that distance, in seconds.
const MIN_DISTANCE: f64 = 20.0 * 60.0;

/// Largest number of seconds by which an observation may be earlier than the latest. If it is earlier by
/// more, the latest was dated ahead of its time.
const MAX_LATENESS: i64 = 20 * 60;

/// Observations as times and numbers, earliest first, as far back as a trend needs them.
#[derive(Debug)]
pub(super) struct Samples {
    /// Seconds from the latest observation to the earliest that is kept.
    lookback: i64,
    samples: VecDeque<(i64, f64)>,
}

impl Samples {
    pub(super) fn new(lookback: Duration) -> Samples {
        // Slightly more, so that there is an observation before the start of the longest span.
        let lookback = lookback.as_secs_f64() * (1.0 + MAX_DISTANCE_SHARE) + MIN_DISTANCE;
        Samples { lookback: lookback as i64, samples: VecDeque::new() }
    }

    /// Drops the observations after `at` if the latest is later by more than [`MAX_LATENESS`]. Returns true if
    /// it is. Otherwise one observation by a wrong clock would block all following ones.
    pub(super) fn drop_after(&mut self, at: i64) -> bool {
        let is_ahead = self.samples.back().is_some_and(|&(last, _)| last - at > MAX_LATENESS);
        if is_ahead {
            self.samples.retain(|&(sample, _)| sample < at);
        }
        is_ahead
    }

    /// Adds an observation; returns false if it is not later than the latest.
    pub(super) fn push(&mut self, at: i64, number: f64) -> bool {
        if self.samples.back().is_some_and(|&(last, _)| at <= last) {
            return false;
        }
        while self.samples.front().is_some_and(|&(first, _)| at - first > self.lookback) {
            self.samples.pop_front();
        }
        if self.samples.len() == MAX_SAMPLES {
            let mut number = 0;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
        self.samples.push_back((at, number));
        true
    }

    /// Returns the rate per hour: the slope of the least-squares line through the observations of the
    /// latest `over` seconds.
    pub(super) fn rate(&self, over: f64) -> Option<f64> {
        let &(last, _) = self.samples.back()?;
        let within = || {
            let age = move |&&(at, _): &&(i64, f64)| (last - at) as f64 <= over;
            self.samples.iter().rev().take_while(age)
        };
        let count = within().count();
        let first = within().last().map_or(last, |&(at, _)| at);
        if count < MIN_RATE_SAMPLES || ((last - first) as f64) < over * MIN_COVERAGE {
            return None;
        }
        let hours = |at: i64| (at - last) as f64 / 3600.0;
        let n = count as f64;
        let mean_at = within().map(|&(at, _)| hours(at)).sum::<f64>() / n;
        let mean = within().map(|&(_, number)| number).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for &(at, number) in within() {
            let distance = hours(at) - mean_at;
            covariance += distance * (number - mean);
            variance += distance * distance;
        }
        (variance > 0.0).then(|| covariance / variance)
    }

    /// Returns the latest number minus the one `over` ago, which is interpolated between the two
    /// observations around that time.
    pub(super) fn change(&self, over: Duration) -> Option<f64> {
        let &(last, now) = self.samples.back()?;
        let over = over.as_secs_f64();
        let then = last as f64 - over;
        let max_distance = (over * MAX_DISTANCE_SHARE).max(MIN_DISTANCE).min(over / 2.0);
        let before = self.samples.iter().rev().find(|(at, _)| *at as f64 <= then);
        let after = self.samples.iter().find(|(at, _)| *at as f64 > then);
        let is_near = |sample: &&(i64, f64)| (sample.0 as f64 - then).abs() <= max_distance;
        let past = match (before.filter(is_near), after.filter(is_near)) {
            (Some(&(a, x)), Some(&(b, y))) => x + (y - x) * (then - a as f64) / (b - a) as f64,
            (Some(&(_, x)), None) | (None, Some(&(_, x))) => x,
            (None, None) => return None,
        };
        Some(now - past)
    }
}
