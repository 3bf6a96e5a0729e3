//! Numbers and times that depend on earlier observations of the same source: `max_step`, `filter`, and local
//! times that clocks show twice.
//!
//! ```text
//! number ─► max_step ─► filter ─► reading
//!              │
//!              └ a larger step: null, until the next observation confirms it
//! ```
//! Only new observations count: the same response again neither confirms a step nor enters a median. The
//! state is that of one poller. It begins again with the process and with a changed configuration, and has
//! at most 99 numbers for each value.

use std::collections::{BTreeMap, VecDeque};

use jiff::tz::TimeZone;

use crate::board::{Datum, FieldName, Finite, Observed, Reading, Stamp, Value};
use crate::config::{Json, JsonTime, JsonValue};

/// State of a source between polls.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Settling {
    numbers: BTreeMap<FieldName, Numbers>,
    /// Latest time of each value with a time of its own, and that of the source under the empty name.
    times: BTreeMap<FieldName, Observed>,
}

/// Accepted and pending numbers of one value.
#[derive(Debug, Default)]
struct Numbers {
    /// Latest accepted numbers, in the order of their arrival.
    accepted: VecDeque<Observation>,
    /// Number beyond the largest step, which awaits its confirmation.
    pending: Option<Observation>,
}

#[derive(Debug, Clone, Copy)]
struct Observation {
    observed: Observed,
    number: f64,
}

impl Settling {
    /// Applies `max_step` and `filter` to the numbers of a new reading, and keeps an unchanged time.
    pub(in crate::upstream) fn settle(&mut self, keys: &Json, mut reading: Reading) -> Reading {
        for (field, value) in &mut reading.values {
            let time = keys.values.iter().find(|value| value.name == *field);
            let time = time.and_then(|value| value.observed_at.as_ref());
            value.observed = value.observed.map(|observed| self.time(field, time, observed));
        }
        reading.observed = match &keys.observed_at {
            Some(time) => self.time(&FieldName::from(""), Some(time), reading.observed),
            None => {
                let times = reading.values.iter().filter_map(|(_, value)| value.observed);
                times.max_by_key(|observed| observed.at).unwrap_or(reading.observed)
            }
        };
        let settled = reading.values.into_iter().map(|(field, value)| {
            let keys = keys.values.iter().find(|value| value.name == field);
            let settled = match keys.filter(|keys| keys.filter.is_some() || keys.max_step.is_some())
            {
                Some(keys) => {
                    let observed = value.observed.unwrap_or(reading.observed);
                    let numbers = self.numbers.entry(FieldName::clone(&field)).or_default();
                    numbers.settle(keys, observed, value)
                }
                None => value,
            };
            (field, settled)
        });
        Reading { observed: reading.observed, values: settled.collect() }
    }

    /// Returns the earlier time of a sensor that states the same local time again: an observation that does
    /// not change stays as old as it is when its local time recurs.
    fn time(&mut self, field: &FieldName, keys: Option<&JsonTime>, observed: Observed) -> Observed {
        let Some(zone) = keys.and_then(|keys| keys.timezone.as_ref()) else { return observed };
        let observed = match self.times.get(field) {
            Some(earlier) if is_same_local_time(zone, *earlier, observed) => *earlier,
            _ => observed,
        };
        self.times.insert(FieldName::clone(field), observed);
        observed
    }
}

/// Returns true for two ambiguous times that the clocks of a zone show alike.
fn is_same_local_time(zone: &TimeZone, one: Observed, other: Observed) -> bool {
    one.inferred && other.inferred && zone.to_datetime(one.at) == zone.to_datetime(other.at)
}

impl Numbers {
    fn settle(&mut self, keys: &JsonValue, observed: Observed, value: Value) -> Value {
        let Some(Datum::Number(number)) = value.datum else { return value };
        let observation = Observation { observed, number: number.get() };
        if let Some(step) = self.unconfirmed_step(keys, observation) {
            let unit = value.unit.map_or_else(String::new, |unit| format!(" {unit}"));
            // Nine digits hide the binary rounding of the difference.
            let step: f64 = format!("{step:.8e}").parse().unwrap_or(step);
            let note = format!("a step of {step}{unit} awaits confirmation");
            return Value { datum: None, ..value }.with_note(note);
        }
        self.accept(observation, keys.filter.unwrap_or(1));
        Value { datum: Finite::new(self.median()).map(Datum::Number), ..value }
    }

    /// Returns the step to a number that is neither within `max_step` of the latest accepted one nor confirms
    /// the pending one, and makes it the pending one.
    fn unconfirmed_step(&mut self, keys: &JsonValue, next: Observation) -> Option<f64> {
        let (max_step, last) = (keys.max_step?, self.accepted.back()?);
        let is_within = |from: f64| (next.number - from).abs() <= max_step;
        let is_again = self.pending.is_some_and(|pending| pending.is_same(next));
        let confirms = self.pending.is_some_and(|pending| is_within(pending.number)) && !is_again;
        if is_within(last.number) || confirms {
            return None;
        }
        self.pending = Some(next);
        Some(next.number - last.number)
    }

    /// Adds an accepted number, or corrects that of the same observation.
    fn accept(&mut self, next: Observation, count: usize) {
        if let Some(known) = self.accepted.iter_mut().find(|known| known.is_same(next)) {
            known.number = next.number;
            return;
        }
        self.pending = None;
        self.accepted.push_back(next);
        if self.accepted.len() > count {
            self.accepted.pop_front();
        }
    }

    /// Returns the median of the accepted numbers. Of an even number of them, the oldest is left out.
    fn median(&self) -> f64 {
        let left_out = 1 - self.accepted.len() % 2;
        let numbers = self.accepted.iter().skip(left_out).map(|known| known.number);
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    }
}

impl Observation {
    /// Returns true if both are one observation, perhaps with a corrected number.
    fn is_same(self, other: Observation) -> bool {
        match (self.observed.stamp, other.observed.stamp) {
            (Stamp::Absolute(one), Stamp::Absolute(other)) => one == other,
            (Stamp::Age { resolution }, Stamp::Age { .. }) => {
                let apart = self.observed.at.duration_since(other.observed.at);
                apart.unsigned_abs() < resolution && self.number == other.number
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
