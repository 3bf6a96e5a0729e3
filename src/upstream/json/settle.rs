//! Numbers and times that depend on earlier observations of the same source: `max_step`, `filter`, and local
//! times that clocks show twice.
//!
//! ```text
//! number ─► max_step ─► filter ─► reading
//!              │
//!              └ a larger step: null, until the next observation confirms it
//! ```
//! Only new observations count: the same response again neither confirms a step nor enters a median, and an
//! older one, which the board passes over by the same rules, stays as it was sent. A response without a time may
//! be the same one again if its number is identical, so that it confirms a step at the third time only. The
//! state is that of one poller. It begins again with the process and with a changed configuration, and has
//! at most 99 numbers for each value.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::value::significant;
use crate::board::{
    Datum, FieldName, Finite, Observed, Reading, Sighting, Stamp, Track, Value, Verdict,
};
use crate::config::{Json, JsonTime, JsonValue};
use crate::kernel::clock::CLOCK_TOLERANCE;
use crate::order;
use crate::units::OverTime;

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
    /// The observation that is held, and its number.
    held: Option<(Track, f64)>,
    /// Latest accepted numbers, in the order of their arrival.
    accepted: VecDeque<f64>,
    /// True if the last accepted number is that of the held observation.
    is_held_accepted: bool,
    /// Number beyond the largest step, which awaits its confirmation.
    pending: Option<Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    number: f64,
    /// Number of responses without a time that have sent exactly this number in a row.
    repeats: u32,
}

/// Number of identical responses without a time that confirm a step: fewer may be one response of a cache.
const CONFIRMING_REPEATS: u32 = 3;

/// Time of a response, and the age at which a reading is stale.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Received {
    pub(in crate::upstream) at: Timestamp,
    pub(in crate::upstream) stale_after: Duration,
}

impl Settling {
    /// Applies `max_step` and `filter` to the numbers of a new reading, and keeps an unchanged time.
    pub(in crate::upstream) fn settle(
        &mut self,
        keys: &Json,
        mut reading: Reading,
        received: Received,
    ) -> Reading {
        for (field, value) in &mut reading.values {
            let time = keys.values.iter().find(|value| value.name == *field);
            let time = time.and_then(|value| value.observed_at.as_ref());
            value.observed = value.observed.map(|observed| self.time(field, time, observed));
        }
        reading.observed = match &keys.observed_at {
            Some(time) => self.time(&FieldName::from(""), Some(time), reading.observed),
            None => {
                // One value whose clock is ahead must not keep the source at its time for ever.
                let is_past = |at: Timestamp| at.duration_since(received.at) <= CLOCK_TOLERANCE;
                let times = reading.values.iter().filter_map(|(_, value)| value.observed);
                let latest = times.max_by_key(|observed| (is_past(observed.at), observed.at));
                latest.unwrap_or(reading.observed)
            }
        };
        let settled = reading.values.into_iter().map(|(field, value)| {
            let keys = keys.values.iter().find(|value| value.name == field);
            let settled = match keys.filter(|keys| keys.filter.is_some() || keys.max_step.is_some())
            {
                Some(keys) => {
                    let observed = value.observed.unwrap_or(reading.observed);
                    let numbers = self.numbers.entry(FieldName::clone(&field)).or_default();
                    numbers.settle(keys, observed, received, value)
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
    fn settle(
        &mut self,
        keys: &JsonValue,
        observed: Observed,
        received: Received,
        value: Value,
    ) -> Value {
        let Some(Datum::Number(number)) = value.datum else { return value };
        let number = number.get();
        let is_again = match self.see(observed, received, number) {
            // The board passes it over, too: it is recorded only, and as it was sent.
            Verdict::Older(_) => return value,
            Verdict::Same => true,
            Verdict::Newer | Verdict::Reinstated => false,
        };
        let over_time = keys.over_time.unwrap_or_else(|| OverTime::of(&keys.name, value.unit));
        let scale = if over_time == OverTime::Circular { Scale::Circular } else { Scale::Linear };
        let has_time = observed.stamp != Stamp::Fetched;
        if let Some(step) = self.unconfirmed_step(keys, scale, number, is_again, has_time) {
            let unit = value.unit.map_or_else(String::new, |unit| format!(" {unit}"));
            let note = format!("a step of {}{unit} awaits confirmation", significant(step));
            self.is_held_accepted &= is_again;
            return Value { datum: None, ..value }.with_note(note);
        }
        self.accept(number, is_again, keys.filter.unwrap_or(1));
        Value { datum: Finite::new(self.median(scale)).map(Datum::Number), ..value }
    }

    /// Judges an observation by the rules of the board, and holds it unless it is passed over.
    fn see(&mut self, observed: Observed, received: Received, number: f64) -> Verdict {
        let Received { at, stale_after } = received;
        let Some((track, held)) = &mut self.held else {
            self.held = Some((Track::new(Sighting::new(observed, at)), number));
            return Verdict::Newer;
        };
        let is_stale = track.is_stale(at, stale_after);
        let verdict = track.see(observed, at, *held == number, is_stale);
        if !matches!(verdict, Verdict::Older(_)) {
            *held = number;
        }
        verdict
    }

    /// Returns the step to a number that is neither within `max_step` of the latest accepted one nor confirms
    /// the pending one, and makes it the pending one. `is_again` is true for the observation that was held
    /// already.
    fn unconfirmed_step(
        &mut self,
        keys: &JsonValue,
        scale: Scale,
        next: f64,
        is_again: bool,
        has_time: bool,
    ) -> Option<f64> {
        let (max_step, last) = (keys.max_step?, *self.accepted.back()?);
        let step = scale.difference(last, next);
        let confirms = self.pending.is_some_and(|pending| {
            let is_near = scale.difference(pending.number, next).abs() <= max_step;
            let is_new =
                has_time || next != pending.number || pending.repeats + 1 >= CONFIRMING_REPEATS;
            is_near && is_new && !is_again
        });
        if step.abs() <= max_step || confirms {
            return None;
        }
        let earlier = self.pending.filter(|pending| pending.number == next);
        let repeats = earlier.map_or(0, |pending| pending.repeats) + 1;
        self.pending = Some(Pending { number: next, repeats });
        Some(step)
    }

    /// Adds an accepted number, or corrects that of the held observation.
    fn accept(&mut self, next: f64, is_again: bool, count: usize) {
        self.pending = None;
        if let (true, true, Some(last)) =
            (is_again, self.is_held_accepted, self.accepted.back_mut())
        {
            *last = next;
            return;
        }
        self.is_held_accepted = true;
        self.accepted.push_back(next);
        if self.accepted.len() > count {
            self.accepted.pop_front();
        }
    }

    /// Returns the median of the accepted numbers. Of an even number of them, the oldest is left out.
    fn median(&self, scale: Scale) -> f64 {
        let left_out = 1 - self.accepted.len() % 2;
        let mut numbers: Vec<f64> = self.accepted.iter().skip(left_out).copied().collect();
        match scale {
            Scale::Linear => {
                order::sort_by(&mut numbers, f64::total_cmp);
                numbers[numbers.len() / 2]
            }
            // A circle has no order. The median is the number with the least sum of distances to all.
            Scale::Circular => {
                let distances = |from: &f64| -> f64 {
                    numbers.iter().map(|to| scale.difference(*from, *to).abs()).sum()
                };
                let least = numbers.iter().min_by(|a, b| distances(a).total_cmp(&distances(b)));
                *least.expect("a number has been accepted")
            }
        }
    }
}

/// Scale of the numbers of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Degrees, of which 360 are 0.
    Circular,
}

impl Scale {
    /// Returns the step from one number to another, on a circle the shorter way.
    fn difference(self, from: f64, to: f64) -> f64 {
        match self {
            Scale::Linear => to - from,
            Scale::Circular => (to - from + 540.0).rem_euclid(360.0) - 180.0,
        }
    }
}

#[cfg(test)]
mod tests;
