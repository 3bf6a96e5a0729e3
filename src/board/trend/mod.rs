//! What the latest observations amount to: how fast a tank drains, how long that can go on, when
//! it was filled last.
//!
//! Everything is told as of the source's latest observation, so it is exactly as old as that. Where
//! that has null for the field, so has all that follows from it; what was known before is kept for the
//! next observation. The times to full and empty and the refills need the size of the tank: as it is
//! configured, or from a `level` in per cent beside the content; without either they are not told.

mod refill;
mod window;

use std::time::Duration;

use jiff::Timestamp;

use self::refill::{Refill, Refills};
use self::window::Samples;
use super::reading::{Datum, FieldName, Value};
use crate::config::{Tank, TrendSettings};
use crate::timestamp::Rfc3339;
use crate::units::{Unit, round_to};

/// How far back observations have to be known.
fn reach(settings: &TrendSettings) -> Duration {
    settings.changes.iter().copied().fold(settings.rate_over, Duration::max)
}

/// A rate below that share of a full tank per hour is told as none.
const STEADY: f64 = 0.000_5;

/// Times to full or empty beyond this many hours mean nothing.
const LONGEST: f64 = 365.0 * 24.0;

/// Early observations at most: two months of quarters of an hour.
const MOST_EARLY: usize = 8_192;

/// A trend with the observations that it rests on.
#[derive(Debug)]
pub(super) struct Trend {
    settings: TrendSettings,
    /// The field and unit that the samples are of.
    of: Option<(FieldName, Option<Unit>)>,
    samples: Samples,
    refills: Option<Refills>,
    full: Option<f64>,
    /// Observations that were not looked at for refills yet: the size of the tank is not known.
    early: Vec<(i64, f64)>,
}

impl Trend {
    pub(super) fn new(settings: TrendSettings) -> Trend {
        let samples = Samples::new(reach(&settings));
        Trend { full: None, settings, of: None, samples, refills: None, early: Vec::new() }
    }

    /// What it works out.
    pub(super) fn settings(&self) -> &TrendSettings {
        &self.settings
    }

    /// Takes in what a source tells now, and tells what that amounts to.
    pub(super) fn derive(
        &mut self,
        at: Timestamp,
        values: &[(FieldName, Value)],
    ) -> Vec<(FieldName, Value)> {
        let Some((field, value)) = self.chosen(values) else { return Vec::new() };
        let Some(now) = number(value) else {
            let unit = self.of.as_ref().filter(|(of, _)| of == field).and_then(|(_, unit)| *unit);
            return self.told(field, unit.or(value.unit), None);
        };
        let of = Some((field.clone(), value.unit));
        if self.of != of {
            self.begin(field.clone(), value.unit);
        }
        self.learn_size(values, value.unit, now);
        self.take(at.as_second(), now);
        self.told(field, value.unit, Some(now))
    }

    /// Takes in an observation from the past; they come in order.
    pub(super) fn backfill(&mut self, field: &str, unit: Option<Unit>, at: i64, number: f64) {
        let field: FieldName = match self.settings.fields.iter().find(|it| ***it == *field) {
            Some(field) => field.clone(),
            None => return,
        };
        if self.of.is_none() {
            self.begin(field.clone(), unit);
        }
        if self.of == Some((field, unit)) {
            self.take(at, number);
        }
    }

    /// Forgets what it knows, to be told of the past.
    pub(super) fn clear(&mut self) {
        self.of = None;
    }

    fn begin(&mut self, field: FieldName, unit: Option<Unit>) {
        self.of = Some((field, unit));
        self.samples = Samples::new(reach(&self.settings));
        self.refills = None;
        self.early.clear();
        let configured = self.settings.tank.and_then(|tank| tank.full);
        self.full = configured.or((unit == Some(Unit::Percent)).then_some(100.0));
    }

    fn take(&mut self, at: i64, number: f64) {
        if self.samples.forget_after(at) {
            self.refills = self.refills.take().and_then(|refills| refills.before(at));
            self.early.retain(|&(early, _)| early < at);
        }
        let is_new = self.samples.push(at, number);
        let Some(tank) = self.settings.tank else { return };
        if is_new && self.early.len() < MOST_EARLY {
            self.early.push((at, number));
        }
        let Some(full) = self.full else { return };
        let refills = self.refills.get_or_insert_with(|| Refills::new(full * tank.refill / 100.0));
        for (at, number) in self.early.drain(..) {
            refills.push(at, number);
        }
    }

    /// The first field that has a number. One that had numbers and is still there stays, though
    /// it has none for once, unless one that goes before it has come.
    fn chosen<'v>(&self, values: &'v [(FieldName, Value)]) -> Option<(&'v FieldName, &'v Value)> {
        let found = self.settings.fields.iter().filter_map(|wanted| {
            values.iter().find(|(name, _)| name == wanted).map(|(name, value)| (name, value))
        });
        let found: Vec<(&FieldName, &Value)> = found.collect();
        let of = self.of.as_ref().map(|(of, _)| of);
        let held = found.iter().position(|(name, _)| Some(*name) == of);
        let candidates = held.map_or(&found[..], |held| &found[..=held]);
        let with_number = candidates.iter().find(|(_, value)| number(value).is_some());
        with_number.or(held.map_or(found.first(), |held| found.get(held))).copied()
    }

    /// The size of a tank, from its content in per cent.
    fn learn_size(&mut self, values: &[(FieldName, Value)], unit: Option<Unit>, content: f64) {
        let Some(Tank { full: None, .. }) = self.settings.tank else { return };
        if unit == Some(Unit::Percent) {
            return;
        }
        let level = values.iter().find(|(name, _)| **name == *"level");
        let percent = level.filter(|(_, value)| value.unit == Some(Unit::Percent));
        // Of a nearly empty tank the quotient is mostly error.
        if let Some(percent) = percent.and_then(|(_, it)| number(it)).filter(|&it| it >= 5.0) {
            self.full = Some(content * 100.0 / percent);
        }
    }

    /// What it amounts to with that number now, or without one.
    fn told(&self, field: &str, unit: Option<Unit>, now: Option<f64>) -> Vec<(FieldName, Value)> {
        let mut told = Vec::new();
        let none = |unit: Unit| match now {
            Some(_) => Value::missing(Some(unit), "too few observations yet"),
            None => Value::missing(Some(unit), format!("there is no {field} now")),
        };
        let rate = now.and_then(|_| self.samples.rate(self.settings.rate_over.as_secs_f64()));
        if let (Some(unit), Some(per_hour)) = (unit, unit.and_then(Unit::per_hour)) {
            let value = now
                .zip(rate)
                .map(|(now, rate)| Value::number(rounded(rate, unit, now, 1), per_hour));
            told.push((format!("{field}_rate").into(), value.unwrap_or_else(|| none(per_hour))));
        }
        for &over in &self.settings.changes {
            let name = format!("{field}_change_{}", short(over));
            let change = now.and_then(|now| Some((now, self.samples.change(over)?)));
            let value = match (change, unit) {
                (Some((now, change)), Some(unit)) => {
                    Value::number(rounded(change, unit, now, 0), unit)
                }
                (None, Some(unit)) => none(unit),
                (_, None) => continue,
            };
            told.push((name.into(), value));
        }
        if let (Some(_), Some(full)) = (self.settings.tank, self.full) {
            let (to_empty, to_full) = match now.zip(rate) {
                Some((now, rate)) => (
                    hours(full, now, -rate, "it is not falling"),
                    hours(full, full - now, rate, "it is not rising"),
                ),
                None => (none(Unit::Hour), none(Unit::Hour)),
            };
            told.push(("time_to_empty".into(), to_empty));
            told.push(("time_to_full".into(), to_full));
            self.last_refill(&mut told, unit);
        }
        told
    }

    fn last_refill(&self, told: &mut Vec<(FieldName, Value)>, unit: Option<Unit>) {
        let last = self.refills.as_ref().and_then(Refills::last);
        let none = || Value::missing(None, "none was seen yet");
        let (when, amount) = match (last, unit) {
            (Some(Refill { at, amount }), Some(unit)) => {
                let when = Timestamp::from_second(at)
                    .map_or_else(|_| none(), |at| Value::text(Rfc3339(at).to_string()));
                (when, Value::number(unit.rounded(amount), unit))
            }
            _ => (none(), Value { unit, ..none() }),
        };
        told.push(("last_refill".into(), when));
        told.push(("last_refill_amount".into(), amount));
    }
}

fn number(value: &Value) -> Option<f64> {
    match value.datum {
        Some(Datum::Number(number)) => Some(number.get()),
        _ => None,
    }
}

/// How long a distance takes at that rate; `otherwise` says why it is never over.
fn hours(full: f64, distance: f64, rate: f64, otherwise: &str) -> Value {
    if rate < full * STEADY {
        return Value::missing(Some(Unit::Hour), otherwise);
    }
    match distance.max(0.0) / rate {
        hours if hours > LONGEST => {
            Value::missing(Some(Unit::Hour), "more than a year at this rate")
        }
        hours => Value::number(round_to(hours, 1), Unit::Hour),
    }
}

/// A difference or a rate, with the decimals of the numbers that it comes from: to the whole gallon
/// for a cistern, to the hundredth for a bucket.
fn rounded(number: f64, unit: Unit, now: f64, least: i32) -> f64 {
    let size = now.abs().max(number.abs());
    round_to(number, unit.decimals_of(size).max(least))
}

/// A time as it stands in a name: `30m`, `1h`, `24h`, `7d`.
pub(crate) fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests;
