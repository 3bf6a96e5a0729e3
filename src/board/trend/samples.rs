//! Latest observations of one field, with their rate and changes.
//!
//! Rates and changes are computed from the level of each observation, which depends on the field's way over
//! time: a counter that was reset continues its level, an amount adds to it, and a direction may turn
//! beyond north. The level of any other field is its number.
//!
//! Not every observation is kept, since a day of one each 30 seconds would take more memory than all else of
//! its source. Within the span of the rate all are; before it, neighbours are at most [`MAX_GAP_SHARE`] of
//! their age apart, unless no observation was between them. As levels are cumulative, those that are kept
//! are exact. So the rate is that of all observations, and a change over a span differs from that of all
//! observations by no more than the range of the levels within that share of the span around its start: for a
//! change over 24 hours, within half an hour.
//!
//! If more than [`MAX_KEPT`] observations would be left, as at an interval below 30 seconds with the default
//! spans, gaps may be longer, also within the span of the rate: [`Gaps`].

use std::time::Duration;

use super::points::{Point, Points};
use crate::units::{OverTime, rise};

/// Most observations: 10 KiB for levels that differ from numbers, 6 KiB for others.
pub(super) const MAX_POINTS: usize = 512;

/// Most observations after thinning, so that it is not due again at once.
const MAX_KEPT: usize = MAX_POINTS * 7 / 8;

/// Observations that are added before the next thinning: at least this number, or this share of those kept.
const MIN_GROWTH: usize = 16;
const GROWTH_SHARE: usize = 8;

/// Longest gap between two observations as a share of their age: 1 / 48. Much less than
/// [`MAX_DISTANCE_SHARE`], so that thinning never leaves a change without observations near its start.
pub(super) const MAX_GAP_SHARE: i64 = 48;

/// Observations within the span of a rate that are left if there are too many of them.
const RATE_SAMPLES: i64 = 256;

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

/// Longest gaps that thinning may leave between observations.
struct Gaps {
    /// Seconds of the span of a rate, with the observation before its start.
    rate_span: i64,
    /// Longest gap within that span, in seconds.
    in_rate_span: i64,
    /// Factor to [`MAX_GAP_SHARE`].
    coarseness: i64,
}

impl Gaps {
    /// Returns the gaps after that many attempts which left too many observations.
    fn after_attempts(attempts: u32, rate_over: i64) -> Gaps {
        let coarseness = 1_i64 << attempts.min(30);
        Gaps {
            rate_span: rate_over + rate_over / MAX_GAP_SHARE,
            in_rate_span: match attempts {
                0 => 0,
                _ => (rate_over / RATE_SAMPLES).max(1).saturating_mul(coarseness / 2),
            },
            coarseness,
        }
    }

    /// Returns the longest gap whose end has this age.
    fn longest(&self, age: i64) -> i64 {
        if age <= self.rate_span {
            return self.in_rate_span;
        }
        self.in_rate_span.max(age.saturating_mul(self.coarseness) / MAX_GAP_SHARE)
    }
}

/// Observations, as far back as a trend needs them.
#[derive(Debug)]
pub(super) struct Samples {
    over_time: OverTime,
    /// Seconds of the span of the rate.
    rate_over: i64,
    /// Seconds from the latest observation to the earliest that is kept.
    lookback: i64,
    points: Points,
    /// Number of observations at which they are thinned.
    limit: usize,
    /// Period of the latest amount.
    period: Option<Duration>,
}

impl Samples {
    /// Returns no observations yet, for a rate over `rate_over` and changes over at most `longest`.
    pub(super) fn new(over_time: OverTime, rate_over: Duration, longest: Duration) -> Samples {
        // Slightly more, so that there is an observation before the start of the longest span.
        let lookback =
            longest.max(rate_over).as_secs_f64() * (1.0 + MAX_DISTANCE_SHARE) + MIN_DISTANCE;
        let has_levels = match over_time {
            OverTime::Increase | OverTime::Sum | OverTime::Circular => true,
            OverTime::Mean | OverTime::Max | OverTime::Last => false,
        };
        Samples {
            over_time,
            rate_over: rate_over.as_secs_f64().ceil() as i64,
            lookback: lookback as i64,
            points: Points::new(has_levels),
            limit: 0,
            period: None,
        }
    }

    pub(super) fn over_time(&self) -> OverTime {
        self.over_time
    }

    /// Returns true if the latest observation is later than `at` by more than [`MAX_LATENESS`].
    pub(super) fn is_ahead_of(&self, at: i64) -> bool {
        self.points.last().is_some_and(|latest| latest.at.saturating_sub(at) > MAX_LATENESS)
    }

    /// Drops the observations from `at` on.
    pub(super) fn drop_from(&mut self, at: i64) {
        self.points.truncate(self.points.count_before(at));
    }

    /// Adds an observation.
    pub(super) fn push(&mut self, observation: Observation) -> Added {
        let latest = self.points.last();
        let is_correction = match latest {
            Some(latest) if observation.at < latest.at => {
                let is_behind = observation.is_by_machine && self.is_ahead_of(observation.at);
                return if is_behind { Added::ClockBehind } else { Added::Late };
            }
            Some(latest) if observation.at == latest.at => {
                if observation.number == latest.number {
                    return Added::Known;
                }
                true
            }
            _ => false,
        };
        if is_correction {
            self.points.truncate(self.points.len() - 1);
        }
        let Observation { at, number, period, is_by_machine } = observation;
        let level = self.level(self.points.last(), at, number, period);
        if self.points.len() >= self.limit {
            self.thin(at);
        }
        self.points.push(Point { at, number, level, is_by_machine });
        self.period = period;
        if is_correction { Added::Corrected } else { Added::Latest }
    }

    /// Drops observations that are too old at `now`, and some of the others.
    fn thin(&mut self, now: i64) {
        self.points.drop_first(self.points.count_before(now.saturating_sub(self.lookback)));
        for attempts in 0..=30 {
            let gaps = Gaps::after_attempts(attempts, self.rate_over);
            self.points.thin(|age| gaps.longest(age));
            if self.points.len() <= MAX_KEPT {
                break;
            }
        }
        let kept = self.points.len();
        self.limit = (kept + MIN_GROWTH.max(kept / GROWTH_SHARE)).min(MAX_POINTS);
        self.points.set_capacity(self.limit);
    }

    /// Moves the observations that were dated by this machine's clock after it was set by `step` seconds. Returns
    /// the time of the earliest of them before.
    pub(super) fn redate(&mut self, step: i64) -> Option<i64> {
        let before: Vec<Point> = self.points.iter_from(0).collect();
        let first = before.iter().find(|point| point.is_by_machine)?.at;
        let mut moved: Vec<(usize, Point)> = before.iter().copied().enumerate().collect();
        for (_, point) in moved.iter_mut().filter(|(_, point)| point.is_by_machine) {
            point.at = point.at.saturating_add(step);
        }
        // Recorded observations may be among them now. Of two at the same time, the later added one stays.
        moved.sort_by_key(|(_, point)| point.at);
        self.points.truncate(0);
        let mut last: Option<usize> = None;
        for (index, mut point) in moved {
            if self.points.last().is_some_and(|last| last.at == point.at) {
                self.points.truncate(self.points.len() - 1);
                last = None;
            }
            let follows = last.filter(|&last| last + 1 == index).and_then(|last| before.get(last));
            let (earlier, unmoved) = (self.points.last(), before.get(index));
            point.level = match (follows, earlier, unmoved) {
                // The observations between the two may have been dropped, but not what they added.
                (Some(before), Some(earlier), Some(unmoved))
                    if before.is_by_machine == point.is_by_machine =>
                {
                    earlier.level + (unmoved.level - before.level)
                }
                _ => self.level(earlier, point.at, point.number, self.period),
            };
            self.points.push(point);
            last = Some(index);
        }
        Some(first)
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
        let last = self.points.last()?.at;
        let first = self.points.count_before((last as f64 - over).ceil() as i64);
        let within = || self.points.iter_from(first);
        let count = self.points.len() - first;
        let covered = (last - within().next()?.at) as f64;
        if count < MIN_RATE_SAMPLES || covered < over * MIN_COVERAGE {
            return None;
        }
        let hours = |point: &Point| (point.at - last) as f64 / 3600.0;
        let n = count as f64;
        let mean_at = within().map(|point| hours(&point)).sum::<f64>() / n;
        let mean = within().map(|point| point.level).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for point in within() {
            let distance = hours(&point) - mean_at;
            covariance += distance * (point.level - mean);
            variance += distance * distance;
        }
        (variance > 0.0).then(|| covariance / variance)
    }

    /// Returns the latest level minus the one `over` ago, which is interpolated between the two
    /// observations around that time. For a direction it is the angle, from -180° to 180°.
    pub(super) fn change(&self, over: Duration) -> Option<f64> {
        let latest = self.points.last()?;
        let over = over.as_secs_f64();
        let then = latest.at as f64 - over;
        let max_distance = (over * MAX_DISTANCE_SHARE).max(MIN_DISTANCE).min(over / 2.0);
        let at = |point: &Point| point.at as f64;
        let after = self.points.count_before(then.floor() as i64 + 1);
        let before = after.checked_sub(1).and_then(|before| self.points.get(before));
        let after = self.points.get(after);
        let is_near = |point: &Point| (at(point) - then).abs() <= max_distance;
        let past = match (before.filter(is_near), after.filter(is_near)) {
            (Some(a), Some(b)) => {
                a.level + (b.level - a.level) * (then - at(&a)) / (at(&b) - at(&a))
            }
            (Some(point), None) | (None, Some(point)) => point.level,
            (None, None) => return None,
        };
        let change = latest.level - past;
        Some(if self.over_time == OverTime::Circular { angle(change) } else { change })
    }

    /// Returns the level of an observation after the one before it.
    fn level(&self, before: Option<Point>, at: i64, number: f64, period: Option<Duration>) -> f64 {
        let Some(before) = before else { return number };
        match self.over_time {
            OverTime::Increase => before.level + rise(before.number, number),
            OverTime::Sum => {
                let passed = (at - before.at) as f64;
                // Amounts of overlapping periods count once.
                let new_share = period.map_or(1.0, |period| passed / period.as_secs_f64());
                before.level + number * new_share.min(1.0)
            }
            OverTime::Circular => before.level + angle(number - before.number),
            OverTime::Mean | OverTime::Max | OverTime::Last => number,
        }
    }
}

#[cfg(test)]
impl Samples {
    /// Returns the observations that are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = Point> {
        self.points.iter_from(0)
    }

    /// Returns the allocated bytes.
    pub(super) fn allocated(&self) -> usize {
        self.points.allocated()
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
        let mut samples = Samples::new(over_time, 2 * HOUR, 24 * HOUR);
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
        let mut hourly = Samples::new(OverTime::Sum, 2 * HOUR, 24 * HOUR);
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
        let mut counter = Samples::new(OverTime::Increase, 2 * HOUR, 24 * HOUR);
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
        assert_eq!(counter.points.last().unwrap().at, STEP + 3600);
        assert_eq!((counter.change(HOUR), change), (Some(1.5), Some(1.5)));
    }
}
