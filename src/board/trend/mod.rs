//! Trends: the rate of change of a field, changes over spans of time, and of a tank the time to full
//! or empty and the last refill.
//!
//! The values of a trend are derived from the latest observations. They are values of the source as of its
//! latest observation, and have the same age. They are not recorded, since they can be derived from the
//! recorded field.
//!
//! The rate is the slope of a least-squares line over two hours by default, so one outlier hardly moves
//! it. If the field is null, the derived values are null too, and the earlier observations are kept. If an
//! observation is much earlier than the latest one, the latest was dated ahead of its time and is dropped.
//! Otherwise one observation by a wrong clock would block all following ones.
//!
//! The times to full and empty and the refills need the tank's capacity: configured, or computed from a
//! `level` in per cent beside the content. Without either they are left out. A source has one tank.

mod pending;
mod points;
mod recorded;
mod refills;
mod samples;

use jiff::Timestamp;

pub use self::recorded::RecordedTrend;

use self::pending::Pending;
use self::refills::{Refill, Refills};
use self::samples::{Added, Observation, Samples};
use super::event::Sample;
use super::over_times::OverTimes;
use super::reading::{Datum, FieldName, Value};
use crate::config::{Tank, TrendSettings, span_suffix};
use crate::timestamp::Rfc3339;
use crate::units::{OverTime, Unit, round_to};

/// Returns no observations yet, for the spans of a trend.
fn no_samples(over_time: OverTime, settings: &TrendSettings) -> Samples {
    let longest = settings.changes.iter().copied().max().unwrap_or_default();
    Samples::new(over_time, settings.rate_over, longest)
}

/// Slowest rate, as a share of the capacity per hour, for which times to full and empty are computed.
const MIN_RATE: f64 = 0.000_5;

/// Longest time to full or empty that is reported, in hours.
const MAX_HOURS: f64 = 365.0 * 24.0;

/// Note on a rate or a change of too few observations.
const TOO_FEW: &str = "too few observations yet";

/// Note on the derived values while observations are dated much earlier than recorded ones.
const CLOCK_BEHIND: &str = "the clock of this machine is behind the recorded observations";

/// A trend, with the observations from which it is derived.
#[derive(Debug)]
pub(super) struct Trend {
    settings: TrendSettings,
    /// Configured ways over time of fields.
    over_times: OverTimes,
    /// Field and unit of the samples; `None` before the first.
    series: Option<(FieldName, Option<Unit>)>,
    samples: Samples,
    refills: Option<Refills>,
    /// The refills before the latest observation, which may be corrected.
    earlier_refills: Option<Refills>,
    /// Content of a full tank, if it is known.
    capacity: Option<f64>,
    /// Observations that have not been searched for refills, as the capacity is not known yet.
    pending: Pending,
}

impl Trend {
    pub(super) fn new(settings: TrendSettings, over_times: OverTimes) -> Trend {
        Trend {
            over_times,
            series: None,
            samples: no_samples(OverTime::Mean, &settings),
            refills: None,
            earlier_refills: None,
            capacity: None,
            pending: Pending::default(),
            settings,
        }
    }

    /// Returns true if another trend has the same settings.
    pub(super) fn has_settings_of(&self, other: &Trend) -> bool {
        self.settings == other.settings && self.over_times == other.over_times
    }

    /// Adds an observation of the source and returns the derived values. `dated` returns the time of a field's
    /// value in seconds, and true if the clock of this machine gave it.
    pub(super) fn derive(
        &mut self,
        values: &[(FieldName, Value)],
        dated: impl Fn(&str) -> (i64, bool),
    ) -> Vec<(FieldName, Value)> {
        let Some((field, value)) = self.select_field(values) else { return Vec::new() };
        let mut derived = self.derive_from(field, value, values, dated(field));
        // What is derived from a value has its time.
        derived.iter_mut().for_each(|(_, of_field)| of_field.observed = value.observed);
        derived
    }

    /// Adds an observation of a field, dated as [`Trend::derive`] describes, and returns the derived values.
    fn derive_from(
        &mut self,
        field: &FieldName,
        value: &Value,
        values: &[(FieldName, Value)],
        (at, is_by_machine): (i64, bool),
    ) -> Vec<(FieldName, Value)> {
        let Some(now) = number(value) else {
            let series = self.series.as_ref().filter(|(known, _)| known == field);
            let unit = series.and_then(|(_, unit)| *unit);
            return self.values(field, unit.or(value.unit), Err(&format!("no current {field}")));
        };
        self.follow(field, value.unit);
        self.update_capacity(values, value.unit, now);
        if self.samples.is_ahead_of(at) && !is_by_machine {
            // The latest observation was dated ahead of its time. It must not block the following ones.
            self.forget_from(at);
        }
        let observation = Observation { at, number: now, period: value.period, is_by_machine };
        match self.add(observation) {
            Added::ClockBehind => self.values(field, value.unit, Err(CLOCK_BEHIND)),
            Added::Latest | Added::Corrected | Added::Known | Added::Late => {
                self.values(field, value.unit, Ok(now))
            }
        }
    }

    /// Adds a recorded observation. The calls must be in order of time.
    pub(super) fn backfill(&mut self, sample: &Sample) {
        let is_other = self.series.as_ref().is_some_and(|(field, _)| *field != sample.field);
        if is_other || !self.settings.fields.contains(&sample.field) {
            return;
        }
        self.follow(&sample.field, sample.unit);
        self.add(Observation {
            at: sample.at.as_second(),
            number: sample.value.get(),
            period: sample.period,
            is_by_machine: false,
        });
    }

    /// Drops all observations before a backfill.
    pub(super) fn clear(&mut self) {
        self.series = None;
    }

    /// Drops the observations later than `at`, which are no longer believed.
    pub(super) fn forget_after(&mut self, at: i64) {
        self.forget_from(at.saturating_add(1));
    }

    fn forget_from(&mut self, at: i64) {
        self.samples.drop_from(at);
        self.refills = self.refills.take().and_then(|refills| refills.before(at));
        self.earlier_refills = None;
        self.pending.drop_from(at);
    }

    /// Moves the observations that this machine dated, after its clock was set by `step` seconds.
    pub(super) fn redate(&mut self, step: i64) {
        let Some(first) = self.samples.redate(step) else { return };
        let refills = [&mut self.refills, &mut self.earlier_refills].into_iter().flatten();
        refills.for_each(|refills| refills.redate(first, step));
        self.pending.redate(first, step);
    }

    /// Follows a field. If it is another one than before, or has another unit, all observations are dropped.
    fn follow(&mut self, field: &FieldName, unit: Option<Unit>) {
        let series = Some((field.clone(), unit));
        if self.series == series {
            return;
        }
        self.series = series;
        let over_time = self.over_times.of(field, unit);
        self.samples = no_samples(over_time, &self.settings);
        self.refills = None;
        self.earlier_refills = None;
        self.pending = Pending::default();
        let configured = self.settings.tank.and_then(|tank| tank.full);
        self.capacity = configured.or((unit == Some(Unit::Percent)).then_some(100.0));
    }

    /// Adds an observation, and searches it for a refill as soon as the capacity is known.
    fn add(&mut self, observation: Observation) -> Added {
        let added = self.samples.push(observation);
        let Some(tank) = self.settings.tank else { return added };
        match added {
            Added::Latest => {}
            Added::Corrected => {
                self.pending.drop_from(observation.at);
                self.refills = self.earlier_refills.clone();
            }
            Added::Known | Added::Late | Added::ClockBehind => {
                self.search_pending(tank);
                return added;
            }
        }
        self.search_pending(tank);
        self.earlier_refills.clone_from(&self.refills);
        self.pending.push(observation.at, observation.number);
        self.search_pending(tank);
        added
    }

    /// Searches the pending observations for refills, if the capacity is known.
    fn search_pending(&mut self, tank: Tank) {
        let Some(capacity) = self.capacity else { return };
        let refills =
            self.refills.get_or_insert_with(|| Refills::new(capacity * tank.refill / 100.0));
        for (at, number) in self.pending.take() {
            refills.push(at, number);
        }
    }

    /// Returns the field to follow: the first configured one that has a number. The field followed so far stays
    /// selected while it is null, unless a field that precedes it has a number.
    fn select_field<'v>(
        &self,
        values: &'v [(FieldName, Value)],
    ) -> Option<(&'v FieldName, &'v Value)> {
        let found = self.settings.fields.iter().filter_map(|wanted| {
            values.iter().find(|(name, _)| name == wanted).map(|(name, value)| (name, value))
        });
        let found: Vec<(&FieldName, &Value)> = found.collect();
        let followed = self.series.as_ref().map(|(field, _)| field);
        let current = found.iter().position(|(name, _)| Some(*name) == followed);
        let candidates = current.map_or(&found[..], |current| &found[..=current]);
        let with_number = candidates.iter().find(|(_, value)| number(value).is_some());
        with_number.or(current.map_or(found.first(), |current| found.get(current))).copied()
    }

    /// Computes the capacity of a tank without a configured one from its level in per cent.
    fn update_capacity(&mut self, values: &[(FieldName, Value)], unit: Option<Unit>, content: f64) {
        let Some(Tank { full: None, .. }) = self.settings.tank else { return };
        if unit == Some(Unit::Percent) {
            return;
        }
        let level = values.iter().find(|(name, _)| **name == *"level");
        let percent = level.filter(|(_, value)| value.unit == Some(Unit::Percent));
        // In a nearly empty tank the sensor's error dominates the quotient.
        if let Some(percent) =
            percent.and_then(|(_, value)| number(value)).filter(|&percent| percent >= 5.0)
        {
            self.capacity = Some(content * 100.0 / percent);
        }
    }

    /// Returns the derived values; `now` is the field's number, or the reason why there is none.
    fn values(
        &self,
        field: &str,
        unit: Option<Unit>,
        now: Result<f64, &str>,
    ) -> Vec<(FieldName, Value)> {
        let mut values = Vec::new();
        let none = |unit: Unit| Value::missing(Some(unit), *now.as_ref().err().unwrap_or(&TOO_FEW));
        let over_time = self.samples.over_time();
        // The size of a counter says nothing of its increase.
        let size = match over_time {
            OverTime::Increase | OverTime::Sum => 0.0,
            _ => now.unwrap_or(0.0),
        };
        let rate = now.ok().and_then(|_| self.samples.rate(self.settings.rate_over));
        if let (Some(unit), Some(per_hour)) = (unit, unit.and_then(Unit::per_hour))
            && over_time != OverTime::Circular
        {
            let value = rate.map(|rate| Value::number(rounded(rate, unit, size, 1), per_hour));
            values.push((format!("{field}_rate").into(), value.unwrap_or_else(|| none(per_hour))));
        }
        for &over in &self.settings.changes {
            let Some(unit) = unit else { continue };
            let name = format!("{field}_change_{}", span_suffix(over));
            let change = now.ok().and_then(|_| self.samples.change(over));
            let value = change.map(|change| Value::number(rounded(change, unit, size, 0), unit));
            values.push((name.into(), value.unwrap_or_else(|| none(unit))));
        }
        if let (Some(_), Some(capacity)) = (self.settings.tank, self.capacity) {
            let (to_empty, to_full) = match now.ok().zip(rate) {
                Some((now, rate)) => (
                    hours(capacity, now, -rate, "it is not falling"),
                    hours(capacity, capacity - now, rate, "it is not rising"),
                ),
                None => (none(Unit::Hour), none(Unit::Hour)),
            };
            values.push(("time_to_empty".into(), to_empty));
            values.push(("time_to_full".into(), to_full));
            self.add_last_refill(&mut values, unit);
        }
        values
    }

    /// Adds the times and the amount of the last refill.
    fn add_last_refill(&self, values: &mut Vec<(FieldName, Value)>, unit: Option<Unit>) {
        let last = self.refills.as_ref().and_then(Refills::last);
        let none = || Value::missing(None, "no refill detected yet");
        let time = |at: i64| {
            Timestamp::from_second(at)
                .map_or_else(|_| none(), |at| Value::text(Rfc3339(at).to_string()))
        };
        let (began, ended, amount) = match (last, unit) {
            (Some(Refill { began, at, amount }), Some(unit)) => {
                (time(began), time(at), Value::number(unit.rounded(amount), unit))
            }
            _ => (none(), none(), Value { unit, ..none() }),
        };
        values.push(("last_refill".into(), ended));
        values.push(("last_refill_began".into(), began));
        values.push(("last_refill_amount".into(), amount));
    }
}

/// Returns the number of a value.
fn number(value: &Value) -> Option<f64> {
    match value.datum {
        Some(Datum::Number(number)) => Some(number.get()),
        _ => None,
    }
}

/// Returns the hours that `distance` takes at `rate`. If the rate is too slow, returns a missing value with
/// the note `too_slow`.
fn hours(capacity: f64, distance: f64, rate: f64, too_slow: &str) -> Value {
    if rate < capacity * MIN_RATE {
        return Value::missing(Some(Unit::Hour), too_slow);
    }
    match distance.max(0.0) / rate {
        hours if hours > MAX_HOURS => {
            Value::missing(Some(Unit::Hour), "more than a year at this rate")
        }
        hours => Value::number(round_to(hours, 1), Unit::Hour),
    }
}

/// Rounds a change or a rate to the decimals of its field at the present size: whole gallons for a cistern,
/// hundredths for a bucket.
fn rounded(number: f64, unit: Unit, now: f64, min_decimals: i32) -> f64 {
    let size = now.abs().max(number.abs());
    round_to(number, unit.decimals_of(size).max(min_decimals))
}

#[cfg(test)]
mod tests;
