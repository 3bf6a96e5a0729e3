//! Thinned observations give the rates and changes of all observations, in bounded memory.

use std::time::Duration;

use fastrand::Rng;

use super::super::samples::{MAX_GAP_SHARE, MAX_POINTS};
use super::*;
use crate::units::rise;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: i64 = 86_400;

/// Most bytes of the observations of a trend at any interval.
const MAX_BYTES: usize = 12 * 1024;

/// Rounding of sums.
const ROUNDING: f64 = 1e-6;

/// All observations, with rates and changes by their definitions.
#[derive(Default)]
struct Unthinned(Vec<(i64, f64, f64)>);

impl Unthinned {
    fn push(&mut self, over_time: OverTime, at: i64, number: f64, period: Option<Duration>) {
        let level = self.0.last().map_or(number, |&(before_at, before, level)| match over_time {
            OverTime::Increase => level + rise(before, number),
            OverTime::Sum => {
                let passed = (at - before_at) as f64;
                level + number * period.map_or(1.0, |of| passed / of.as_secs_f64()).min(1.0)
            }
            OverTime::Circular => level + turn(number - before),
            _ => number,
        });
        self.0.push((at, number, level));
    }

    fn latest(&self) -> (i64, f64) {
        self.0.last().map(|&(at, _, level)| (at, level)).unwrap()
    }

    fn slope(&self, over: i64) -> f64 {
        let latest = self.latest().0;
        let hours = |at: i64| (at - latest) as f64 / 3600.0;
        let within: Vec<(f64, f64)> = (self.0.iter())
            .filter(|(at, ..)| latest - at <= over)
            .map(|&(at, _, level)| (hours(at), level))
            .collect();
        let n = within.len() as f64;
        let x = within.iter().map(|(x, _)| x).sum::<f64>() / n;
        let y = within.iter().map(|(_, y)| y).sum::<f64>() / n;
        within.iter().map(|(at, level)| (at - x) * (level - y)).sum::<f64>()
            / within.iter().map(|(at, _)| (at - x).powi(2)).sum::<f64>()
    }

    /// Returns the change over a span, and the range of the levels within a share of the span around its start.
    /// `None` if the observations there are far apart.
    fn change(&self, over: i64) -> Option<(f64, f64)> {
        let (latest, level) = self.latest();
        let then = latest - over;
        let before = self.0.iter().rfind(|(at, ..)| *at <= then)?;
        let after = self.0.iter().find(|(at, ..)| *at > then)?;
        let share = (after.0 - before.0).max(over / MAX_GAP_SHARE + 1);
        if share > 20 * 60 && share > over / MAX_GAP_SHARE + 1 {
            return None;
        }
        let near = self.0.iter().filter(|(at, ..)| (at - then).abs() <= share);
        let levels = near.map(|(.., level)| *level);
        let range = levels.clone().fold(f64::MIN, f64::max) - levels.fold(f64::MAX, f64::min);
        let position = (then - before.0) as f64 / (after.0 - before.0) as f64;
        Some((level - (before.2 + (after.2 - before.2) * position), range))
    }

    fn level_at(&self, at: i64) -> f64 {
        self.0[self.0.partition_point(|&(of, ..)| of < at)].2
    }
}

fn turn(degrees: f64) -> f64 {
    let turned = degrees.rem_euclid(360.0);
    if turned > 180.0 { turned - 360.0 } else { turned }
}

/// Returns the next number of a field: it drifts, with noise, and a counter is sometimes reset.
fn next(over_time: OverTime, random: &mut Rng, number: f64) -> f64 {
    match over_time {
        OverTime::Increase if random.u16(..500) == 0 => random.f64(),
        OverTime::Increase => number + random.f64() * 3.0,
        OverTime::Sum => random.f64() * 4.0 * f64::from(random.u8(..2)),
        OverTime::Circular => (number + random.f64() * 60.0 - 25.0).rem_euclid(360.0),
        _ => number + random.f64() * 10.0 - 5.5,
    }
}

#[test]
fn rate_is_that_of_all_observations_and_change_within_the_range_around_its_start() {
    let ways = [OverTime::Mean, OverTime::Increase, OverTime::Sum, OverTime::Circular];
    let mut compared = 0;
    for (seed, over_time) in (0..48).zip(ways.into_iter().cycle()) {
        let mut random = Rng::with_seed(seed);
        let interval = [30, 60, 97, 300, 900, 3600][random.usize(..6)];
        let period = [None, Some(HOUR / 4)][random.usize(..2)];
        let mut samples = Samples::new(over_time, 2 * HOUR, 24 * HOUR);
        let (mut all, mut at, mut number) = (Unthinned::default(), START, 20.0);
        while at < START + 3 * DAY {
            at += if random.u16(..300) == 0 {
                random.i64(0..3 * 3600) + 1
            } else {
                interval + random.i64(0..=interval / 5)
            };
            number = next(over_time, &mut random, number);
            all.push(over_time, at, number, period);
            samples.push(Observation { at, number, period, is_by_machine: false });
            if random.u8(..20) != 0 {
                continue;
            }
            let context = format!("seed {seed}, {over_time}, {interval} s, at {}", at - START);
            for point in samples.kept() {
                let expected = all.level_at(point.at);
                assert!((point.level - expected).abs() < ROUNDING, "{context}: {point:?}");
            }
            for (hours, is_exact) in [(1, true), (2, true), (6, false), (24, false)] {
                let Some((expected, range)) = all.change(hours * 3600) else { continue };
                let change = samples.change(HOUR * hours as u32);
                let change = change.unwrap_or_else(|| panic!("{context}: no change, {expected}"));
                let mut error = (change - expected).abs();
                if over_time == OverTime::Circular {
                    error = turn(change - expected).abs();
                }
                let bound = if is_exact { ROUNDING } else { range + ROUNDING };
                assert!(error <= bound, "{context}: {hours} h, {change} for {expected}");
                compared += 1;
            }
            if let Some(rate) = samples.rate(2 * HOUR)
                && over_time != OverTime::Sum
            {
                let expected = all.slope(2 * 3600);
                assert!((rate - expected).abs() < ROUNDING, "{context}: {rate} for {expected}");
                compared += 1;
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn observations_of_a_day_take_bounded_memory_at_any_interval() {
    for over_time in [OverTime::Mean, OverTime::Sum] {
        for (rate_over, longest) in [(2, 24), (31 * 24, 1), (24, 31 * 24)] {
            for interval in [1, 5, 30, 60, 300, 900] {
                let mut samples = Samples::new(over_time, HOUR * rate_over, HOUR * longest);
                let mut most = 0;
                for at in (START..START + 4 * DAY).step_by(interval) {
                    let number = (at - START) as f64 / 3600.0;
                    let observation =
                        Observation { at, number, period: None, is_by_machine: false };
                    samples.push(observation);
                    most = most.max(samples.allocated());
                }
                let context = format!("{over_time}, {interval} s: {most}");
                assert!(samples.kept().count() <= MAX_POINTS, "{context}");
                assert!(most <= MAX_BYTES, "{context}");
                if over_time == OverTime::Mean {
                    // A line has its slope, however few of its observations are left.
                    let rate = samples.rate(HOUR * rate_over);
                    let is_covered = rate_over < 8 * 24;
                    assert_eq!(
                        rate.map(|rate| (rate - 1.0).abs() < 1e-6),
                        is_covered.then_some(true)
                    );
                }
            }
        }
    }
}

#[test]
fn trend_of_a_tank_without_a_capacity_takes_bounded_memory() {
    for interval in [30, 60, 900] {
        let mut trend = new(TrendSettings::of_tank());
        for second in (0..3 * DAY).step_by(interval) {
            let at = Timestamp::from_second(START + second).unwrap();
            let value = Value::number(700.0 + (second % 1000) as f64, Unit::UsGallon);
            derive(&mut trend, at, &[("volume".into(), value)]);
        }
        let bytes = trend.samples.allocated() + trend.pending.allocated();
        assert!(bytes <= MAX_BYTES, "{interval} s: {bytes}");
    }
}

#[test]
fn amounts_between_kept_observations_survive_a_step_of_the_clock() {
    const STEP: i64 = 5_000_000;
    for over_time in [OverTime::Sum, OverTime::Increase, OverTime::Circular] {
        let mut samples = Samples::new(over_time, 2 * HOUR, 24 * HOUR);
        let mut number = 0.0;
        for at in (START..START + 2 * DAY).step_by(60) {
            number = if over_time == OverTime::Sum { 1.5 } else { (number + 1.5) % 360.0 };
            samples.push(Observation { at, number, period: None, is_by_machine: true });
        }
        let changes = |samples: &Samples| {
            [1, 2, 24].map(|hours| samples.change(HOUR * hours).map(|change| change.round()))
        };
        let before = changes(&samples);
        assert_eq!(samples.redate(STEP).map(|first| first < START + DAY), Some(true));
        assert_eq!(changes(&samples), before, "{over_time}");
    }
}
