//! State machine of one rule on one subject.
//!
//! ```text
//!                met              met for `for`                  clear
//!   inactive ───────────► pending ───────────────► firing ───────────────────► inactive
//!       ▲                    │                       ▲ │ (resolved, withdrawn,
//!       └────────────────────┘                       └─┘  outside of its hours)
//!             not met any more            met, or within the hysteresis
//! ```
//! It has no clock, no thread and does no I/O: each call gets the time, and returns the transition, if there is one.
//!
//! # Observations
//! A rule on a field measures time by its observations. `for` is the difference between the times of two of them, so
//! the same observation polled three times counts once. After an observation time counts up to `stale_after` of the
//! source, so the time of an outage does not. An observation
//! earlier than the latest is late and changes nothing. The value of the latest may be corrected: it is assessed again,
//! while a pending state that the wrong value has ended is not restored. Null and stale values change nothing.
//!
//! If the latest observation is later than the present, it was dated by a clock that was wrong. The next one replaces
//! it, although it is earlier. Otherwise one wrong time would block the rule until then.
//!
//! # Sources and the server
//! Rules on these measure time by the clock of this machine. The state after a restart is not known until the source
//! was polled again, so an incident does not end before.
//!
//! # Hours
//! A rule with `between` has no state outside of its hours. An observation counts if its own time and the present are
//! within the same span of hours.

mod clock;
mod saved;
mod settle;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use self::clock::Clock;
use self::settle::{Finding, Look};
use self::status::Status;
use super::assessment::{Level, assess};
use super::fault::Fault;
use super::incident::{Acknowledgement, EndReason, Evidence, Incident, IncidentId};
use super::memory::Memory;
use super::rule::{Hours, Rule, moved, signed};
use super::sight::{FieldSight, Sight};
use crate::board::Datum;
use crate::config::FieldCondition;
use crate::kernel::clock::CLOCK_TOLERANCE;
use crate::units::Unit;

pub use self::saved::RestoreError;
pub use self::status::{Names, Phase, Transition};

/// Longest gap between two recorded observations that are quarters of an hour, if none is missing.
pub(super) const MIN_RECORDED_GAP: Duration = Duration::from_secs(30 * 60);

/// State of one rule on one subject. At most 200 bytes while it is inactive, but for the observations that a window
/// needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Monitor {
    /// Time of the latest observation that counted.
    latest: Option<Timestamp>,
    /// True if the clock of this machine gave the times of the observations.
    is_by_machine: bool,
    /// Unit of the observations.
    unit: Option<Unit>,
    memory: Memory,
    /// Latest input of a rule that measures time by the clock.
    clock: Option<Box<Clock>>,
    status: Status,
    fault: Option<Fault>,
}

impl Monitor {
    /// Returns the state of a rule that has seen nothing.
    pub fn new() -> Monitor {
        Monitor::default()
    }

    /// Looks at the input of the rule.
    ///
    /// If this returns an end because of the hours, the input may belong to the next hours: call it again then.
    pub fn observe(
        &mut self,
        rule: &Rule,
        sight: &Sight<'_>,
        now: Timestamp,
        zone: &TimeZone,
        new_id: &mut dyn FnMut() -> IncidentId,
        names: &Names<'_>,
    ) -> Option<Transition> {
        let mut look = Look { rule, now, hours: rule.hours(now, zone), new_id, names };
        let since = self.status.since();
        let clock = match sight {
            Sight::Field(sight) => {
                let condition = rule.field_condition()?;
                return self.observe_field(condition, sight, &mut look);
            }
            Sight::Source(sight) => Clock::of_source(rule, sight, now)?,
            Sight::Server(sight) => Clock::of_server(sight, since, now),
        };
        self.clock = Some(Box::new(clock));
        self.follow_clock(&mut look)
    }

    /// Follows the clock: a source turns stale or has failed for long enough, the hours of the rule end, or `for` of a
    /// rule passes that is not on observations.
    pub fn tick(
        &mut self,
        rule: &Rule,
        now: Timestamp,
        zone: &TimeZone,
        new_id: &mut dyn FnMut() -> IncidentId,
        names: &Names<'_>,
    ) -> Option<Transition> {
        let mut look = Look { rule, now, hours: rule.hours(now, zone), new_id, names };
        if let Some(clock) = &mut self.clock {
            clock.looked_at = now;
        }
        self.follow_clock(&mut look)
    }

    /// Returns the time at which to tick next.
    pub fn due(&self, rule: &Rule, zone: &TimeZone) -> Option<Timestamp> {
        let hours_end = self.status.hours_end().filter(|_| rule.alert().between.is_some());
        let from = self.clock.as_ref().and_then(|clock| Some((clock, clock.from?)));
        let by_clock = from.and_then(|(clock, from)| match &self.status {
            Status::Firing(_) => None,
            Status::Pending(pending) => Some(moved(pending.held_from, rule.hold()).max(from)),
            Status::Inactive => match rule.next_hours(from.max(clock.looked_at), zone) {
                Hours::Always => Some(from),
                Hours::Within(begin, _) => Some(from.max(begin)),
                Hours::Outside => None,
            },
        });
        // The end of time, at which additions stop, never passes.
        let due = [hours_end, by_clock].into_iter().flatten().min();
        due.filter(|&due| due < Timestamp::MAX)
    }

    /// Ends the state because the rule or its subject was changed or removed.
    pub fn withdraw(&mut self, now: Timestamp) -> Option<Transition> {
        self.clock = None;
        self.end(EndReason::Withdrawn, now)
    }

    /// Ends the incident because the same one of before a restart continues.
    pub fn end_as_duplicate(&mut self, now: Timestamp) -> Option<Transition> {
        self.end(EndReason::Duplicate, now)
    }

    /// Adds recorded observations, earliest first, before those that the rule has seen. They are in `unit`, and begin
    /// [`Rule::window`] before the present. An observation turns stale after `stale_after`.
    pub fn backfill(
        &mut self,
        rule: &Rule,
        samples: impl Iterator<Item = (Timestamp, f64)>,
        unit: Option<Unit>,
        stale_after: Duration,
    ) {
        let Some(condition) = rule.field_condition() else { return };
        if self.memory == Memory::Empty {
            self.unit = unit;
        }
        let own = self.unit;
        let converted = samples.filter_map(|(at, number)| match (unit, own) {
            _ if unit == own => Some((at, number)),
            (Some(unit), Some(own)) => Some((at, unit.convert_unrounded(number, own)?)),
            _ => None,
        });
        self.memory.backfill(condition, converted, stale_after.max(MIN_RECORDED_GAP));
    }

    /// Looks at an observation of a source that another replica evaluates: the state stays, and the observations that
    /// the condition needs are kept. So they are known at a take-over.
    pub fn keep_warm(
        &mut self,
        rule: &Rule,
        sight: &FieldSight<'_>,
        now: Timestamp,
        zone: &TimeZone,
    ) {
        let Some(condition) = rule.field_condition() else { return };
        self.remember(condition, sight);
        let (hours, at) = (rule.hours(now, zone), sight.observed_at);
        let Some(value) = sight.value.filter(|_| !sight.is_stale) else { return };
        if hours.contain(now) && hours.contain(at) {
            self.fault = assess(condition, sight, value, &self.memory, hours.begin()).err();
        }
    }

    /// Takes over the state that another replica has reached. Observations that this process has seen stay where that
    /// one has saved none, as of a rule that is inactive.
    pub fn follow(&mut self, other: Monitor) {
        let own = std::mem::replace(self, other);
        self.fault = own.fault;
        let is_inactive = matches!(self.status, Status::Inactive);
        if self.memory == Memory::Empty || (is_inactive && own.memory != Memory::Empty) {
            (self.memory, self.unit) = (own.memory, own.unit);
            self.is_by_machine |= own.is_by_machine;
        }
    }

    /// Gives the incident another id, and returns it.
    pub fn identify(&mut self, id: IncidentId) -> Option<Arc<Incident>> {
        let Status::Firing(firing) = &mut self.status else { return None };
        Arc::make_mut(&mut firing.incident).id = id;
        Some(firing.incident.clone())
    }

    /// Records an acknowledgement that another replica took, if it is earlier than the known one. Returns true if it is.
    pub fn merge_acknowledgement(&mut self, by: &Acknowledgement) -> bool {
        let Status::Firing(firing) = &mut self.status else { return false };
        let known = firing.incident.acknowledged.as_ref();
        if known.is_some_and(|known| (known.at, &known.by) <= (by.at, &by.by)) {
            return false;
        }
        Arc::make_mut(&mut firing.incident).acknowledged = Some(by.clone());
        true
    }

    /// Records that a person knows of the incident. Returns false if there is none, or if a person knew before.
    pub fn acknowledge(&mut self, by: Arc<str>, at: Timestamp) -> bool {
        let Status::Firing(firing) = &mut self.status else { return false };
        if firing.incident.acknowledged.is_some() {
            return false;
        }
        Arc::make_mut(&mut firing.incident).acknowledged = Some(Acknowledgement { by, at });
        true
    }

    /// Moves the times that were read from the clock of this machine, after it was set by `step`.
    ///
    /// Times of observations move only if that clock gave them.
    pub fn redate(&mut self, step: SignedDuration) {
        let is_clock = self.clock.as_ref().is_some_and(|clock| clock.is_by_machine);
        let is_moved = self.is_by_machine || is_clock;
        let shift = |at: &mut Timestamp| *at = moved(*at, step);
        if self.is_by_machine {
            self.latest.iter_mut().for_each(shift);
            self.memory.redate(i64::try_from(step.as_millis()).unwrap_or(0));
        }
        if let Some(clock) = &mut self.clock {
            clock.redate(step);
        }
        match &mut self.status {
            Status::Inactive => {}
            Status::Pending(pending) if is_moved => {
                [&mut pending.since, &mut pending.held_from].into_iter().for_each(shift);
                pending.evidence.observed_at.iter_mut().filter(|_| !is_clock).for_each(shift);
            }
            Status::Pending(_) => {}
            Status::Firing(firing) => {
                let incident = Arc::make_mut(&mut firing.incident);
                shift(&mut incident.fired_at);
                incident.acknowledged.iter_mut().for_each(|known| shift(&mut known.at));
                if is_moved {
                    shift(&mut incident.since);
                    let evidence = [&mut incident.evidence, &mut incident.at_fire];
                    let times = evidence.into_iter().filter_map(|of| of.observed_at.as_mut());
                    times.filter(|_| !is_clock).for_each(shift);
                }
            }
        }
    }

    /// Returns the state.
    pub fn state(&self) -> Phase {
        self.status.phase()
    }

    /// Returns the incident while the rule fires.
    pub fn incident(&self) -> Option<&Arc<Incident>> {
        self.status.incident()
    }

    /// Returns the latest evidence of a rule that is pending or fires.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.status.evidence()
    }

    /// Returns the reason why the condition could not be applied to the latest value.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn observe_field(
        &mut self,
        condition: &FieldCondition,
        sight: &FieldSight<'_>,
        look: &mut Look<'_>,
    ) -> Option<Transition> {
        self.remember(condition, sight);
        if let Some(ended) = self.end_with_hours(look) {
            return Some(ended);
        }
        let value = sight.value.filter(|_| !sight.is_stale)?;
        let at = sight.observed_at;
        let before = self.latest;
        if !look.hours.contain(look.now) || !look.hours.contain(at) || !self.count(at, look.now) {
            return None;
        }
        let excess = before.map_or(SignedDuration::ZERO, |before| {
            at.duration_since(before).saturating_sub(signed(sight.stale_after))
        });
        if let Status::Pending(pending) = &mut self.status
            && excess.is_positive()
        {
            pending.held_from = moved(pending.held_from, excess);
        }
        let begin = look.hours.begin();
        match assess(condition, sight, value, &self.memory, begin) {
            Err(fault) => {
                self.fault = Some(fault);
                None
            }
            Ok(assessment) => {
                self.fault = None;
                let (value, unit) = match assessment.computed {
                    Some((number, unit)) => (Datum::Number(number), Some(unit)),
                    None => (value.clone(), sight.unit),
                };
                let evidence = Evidence {
                    value: Some(value),
                    unit,
                    threshold: assessment.threshold,
                    rate: sight.rate,
                    observed_at: Some(at),
                    detail: assessment.detail,
                };
                let level = assessment.level;
                let (since, held_from) = match &self.status {
                    Status::Pending(pending) => (pending.since.min(at), pending.held_from.min(at)),
                    Status::Inactive | Status::Firing(_) => (at, at),
                };
                self.settle(Finding { level, since, held_from, at, evidence }, look)
            }
        }
    }

    /// Adds an observation to those that the condition needs.
    fn remember(&mut self, condition: &FieldCondition, sight: &FieldSight<'_>) {
        let Some(value) = sight.value else { return };
        if self.unit != sight.unit {
            self.memory.convert(self.unit, sight.unit);
            self.unit = sight.unit;
        }
        self.is_by_machine = sight.is_by_machine;
        self.memory.push(condition, sight.observed_at, value, sight.stale_after);
    }

    /// Counts an observation. Returns false for one that is late.
    fn count(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if let Some(latest) = self.latest.filter(|&latest| at < latest) {
            if latest <= moved(now, CLOCK_TOLERANCE) {
                return false;
            }
            // The latest was dated ahead of its time.
            self.memory.forget_after(at);
        }
        self.latest = Some(at);
        true
    }

    /// Assesses the latest input of a rule by the clock.
    fn follow_clock(&mut self, look: &mut Look<'_>) -> Option<Transition> {
        if let Some(ended) = self.end_with_hours(look) {
            return Some(ended);
        }
        if !look.hours.contain(look.now) {
            return None;
        }
        let clock = self.clock.as_ref()?;
        let level = clock.level(look.now, self.status.since());
        if level == Level::Unknown {
            return None;
        }
        let from = clock.from.unwrap_or(look.now);
        let mut since = clock.since.unwrap_or(from);
        let mut held_from = look.hours.begin().map_or(from, |begin| from.max(begin));
        if let Status::Pending(pending) = &self.status
            && !clock.has_cleared_since(pending.since, look.now)
        {
            since = since.min(pending.since);
            held_from = held_from.min(pending.held_from);
        }
        let evidence = clock.evidence.clone();
        self.settle(Finding { level, since, held_from, at: look.now, evidence }, look)
    }
}
