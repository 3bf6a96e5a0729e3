//! Latest observations of one field, with their rate and changes.
//!
//! Rates and changes are computed from the level of each observation, which depends on the field's way over
//! time: a counter that was reset continues its level, an amount adds to it, and a direction may turn
//! beyond north. The level of any other field is its number.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{OverTime, rise};

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

/// A full turn, in degrees.
const TURN: f64 = 360.0;

/// An observation to add.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    /// Time in seconds since 1970.
    pub(super) at: i64,
    /// Measured number.
    pub(super) number: f64,
    /// Time before `at` that an amount covers.
    pub(super) period: Option<Duration>,
    /// True if the time was read from this machine's clock, by this process.
    pub(super) is_by_machine: bool,
}

/// Result of adding an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It is the latest now.
    Latest,
    /// It has the time of the latest, and replaces it.
    Corrected,
    /// It is known.
    Known,
    /// It is slightly earlier than the latest, and not used.
    Late,
    /// It is much earlier than the latest because the clock of this machine is behind, and not used.
    ClockBehind,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    observation: Observation,
    level: f64,
}

/// Observations, earliest first, as far back as a trend needs them.
#[derive(Debug)]
pub(super) struct Samples {
    over_time: OverTime,
    /// Seconds from the latest observation to the earliest that is kept.
    lookback: i64,
    points: VecDeque<Point>,
}

impl Samples {
    pub(super) fn new(over_time: OverTime, lookback: Duration) -> Samples {
        // Slightly more, so that there is an observation before the start of the longest span.
        let lookback = lookback.as_secs_f64() * (1.0 + MAX_DISTANCE_SHARE) + MIN_DISTANCE;
        Samples { over_time, lookback: lookback as i64, points: VecDeque::new() }
    }

    pub(super) fn over_time(&self) -> OverTime {
        self.over_time
    }

    /// Returns true if the latest observation is later than `at` by more than [`MAX_LATENESS`].
    pub(super) fn is_ahead_of(&self, at: i64) -> bool {
        self.latest().is_some_and(|latest| latest.at.saturating_sub(at) > MAX_LATENESS)
    }

    /// Drops the observations from `at` on.
    pub(super) fn drop_from(&mut self, at: i64) {
        self.points.retain(|point| point.observation.at < at);
    }

    /// Adds an observation.
    pub(super) fn push(&mut self, observation: Observation) -> Added {
        match self.latest() {
            Some(latest) if observation.at < latest.at => {
                let is_behind = observation.is_by_machine && self.is_ahead_of(observation.at);
                return if is_behind { Added::ClockBehind } else { Added::Late };
            }
            Some(latest) if observation.at == latest.at && observation.number == latest.number => {
                return Added::Known;
            }
            _ => {}
        }
        let is_correction = self.latest().is_some_and(|latest| latest.at == observation.at);
        if is_correction {
            self.points.pop_back();
        }
        let level = level(self.over_time, self.points.back(), observation);
        let first_kept = observation.at.saturating_sub(self.lookback);
        while self.points.front().is_some_and(|point| point.observation.at < first_kept) {
            self.points.pop_front();
        }
        if self.points.len() == MAX_SAMPLES {
            let mut number = 0;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
        self.points.push_back(Point { observation, level });
        if is_correction { Added::Corrected } else { Added::Latest }
    }

    /// Moves the observations that were dated by this machine's clock after it was set by `step` seconds. Returns
    /// the time of the earliest of them before.
    pub(super) fn redate(&mut self, step: i64) -> Option<i64> {
        let by_machine = |point: &&mut Point| point.observation.is_by_machine;
        let mut first = None;
        for Point { observation, .. } in self.points.iter_mut().filter(by_machine) {
            first = first.or(Some(observation.at));
            observation.at = observation.at.saturating_add(step);
        }
        // Recorded observations may be among them now. Of two at the same time, the later added one stays.
        let points = self.points.make_contiguous();
        points.sort_by_key(|point| point.observation.at);
        let mut sorted: VecDeque<Point> = VecDeque::with_capacity(self.points.len());
        for mut point in self.points.drain(..) {
            if sorted.back().is_some_and(|last| last.observation.at == point.observation.at) {
                sorted.pop_back();
            }
            point.level = level(self.over_time, sorted.back(), point.observation);
            sorted.push_back(point);
        }
        self.points = sorted;
        first
    }

    /// Returns the rate per hour over the latest `over`. A direction has none.
    pub(super) fn rate(&self, over: Duration) -> Option<f64> {
        match self.over_time {
            OverTime::Circular => None,
            OverTime::Sum => Some(self.change(over)? * 3600.0 / over.as_secs_f64()),
            OverTime::Mean | OverTime::Increase | OverTime::Max | OverTime::Last => {
                self.slope(over.as_secs_f64())
            }
        }
    }

    /// Returns the slope per hour of the least-squares line through the observations of the latest `over`
    /// seconds.
    fn slope(&self, over: f64) -> Option<f64> {
        let last = self.latest()?.at;
        let within = || {
            let age = move |point: &&Point| (last - point.observation.at) as f64 <= over;
            self.points.iter().rev().take_while(age)
        };
        let count = within().count();
        let first = within().last().map_or(last, |point| point.observation.at);
        if count < MIN_RATE_SAMPLES || ((last - first) as f64) < over * MIN_COVERAGE {
            return None;
        }
        let hours = |point: &Point| (point.observation.at - last) as f64 / 3600.0;
        let n = count as f64;
        let mean_at = within().map(hours).sum::<f64>() / n;
        let mean = within().map(|point| point.level).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for point in within() {
            let distance = hours(point) - mean_at;
            covariance += distance * (point.level - mean);
            variance += distance * distance;
        }
        (variance > 0.0).then(|| covariance / variance)
    }

    /// Returns the latest level minus the one `over` ago, which is interpolated between the two
    /// observations around that time. For a direction it is the angle, from -180° to 180°.
    pub(super) fn change(&self, over: Duration) -> Option<f64> {
        let latest = self.points.back()?;
        let over = over.as_secs_f64();
        let then = latest.observation.at as f64 - over;
        let max_distance = (over * MAX_DISTANCE_SHARE).max(MIN_DISTANCE).min(over / 2.0);
        let at = |point: &Point| point.observation.at as f64;
        let before = self.points.iter().rev().find(|point| at(point) <= then);
        let after = self.points.iter().find(|point| at(point) > then);
        let is_near = |point: &&Point| (at(point) - then).abs() <= max_distance;
        let past = match (before.filter(is_near), after.filter(is_near)) {
            (Some(a), Some(b)) => a.level + (b.level - a.level) * (then - at(a)) / (at(b) - at(a)),
            (Some(point), None) | (None, Some(point)) => point.level,
            (None, None) => return None,
        };
        let change = latest.level - past;
        Some(if self.over_time == OverTime::Circular { angle(change) } else { change })
    }

    fn latest(&self) -> Option<&Observation> {
        self.points.back().map(|point| &point.observation)
    }
}

/// Returns the level of an observation after the one before it.
fn level(over_time: OverTime, before: Option<&Point>, observation: Observation) -> f64 {
    let number = observation.number;
    let Some(before) = before else { return number };
    let earlier = before.observation;
    match over_time {
        OverTime::Increase => before.level + rise(earlier.number, number),
        OverTime::Sum => {
            let passed = (observation.at - earlier.at) as f64;
            // Amounts of overlapping periods count once.
            let new_share = observation.period.map_or(1.0, |period| passed / period.as_secs_f64());
            before.level + number * new_share.min(1.0)
        }
        OverTime::Circular => before.level + angle(number - earlier.number),
        OverTime::Mean | OverTime::Max | OverTime::Last => number,
    }
}

/// Returns an angle between -180° and 180°.
fn angle(degrees: f64) -> f64 {
    let turned = degrees.rem_euclid(TURN);
    if turned > TURN / 2.0 { turned - TURN } else { turned }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn samples(over_time: OverTime, numbers: &[(i64, f64)]) -> Samples {
        let mut samples = Samples::new(over_time, 24 * HOUR);
        for &(minute, number) in numbers {
            samples.push(observation(minute, number));
        }
        samples
    }

    fn observation(minute: i64, number: f64) -> Observation {
        Observation { at: minute * 60, number, period: None, is_by_machine: false }
    }

    fn rounded(number: Option<f64>) -> Option<f64> {
        number.map(|number| (number * 1000.0).round() / 1000.0)
    }

    #[test]
    fn counter_that_is_reset_has_an_increase() {
        let rain = [(-130, 24.0), (-100, 24.6), (-70, 25.0), (-40, 25.0), (-10, 0.0), (0, 0.2)];
        let counter = samples(OverTime::Increase, &rain);
        assert_eq!(rounded(counter.change(HOUR)), Some(0.2));
        assert!(counter.rate(2 * HOUR).unwrap() >= 0.0);
        let number = samples(OverTime::Mean, &rain);
        assert_eq!(rounded(number.change(HOUR)), Some(-24.8));
        assert!(number.rate(2 * HOUR).unwrap() < 0.0);
    }

    #[test]
    fn counter_that_dips_was_not_reset() {
        let meter = [(-60, 12_345.5), (-40, 12_345.25), (-20, 12_345.5), (0, 12_346.0)];
        assert_eq!(samples(OverTime::Increase, &meter).change(HOUR), Some(0.5));
    }

    #[test]
    fn amounts_are_added_and_overlapping_ones_count_once() {
        let rain =
            [(-90, 5.0), (-75, 1.0), (-60, 1.0), (-45, 2.0), (-30, 0.0), (-15, 3.0), (0, 0.5)];
        let amounts = samples(OverTime::Sum, &rain);
        assert_eq!(rounded(amounts.change(HOUR)), Some(5.5));
        assert_eq!(rounded(amounts.rate(HOUR)), Some(5.5));
        assert_eq!(rounded(amounts.rate(HOUR / 2)), Some(7.0));
        // The amount of the last hour, sent each quarter of an hour.
        let mut hourly = Samples::new(OverTime::Sum, 24 * HOUR);
        for minute in (-180..=0).step_by(15) {
            hourly.push(Observation { period: Some(HOUR), ..observation(minute, 4.0) });
        }
        assert_eq!(rounded(hourly.change(HOUR)), Some(4.0));
        assert_eq!(rounded(hourly.rate(2 * HOUR)), Some(4.0));
    }

    #[test]
    fn direction_has_an_angle_and_no_rate() {
        for (from, to, angle) in
            [(350.0, 10.0, 20.0), (10.0, 350.0, -20.0), (90.0, 270.0, 180.0), (0.0, 360.0, 0.0)]
        {
            let direction = samples(OverTime::Circular, &[(-60, from), (-30, from), (0, to)]);
            assert_eq!(rounded(direction.change(HOUR)), Some(angle), "{from} {to}");
            assert_eq!(direction.rate(HOUR), None);
        }
        // Three quarters of a turn by small steps.
        let turning: Vec<(i64, f64)> =
            (0..10).map(|n| (n * 6, f64::from(n as i32) * 30.0)).collect();
        let direction = samples(OverTime::Circular, &turning);
        assert_eq!(rounded(direction.change(Duration::from_secs(54 * 60))), Some(-90.0));
    }

    #[test]
    fn corrected_number_replaces_the_one_at_the_same_time() {
        for (over_time, change) in
            [(OverTime::Mean, 2.0), (OverTime::Increase, 2.0), (OverTime::Sum, 12.0 + 11.0)]
        {
            let mut samples = samples(over_time, &[(-60, 10.0), (-30, 11.0), (0, 99.0)]);
            assert_eq!(samples.push(observation(0, 12.0)), Added::Corrected);
            assert_eq!(samples.push(observation(0, 12.0)), Added::Known);
            assert_eq!(samples.push(observation(-1, 0.0)), Added::Late);
            assert_eq!(samples.change(HOUR), Some(change), "{over_time}");
        }
    }

    #[test]
    fn observations_dated_by_the_machine_move_with_its_clock() {
        const STEP: i64 = 1_000_000;
        let by_machine =
            |minute, number| Observation { is_by_machine: true, ..observation(minute, number) };
        let mut counter = Samples::new(OverTime::Increase, 24 * HOUR);
        // Recorded before the start of this process, by a clock that was right.
        counter.push(observation(STEP / 60 - 60, 5.0));
        assert_eq!(counter.push(by_machine(0, 6.0)), Added::ClockBehind);
        assert_eq!(counter.redate(STEP), None);
        let mut counter = samples(OverTime::Increase, &[]);
        for (minute, number) in [(0, 1.0), (30, 2.0), (60, 0.5)] {
            assert_eq!(counter.push(by_machine(minute, number)), Added::Latest);
        }
        let change = counter.change(HOUR);
        assert_eq!(counter.redate(STEP), Some(0));
        assert_eq!(counter.latest().unwrap().at, STEP + 3600);
        assert_eq!((counter.change(HOUR), change), (Some(1.5), Some(1.5)));
    }
}
