//! What the latest observations amount to: how fast a tank drains, how long that can go on, when
//! it was filled last.
//!
//! Everything is told as of the source's latest observation, so it is exactly as old as that.

mod refill;
mod window;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::refill::{Refill, Refills};
use self::window::Samples;
use super::reading::{Datum, FieldName, Value};
use crate::config::{Tank, TrendSettings};
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
    /// Observations of a tank from before its size was known.
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
        let Some((field, unit, number)) = self.chosen(values) else { return Vec::new() };
        if self.of != Some((field.clone(), unit)) {
            self.begin(field.clone(), unit);
        }
        self.learn_size(values, unit, number);
        self.take(at.as_second(), number);
        self.told(&field, unit, number)
    }

    /// Takes in an observation from the past; they come in order.
    pub(super) fn remember(&mut self, field: &str, unit: Option<Unit>, at: i64, number: f64) {
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
        if !self.samples.push(at, number) {
            return;
        }
        let Some(tank) = self.settings.tank else { return };
        match self.full {
            None if self.early.len() < MOST_EARLY => self.early.push((at, number)),
            None => {}
            Some(full) => {
                let rise = full * tank.refill / 100.0;
                let refills = self.refills.get_or_insert_with(|| Refills::new(rise));
                for (at, number) in self.early.drain(..).chain([(at, number)]) {
                    refills.push(at, number);
                }
            }
        }
    }

    fn chosen(&self, values: &[(FieldName, Value)]) -> Option<(FieldName, Option<Unit>, f64)> {
        self.settings.fields.iter().find_map(|wanted| {
            let (name, value) = values.iter().find(|(name, _)| name == wanted)?;
            Some((name.clone(), value.unit, number(value)?))
        })
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

    fn told(&self, field: &str, unit: Option<Unit>, now: f64) -> Vec<(FieldName, Value)> {
        let mut told = Vec::new();
        let rate = self.samples.rate(self.settings.rate_over.as_secs_f64());
        if let Some(per_hour) = unit.and_then(Unit::per_hour) {
            let value = rate.map(|rate| Value::number(round_to(rate, 1), per_hour));
            told.push((format!("{field}_rate").into(), value.unwrap_or_else(|| too_few(per_hour))));
        }
        for &over in &self.settings.changes {
            let name = format!("{field}_change_{}", short(over));
            let change = self.samples.change(over);
            let value = match (change, unit) {
                (Some(change), Some(unit)) => Value::number(round_to(change, decimals(unit)), unit),
                (None, Some(unit)) => too_few(unit),
                (_, None) => continue,
            };
            told.push((name.into(), value));
        }
        if self.settings.tank.is_some() {
            self.tank(&mut told, unit, now, rate);
        }
        told
    }

    fn tank(
        &self,
        told: &mut Vec<(FieldName, Value)>,
        unit: Option<Unit>,
        now: f64,
        rate: Option<f64>,
    ) {
        let Some(full) = self.full else { return };
        let hours = |distance: f64, towards: f64, otherwise: &str| match rate {
            None => too_few(Unit::Hour),
            Some(_) if towards < full * STEADY => Value::missing(Some(Unit::Hour), otherwise),
            Some(_) => match distance.max(0.0) / towards {
                hours if hours > LONGEST => {
                    Value::missing(Some(Unit::Hour), "more than a year at this rate")
                }
                hours => Value::number(round_to(hours, 1), Unit::Hour),
            },
        };
        let rate = rate.unwrap_or(0.0);
        told.push(("time_to_empty".into(), hours(now, -rate, "it is not falling")));
        told.push(("time_to_full".into(), hours(full - now, rate, "it is not rising")));
        let last = self.refills.as_ref().and_then(Refills::last);
        let none = || Value::missing(None, "none was seen yet");
        let (when, amount) = match (last, unit) {
            (Some(Refill { at, amount }), Some(unit)) => {
                let when = Timestamp::from_second(at).map_or_else(
                    |_| none(),
                    |at| Value::text(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
                );
                (when, Value::number(round_to(amount, decimals(unit)), unit))
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

fn too_few(unit: Unit) -> Value {
    const NOTE: &str = "too few observations yet";
    Value::missing(Some(unit), Arc::<str>::from(NOTE))
}

/// Decimals of a difference.
fn decimals(unit: Unit) -> i32 {
    match unit {
        Unit::UsGallon | Unit::Litre => 0,
        Unit::Inch | Unit::InchOfMercury => 2,
        _ => 1,
    }
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
