//! Axes: the places and labels of their ticks.
//!
//! Values have ticks at round numbers. Times have ticks at round local times of the place that the
//! chart is about, also across a change of its clocks.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::site::format::fixed;
use crate::units::Unit;

/// A tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick<T> {
    pub(super) at: T,
    pub(super) label: String,
}

/// Axis of values, which begins and ends at a tick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<Tick<f64>>,
}

/// Approximate number of intervals of a value axis.
const INTERVALS: f64 = 4.0;

impl ValueAxis {
    /// Returns an axis that covers the numbers from `least` to `most`.
    pub(super) fn covering(least: f64, most: f64, unit: Option<Unit>) -> ValueAxis {
        let (least, most) = match unit {
            // A percentage is shown as a share of the whole.
            Some(Unit::Percent) if least >= 0.0 && most <= 100.0 => (0.0, 100.0),
            // An amount or a speed is shown in proportion to zero.
            Some(
                Unit::UsGallon
                | Unit::Litre
                | Unit::MilePerHour
                | Unit::KilometrePerHour
                | Unit::MetrePerSecond,
            ) => (least.min(0.0), most.max(1.0)),
            Some(Unit::Inch | Unit::Centimetre | Unit::Millimetre) => {
                (least.min(0.0), most.max(0.1))
            }
            _ => (least, most),
        };
        // A flat line gets some room above and below.
        let spread = most - least;
        let pad = if spread > 0.0 { 0.0 } else { most.abs().max(1.0) * 0.05 };
        let (least, most) = (least - pad, most + pad);
        let step = round_step((most - least) / INTERVALS);
        let (low, high) = ((least / step).floor() * step, (most / step).ceil() * step);
        let is_whole = |number: f64| (number - number.round()).abs() < 1e-6;
        let decimals = (0..6).find(|&places| is_whole(step * 10_f64.powi(places))).unwrap_or(6);
        let count = ((high - low) / step).round() as i32;
        let ticks = (0..=count).map(|number| {
            let at = low + f64::from(number) * step;
            // A rounding error can make zero a tiny number, whose label would be "-0".
            let at = if at.abs() < step / 1e6 { 0.0 } else { at };
            Tick { at, label: fixed(at, decimals as usize) }
        });
        ValueAxis { low, high, ticks: ticks.collect() }
    }

    /// Returns the number of decimals that resolve a thousandth of the axis.
    pub(super) fn decimals(&self) -> usize {
        (3.0 - (self.high - self.low).log10().ceil()).clamp(0.0, 6.0) as usize
    }
}

/// Returns the least step of at least `number` that is 1, 2, 2.5 or 5 times a power of ten.
fn round_step(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let fraction = number / power;
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|&round| fraction <= round + 1e-9);
    round.unwrap_or(10.0) * power
}

/// Interval between ticks of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeStep {
    Minutes(i64),
    Hours(i64),
    Days(i64),
    Months(i64),
}

impl TimeStep {
    /// Returns the step for a window of `seconds`. The bounds are in hours.
    const fn of(seconds: i64) -> TimeStep {
        match seconds / 3600 {
            0 => TimeStep::Minutes(10),
            1..3 => TimeStep::Minutes(30),
            3..8 => TimeStep::Hours(1),
            8..14 => TimeStep::Hours(2),
            14..28 => TimeStep::Hours(4),
            28..78 => TimeStep::Hours(12),
            78..250 => TimeStep::Days(1),
            250..450 => TimeStep::Days(2),
            450..1100 => TimeStep::Days(5),
            1100..2300 => TimeStep::Days(14),
            2300..5600 => TimeStep::Months(1),
            5600..11_000 => TimeStep::Months(2),
            11_000..55_000 => TimeStep::Months(12),
            _ => TimeStep::Months(24),
        }
    }
}

/// Returns the ticks of a window of time, at round local times of `zone`.
pub(super) fn time_ticks(from: i64, to: i64, zone: &TimeZone) -> Vec<Tick<i64>> {
    /// Number of ticks that no chart has room for.
    const MAX_TICKS: usize = 40;
    let step = TimeStep::of(to - from);
    let Some(mut at) = first(from, step, zone) else { return Vec::new() };
    let mut ticks: Vec<Tick<i64>> = Vec::new();
    while ticks.len() < MAX_TICKS {
        let Ok(moment) = zone.to_timestamp(at) else { break };
        let moment = moment.as_second();
        if moment > to {
            break;
        }
        // An hour that occurs twice, because the clocks go back, gets one tick.
        let is_later = ticks.last().is_none_or(|last| last.at < moment);
        if moment >= from && is_later {
            ticks.push(Tick { at: moment, label: label(at, step) });
        }
        let Some(next) = next(at, step) else { break };
        at = next;
    }
    ticks
}

/// Returns the latest round local time that is not after `from`.
fn first(from: i64, step: TimeStep, zone: &TimeZone) -> Option<DateTime> {
    let local = zone.to_datetime(Timestamp::from_second(from).ok()?);
    let midnight = local.date().at(0, 0, 0, 0);
    Some(match step {
        TimeStep::Minutes(minutes) => {
            let minute = i64::from(local.minute()) / minutes * minutes;
            local.date().at(local.hour(), i8::try_from(minute).ok()?, 0, 0)
        }
        TimeStep::Hours(_) => midnight,
        TimeStep::Days(1) => midnight,
        // Counted from the first of the month, so that ticks do not move from day to day.
        TimeStep::Days(_) => local.date().first_of_month().at(0, 0, 0, 0),
        TimeStep::Months(1) => local.date().first_of_month().at(0, 0, 0, 0),
        TimeStep::Months(_) => local.date().first_of_year().at(0, 0, 0, 0),
    })
}

fn next(at: DateTime, step: TimeStep) -> Option<DateTime> {
    let next = match step {
        TimeStep::Minutes(minutes) => at.checked_add(minutes.minutes()),
        TimeStep::Hours(hours) => at.checked_add(hours.hours()),
        TimeStep::Months(months) => at.checked_add(months.months()),
        TimeStep::Days(days) => {
            let next = at.checked_add(days.days()).ok()?;
            // The count restarts at the first of each month, and a tick shortly before that is
            // left out: the 31st and the 1st would overlap.
            let is_month_end = i64::from(next.date().days_in_month() - next.day()) < days / 2;
            let is_new_month = next.month() != at.month();
            return Some(match is_new_month || (days > 1 && is_month_end) {
                true if is_new_month && days > 1 => next.date().first_of_month().at(0, 0, 0, 0),
                true if days > 1 => next.date().last_of_month().tomorrow().ok()?.at(0, 0, 0, 0),
                _ => next,
            });
        }
    };
    next.ok()
}

fn label(at: DateTime, step: TimeStep) -> String {
    let form = match step {
        TimeStep::Minutes(_) | TimeStep::Hours(_) if at.hour() == 0 && at.minute() == 0 => "%a %-d",
        TimeStep::Minutes(_) | TimeStep::Hours(_) => "%H:%M",
        TimeStep::Days(1) => "%a %-d",
        TimeStep::Days(_) => "%-d %b",
        TimeStep::Months(12 | 24) => "%Y",
        TimeStep::Months(_) if at.month() == 1 => "%b %Y",
        TimeStep::Months(_) => "%b",
    };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_axis_has_round_ticks() {
        for (least, most, unit, labels) in [
            (40.0, 80.0, Some(Unit::Percent), &["0", "25", "50", "75", "100"][..]),
            (310.0, 1185.0, Some(Unit::UsGallon), &["0", "500", "1,000", "1,500"]),
            (51.3, 63.0, Some(Unit::Fahrenheit), &["50", "55", "60", "65"]),
            (-3.2, 4.1, Some(Unit::Celsius), &["−4", "−2", "0", "2", "4", "6"]),
            (29.91, 30.05, Some(Unit::InchOfMercury), &["29.90", "29.95", "30.00", "30.05"]),
            (12.8, 12.8, Some(Unit::Volt), &["12.0", "12.5", "13.0", "13.5"]),
            (0.0, 0.0, Some(Unit::Inch), &["0.000", "0.025", "0.050", "0.075", "0.100"]),
        ] {
            let axis = ValueAxis::covering(least, most, unit);
            let found: Vec<&str> = axis.ticks.iter().map(|tick| &*tick.label).collect();
            assert_eq!(found, labels, "{least} {most}");
            assert!(axis.low <= least && axis.high >= most);
        }
    }

    #[test]
    fn time_ticks_are_at_round_local_times() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let ticks = |to: &str, seconds: i64| {
            let to = to.parse::<Timestamp>().unwrap().as_second();
            let ticks = time_ticks(to - seconds, to, &zone);
            ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        let day = 24 * 3600;
        let now = "2026-01-31T17:20:00Z";
        assert_eq!(ticks(now, 6 * 3600), ["04:00", "05:00", "06:00", "07:00", "08:00", "09:00"]);
        assert_eq!(ticks(now, day), ["12:00", "16:00", "20:00", "Sat 31", "04:00", "08:00"]);
        assert_eq!(ticks(now, 3 * day), ["12:00", "Thu 29", "12:00", "Fri 30", "12:00", "Sat 31"]);
        assert_eq!(ticks(now, 7 * day).len(), 7);
        assert_eq!(ticks(now, 30 * day), ["6 Jan", "11 Jan", "16 Jan", "21 Jan", "26 Jan"]);
        assert_eq!(ticks(now, 365 * day), ["Mar", "May", "Jul", "Sep", "Nov", "Jan 2026"]);
    }

    #[test]
    fn time_ticks_follow_a_change_of_the_clocks() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        // Forward on 8 March 2026, back on 1 November 2026.
        for (to, hours) in [("2026-03-08T22:00:00Z", 3), ("2026-11-01T22:00:00Z", 5)] {
            let to = to.parse::<Timestamp>().unwrap().as_second();
            let ticks = time_ticks(to - 24 * 3600, to, &zone);
            let midnight = ticks.iter().position(|tick| tick.label.starts_with("Sun")).unwrap();
            assert_eq!(ticks[midnight + 1].label, "04:00");
            assert_eq!(ticks[midnight + 1].at - ticks[midnight].at, hours * 3600);
        }
    }
}
