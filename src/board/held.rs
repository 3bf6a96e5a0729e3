//! The reading that a source holds: its values as the upstream stated them, and the times at which each was
//! seen first.
//!
//! A value with a time of its own is identified and ordered by that time; the other values have the time of
//! the reading. What is shown is derived from this: [`Held::values`] adds the times and the notes on them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::event::{DatedBy, Sample};
use super::identity::{Sighting, moved, whole_seconds};
use super::order::{Track, Verdict};
use super::over_times::OverTimes;
use super::reading::{Datum, FieldName, Observed, Reading, Stamp, Value};
use super::snapshot::LastReading;
use crate::units::Unit;

/// Note on the values of a reading that is later than the present.
const UNKNOWN_AGE: &str =
    "saved when the clock of this machine was later than now, so its age is unknown";

/// A reading as the upstream stated it, with the first sights by which it is dated. It is saved over a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// First sight of the reading's time.
    pub sighting: Sighting,
    /// Values without notes on their times; those with a time of their own have it as the upstream states it.
    pub values: Vec<(FieldName, Value)>,
    /// First sights of the values with a time of their own.
    pub own: Vec<(FieldName, Sighting)>,
}

mod followed;

/// The last reading of a source.
#[derive(Debug)]
pub(super) struct Held {
    track: Track,
    values: Vec<(FieldName, Value)>,
    /// Values with times of their own, including those that the latest response lacks.
    own: Vec<OwnTimed>,
    fetched_at: Timestamp,
    /// True if this process fetched it, by the clock as it is set now.
    is_fetched: bool,
}

/// A value with a time of its own.
#[derive(Debug)]
struct OwnTimed {
    field: FieldName,
    track: Track,
    value: Value,
}

/// Result of a response.
#[derive(Debug)]
pub(super) struct Outcome {
    /// True if the response is held; false if it is older than the reading that is held.
    pub(super) is_held: bool,
    /// True if earlier times than those held before are believed again.
    pub(super) is_reinstated: bool,
    /// True if a value that is held has changed.
    pub(super) is_changed: bool,
    /// Values that were passed over.
    pub(super) older: Vec<(FieldName, Value, Sighting)>,
}

/// Time of a value, and the clock that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) at: Timestamp,
    pub(super) by: DatedBy,
    /// Stamp of the upstream that was later than the clock.
    stated: Option<Timestamp>,
}

impl From<&Sighting> for Dated {
    fn from(sighting: &Sighting) -> Dated {
        // A step of the clock does not move the times of an earlier process, which read another setting.
        let is_by_machine = sighting.is_own && sighting.is_by_machine();
        let by = if is_by_machine { DatedBy::Machine } else { DatedBy::Sensor };
        let stated = match sighting.observed.stamp {
            Stamp::Absolute(stamp) if is_by_machine => Some(whole_seconds(stamp)),
            _ => None,
        };
        Dated { at: sighting.observed.at, by, stated }
    }
}

impl OwnTimed {
    /// Returns true if the value is equal, apart from its note.
    fn has_data_of(&self, value: &Value) -> bool {
        self.value.datum == value.datum && self.value.unit == value.unit
    }
}

impl Received {
    /// Returns the stamps that were in the future when they were seen first, with their fields; that of the
    /// reading has none. Their ages are known from here only.
    pub fn stamps_ahead(&self) -> impl Iterator<Item = (Option<&FieldName>, Timestamp)> {
        let own = self.own.iter().map(|(field, sighting)| (Some(field), sighting));
        own.chain([(None, &self.sighting)]).filter_map(|(field, sighting)| {
            sighting.ahead()?;
            Some((field, sighting.order()))
        })
    }
}

impl Held {
    /// Returns the first reading of a source.
    pub(super) fn new(reading: Reading, fetched_at: Timestamp) -> Held {
        let mut held = Held {
            track: Track::new(Sighting::new(reading.observed, fetched_at)),
            values: Vec::new(),
            own: Vec::new(),
            fetched_at,
            is_fetched: true,
        };
        held.replace_values(reading.values, fetched_at, Duration::MAX);
        held
    }

    /// Returns a reading that an earlier process fetched.
    pub(super) fn restored(received: Received, fetched_at: Timestamp, now: Timestamp) -> Held {
        let Received { sighting, values, own } = received;
        let own_timed = |(field, sighting): (FieldName, Sighting)| {
            let value = values.iter().find(|(name, _)| *name == field);
            let value = value.map(|(_, value)| value.clone());
            let value = value.unwrap_or_else(|| Value::missing(None, "missing from the response"));
            OwnTimed { field, track: Track::new(sighting.of_earlier_process(now)), value }
        };
        Held {
            track: Track::new(sighting.of_earlier_process(now)),
            own: own.into_iter().map(own_timed).collect(),
            values,
            fetched_at,
            is_fetched: false,
        }
    }

    /// Applies a response. `stale_after` is the age at which its source turns stale.
    pub(super) fn receive(
        &mut self,
        reading: Reading,
        fetched_at: Timestamp,
        stale_after: Duration,
    ) -> Outcome {
        let fetched_at = self.fetch(fetched_at);
        let Reading { observed, values } = reading;
        let is_equal = has_equal_data(&self.values, &values);
        let is_stale = self.track.is_stale(fetched_at, stale_after);
        match self.track.see(observed, fetched_at, is_equal, is_stale) {
            Verdict::Older(sighting) => {
                self.receive_older(values, sighting, fetched_at, stale_after)
            }
            verdict => {
                let is_reinstated = verdict == Verdict::Reinstated;
                let older = self.replace_values(values, fetched_at, stale_after);
                Outcome { is_held: true, is_reinstated, is_changed: true, older }
            }
        }
    }

    /// Records the time of a response. It does not go back: a difference within the tolerance is no step.
    pub(super) fn fetch(&mut self, fetched_at: Timestamp) -> Timestamp {
        let is_later = !self.is_fetched || fetched_at > self.fetched_at;
        if is_later {
            self.fetched_at = fetched_at;
        }
        self.is_fetched = true;
        self.fetched_at
    }

    /// Replaces the values, except those that are older than the values held. Returns the ones passed over.
    fn replace_values(
        &mut self,
        values: Vec<(FieldName, Value)>,
        fetched_at: Timestamp,
        stale_after: Duration,
    ) -> Vec<(FieldName, Value, Sighting)> {
        let mut older = Vec::new();
        self.values = values;
        for (field, value) in &mut self.values {
            let Some(observed) = value.observed else { continue };
            let Some(own) = self.own.iter_mut().find(|own| own.field == *field) else {
                let track = Track::new(Sighting::new(observed, fetched_at));
                self.own.push(OwnTimed { field: field.clone(), track, value: value.clone() });
                continue;
            };
            let is_equal = own.has_data_of(value);
            let is_stale = own.track.is_stale(fetched_at, stale_after);
            match own.track.see(observed, fetched_at, is_equal, is_stale) {
                Verdict::Older(sighting) => {
                    let passed_over = std::mem::replace(value, own.value.clone());
                    older.push((field.clone(), passed_over, sighting));
                }
                Verdict::Same | Verdict::Newer | Verdict::Reinstated => own.value = value.clone(),
            }
        }
        older
    }

    /// Applies the values of an answer that is passed over. Those with a time of their own are judged by that:
    /// a later one is held, although the rest of the answer is older.
    fn receive_older(
        &mut self,
        values: Vec<(FieldName, Value)>,
        sighting: Sighting,
        fetched_at: Timestamp,
        stale_after: Duration,
    ) -> Outcome {
        let (mut older, mut is_changed) = (Vec::new(), false);
        for (field, value) in values {
            let Some(observed) = value.observed else {
                older.push((field, value, sighting));
                continue;
            };
            let Some(own) = self.own.iter_mut().find(|own| own.field == field) else {
                older.push((field, value, Sighting::new(observed, fetched_at)));
                continue;
            };
            let is_equal = own.has_data_of(&value);
            let is_stale = own.track.is_stale(fetched_at, stale_after);
            match own.track.see(observed, fetched_at, is_equal, is_stale) {
                Verdict::Older(sighting) => older.push((field, value, sighting)),
                // The later answer may have corrected it.
                Verdict::Same => {}
                Verdict::Newer | Verdict::Reinstated => {
                    is_changed = true;
                    let shown = self.values.iter_mut().find(|(name, _)| *name == field);
                    if let Some((_, shown)) = shown.filter(|(_, shown)| shown.observed.is_some()) {
                        *shown = value.clone();
                    }
                    own.value = value;
                }
            }
        }
        Outcome { is_held: false, is_reinstated: false, is_changed, older }
    }

    /// Believes the next answer, since the source's configuration has changed.
    pub(super) fn doubt(&mut self) {
        self.track.doubt();
        self.own.iter_mut().for_each(|own| own.track.doubt());
    }

    /// Returns what is saved over a restart.
    fn received(&self) -> Received {
        let own = self.own.iter().map(|own| (own.field.clone(), *own.track.sighting()));
        Received {
            sighting: *self.track.sighting(),
            values: self.values.clone(),
            own: own.collect(),
        }
    }

    /// Returns the time of the reading.
    pub(super) fn observed(&self) -> Observed {
        self.track.sighting().shown()
    }

    /// Returns the time of the latest response.
    pub(super) fn fetched_at(&self) -> Timestamp {
        self.fetched_at
    }

    /// Returns true if the reading is later than `now`, because the clock of this machine is behind.
    pub(super) fn is_later_than(&self, now: Timestamp) -> bool {
        self.track.sighting().is_later_than(now)
    }

    /// Returns the time from which the reading is not later than the present.
    pub(super) fn later_until(&self) -> Timestamp {
        self.track.sighting().later_until()
    }

    /// Returns the values to show at `now`: with their own times, and with notes on times that are doubtful.
    pub(super) fn values(&self, now: Timestamp) -> Vec<(FieldName, Value)> {
        let shown = |(field, value): &(FieldName, Value)| {
            let (is_own, sighting) = self.sighting(field, value);
            let mut value = Value { observed: is_own.then(|| sighting.shown()), ..value.clone() };
            if let Some(ahead) = sighting.ahead() {
                value = value.with_note(note_on_clock(ahead));
            }
            if sighting.is_later_than(now) {
                value = value.with_note(UNKNOWN_AGE);
            }
            (field.clone(), value)
        };
        self.values.iter().map(shown).collect()
    }

    /// Returns what is published of the reading at `now`.
    pub(super) fn last_reading(
        &self,
        now: Timestamp,
        stale_after: Duration,
        derived: Vec<(FieldName, Value)>,
    ) -> LastReading {
        let observed = self.observed();
        LastReading {
            observed,
            fetched_at: self.fetched_at,
            // The sum overflows only for a `stale_after` of millennia. The reading then never turns stale.
            stale_at: observed.at.saturating_add(stale_after).unwrap_or(Timestamp::MAX),
            values: self.values(now),
            derived,
            received: Arc::new(self.received()),
        }
    }

    /// Returns the time of a field's value.
    pub(super) fn dated(&self, field: &str) -> Dated {
        let own = self.values.iter().find(|(name, _)| **name == *field);
        let sighting =
            own.map_or(self.track.sighting(), |(field, value)| self.sighting(field, value).1);
        sighting.into()
    }

    /// Returns the measured numbers; derived values are not recorded.
    pub(super) fn samples(&self, source: &Arc<str>, over_times: &OverTimes) -> Vec<Sample> {
        let sample = |(field, value): &(FieldName, Value)| {
            let (_, sighting) = self.sighting(field, value);
            sample(source, field, value, sighting.into(), over_times)
        };
        self.values.iter().filter_map(sample).collect()
    }

    /// Returns the first sight by which a value is dated, and true if it is of the value alone.
    fn sighting(&self, field: &FieldName, value: &Value) -> (bool, &Sighting) {
        let own = value.observed.and_then(|_| self.own.iter().find(|own| own.field == *field));
        own.map_or((false, self.track.sighting()), |own| (true, own.track.sighting()))
    }

    /// Dates the reading anew after the wall clock was set by `step`, to `now`.
    pub(super) fn redate(&mut self, step: SignedDuration, now: Timestamp) {
        let is_past = self.fetched_at <= moved(now, -step);
        if self.is_fetched || (is_past && self.fetched_at > now) {
            self.fetched_at = moved(self.fetched_at, step);
        }
        self.track.redate(step, now);
        self.own.iter_mut().for_each(|own| own.track.redate(step, now));
    }
}

/// Returns the sample of a value that is a number.
pub(super) fn sample(
    source: &Arc<str>,
    field: &FieldName,
    value: &Value,
    dated: Dated,
    over_times: &OverTimes,
) -> Option<Sample> {
    let Some(Datum::Number(number)) = value.datum else { return None };
    Some(Sample {
        dated_by: dated.by,
        stated: dated.stated,
        over_time: over_times.of(field, value.unit),
        period: value.period,
        ..Sample::new(source.clone(), field.clone(), dated.at, number, value.unit)
    })
}

/// Returns true if the values are equal, apart from their notes.
fn has_equal_data(one: &[(FieldName, Value)], other: &[(FieldName, Value)]) -> bool {
    // A value with a time of its own has its own identity.
    fn data(
        values: &[(FieldName, Value)],
    ) -> impl Iterator<Item = (&str, &Option<Datum>, Option<Unit>)> {
        let without_time = values.iter().filter(|(_, value)| value.observed.is_none());
        without_time.map(|(field, value)| (&**field, &value.datum, value.unit))
    }
    data(one).eq(data(other))
}

/// Returns the note on a time in the future.
fn note_on_clock(ahead: SignedDuration) -> String {
    let ahead = SignedDuration::from_secs(ahead.as_secs());
    format!(
        "observed {ahead:#} in the future by the upstream's clock, so its age counts from its first sight"
    )
}

/// Returns the stated observation by the present setting of the clock, which was set by `step` since the
/// response.
pub(super) fn restated(observed: Observed, step: SignedDuration) -> Observed {
    let is_read_from_clock = observed.stamp.is_by_machine() && !step.is_zero();
    if is_read_from_clock {
        Observed { at: whole_seconds(moved(observed.at, step)), ..observed }
    } else {
        observed
    }
}
