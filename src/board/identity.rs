//! Identity of an observation: when it was seen first, and whether a response states it again.
//!
//! The stamp that the upstream sent identifies the observation, not the time that is shown:
//! - the same absolute stamp is the same observation. If it was in the future when it was seen first, its
//!   age counts from then, however often it is sent again;
//! - an age in words ("3 minutes ago") gives another time with each response, within its resolution. With
//!   equal values it is the same observation;
//! - without a time, each response is a new observation.

use std::cmp::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::reading::{Observed, Stamp};
use crate::kernel::clock::{CLOCK_TOLERANCE, MIN_TIME};

/// Largest difference between the times that two responses with an age give, beyond the age's resolution:
/// responses take different times to arrive.
const POLL_JITTER: Duration = Duration::from_secs(2);

/// An observation as it was seen first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Time of the observation, never later than `first_seen`, with the upstream's own stamp.
    pub observed: Observed,
    /// Time by our clock of the response that stated it first.
    pub first_seen: Timestamp,
    /// True if this process saw it first, by the clock as it is set now. False after a restart.
    pub(super) is_own: bool,
}

/// Relation of a stated observation to the one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// The same observation.
    Same,
    /// A later observation.
    Newer,
    /// An earlier observation.
    Older,
}

impl Sighting {
    /// Returns an observation that this process sees first in a response at `fetched_at`.
    pub(crate) fn new(stated: Observed, fetched_at: Timestamp) -> Sighting {
        let at = whole_seconds(stated.at).min(fetched_at);
        let observed = Observed { at, ..stated };
        Sighting { observed, first_seen: fetched_at, is_own: true }
    }

    /// Returns an observation that an earlier process saw first.
    pub fn restored(observed: Observed, first_seen: Timestamp) -> Sighting {
        Sighting { observed, first_seen, is_own: false }
    }

    /// Returns the same observation at `now`, as first seen by an earlier process.
    pub(super) fn of_earlier_process(self, now: Timestamp) -> Sighting {
        let mut sighting = Sighting { is_own: false, ..self };
        sighting.believe(now);
        sighting
    }

    /// Believes the stamp, unless it is later than `now`, if the clock was never set when it was seen first.
    fn believe(&mut self, now: Timestamp) {
        let Stamp::Absolute(stamp) = self.observed.stamp else { return };
        if self.first_seen.as_second() < MIN_TIME && stamp <= now {
            (self.observed.at, self.first_seen) = (whole_seconds(stamp), now);
        }
    }

    /// Returns by how much the stamp was in the future when it was seen first, beyond the tolerance.
    pub(super) fn ahead(&self) -> Option<SignedDuration> {
        let Stamp::Absolute(stamp) = self.observed.stamp else { return None };
        Some(stamp.duration_since(self.first_seen)).filter(|ahead| *ahead > CLOCK_TOLERANCE)
    }

    /// Returns the time to show.
    pub(super) fn shown(&self) -> Observed {
        let inferred = self.observed.inferred || self.ahead().is_some();
        Observed { inferred, ..self.observed }
    }

    /// Returns true if the time was read from the clock of this machine.
    pub(super) fn is_by_machine(&self) -> bool {
        self.observed.stamp.is_by_machine() || !self.has_stamped_time()
    }

    /// Returns true if the time is the upstream's own stamp.
    fn has_stamped_time(&self) -> bool {
        matches!(self.observed.stamp, Stamp::Absolute(stamp) if whole_seconds(stamp) == self.observed.at)
    }

    /// Returns the time by which the observations of one upstream are ordered: the stamp if there is one.
    pub(super) fn order(&self) -> Timestamp {
        match self.observed.stamp {
            Stamp::Absolute(stamp) => stamp,
            Stamp::Age { .. } | Stamp::Fetched => self.observed.at,
        }
    }

    /// Returns the relation of `stated`, seen now, to this observation.
    pub(super) fn relation(&self, stated: &Sighting, has_equal_values: bool) -> Relation {
        let by_order = |held: Timestamp, stated: Timestamp| match stated.cmp(&held) {
            Ordering::Greater => Relation::Newer,
            Ordering::Equal => Relation::Same,
            Ordering::Less => Relation::Older,
        };
        let are_inferred = self.observed.inferred && stated.observed.inferred;
        match (self.observed.stamp, stated.observed.stamp) {
            (Stamp::Absolute(held), Stamp::Absolute(stated))
                if are_inferred && has_equal_values && is_anniversary(held, stated) =>
            {
                Relation::Same
            }
            (Stamp::Absolute(held), Stamp::Absolute(stated)) => by_order(held, stated),
            // A time that the upstream states replaces one that was a guess, even by an earlier time.
            (Stamp::Fetched, _) | (_, Stamp::Fetched) => Relation::Newer,
            // The clock of this machine is behind, so its times are not comparable with earlier ones.
            _ if self.is_later_than(stated.first_seen) => Relation::Newer,
            _ => {
                let (held, at) = (self.observed.at, stated.observed.at);
                // An age is rounded down, so the observation may be older by up to the resolution.
                let is_within = |earlier: &Sighting, later: &Sighting| {
                    let range = later.resolution() + POLL_JITTER;
                    let distance = later.observed.at.duration_since(earlier.observed.at);
                    Duration::try_from(distance).is_ok_and(|distance| distance <= range)
                };
                let is_near = is_within(self, stated) || is_within(stated, self);
                match by_order(held, at) {
                    _ if is_near && has_equal_values => Relation::Same,
                    // Other values at about the same time: the values have changed since. A stamp is exact.
                    _ if is_near && stated.observed.stamp.is_by_machine() => Relation::Newer,
                    relation => relation,
                }
            }
        }
    }

    /// Returns the range in which the observation may be earlier than its time.
    fn resolution(&self) -> Duration {
        match self.observed.stamp {
            Stamp::Age { resolution } => resolution,
            Stamp::Absolute(_) | Stamp::Fetched => Duration::ZERO,
        }
    }

    /// Returns this observation with a time that is not earlier than that of `held`, which it follows.
    ///
    /// It is not moved if it replaces a guess, or if `held` is later than the present.
    pub(super) fn following(mut self, held: &Sighting) -> Sighting {
        if held.observed.stamp != Stamp::Fetched && held.observed.at <= self.first_seen {
            self.observed.at = self.observed.at.max(held.observed.at);
        }
        self
    }

    /// Returns true if the observation is later than `now` although it was not in the future when it was seen:
    /// an earlier process saw it by a clock that was not behind, as this machine's is.
    pub(super) fn is_later_than(&self, now: Timestamp) -> bool {
        !self.is_own && now < self.later_until()
    }

    /// Returns the time from which the observation is not later than the present.
    pub(super) fn later_until(&self) -> Timestamp {
        moved(self.observed.at, -CLOCK_TOLERANCE)
    }

    /// Dates the observation anew after the wall clock was set by `step`, to `now`.
    ///
    /// A time that was read from the clock moves with it. A stamp stays as the sensor states it, unless it would
    /// now be in the future: then the observation keeps its age. A stamp that was in the future by the old
    /// setting, and is not by the new one, is believed.
    pub(super) fn redate(&mut self, step: SignedDuration, now: Timestamp) {
        if !self.is_own {
            // It was dated by an earlier process, whose clock may have been right. But no age becomes negative.
            let was_past = self.observed.at <= moved(now, -step);
            if self.observed.at > now && was_past {
                self.observed.at = moved(self.observed.at, step);
                self.first_seen = moved(self.first_seen, step);
            }
            self.believe(now);
            return;
        }
        let was_stamped = self.has_stamped_time();
        self.first_seen = moved(self.first_seen, step);
        match self.observed.stamp {
            Stamp::Absolute(stamp) if was_stamped && stamp <= self.first_seen => {}
            Stamp::Absolute(stamp) => {
                let at = moved(self.observed.at, step);
                let stamp = whole_seconds(stamp);
                self.observed.at = if !was_stamped && stamp <= at { stamp } else { at };
            }
            Stamp::Age { .. } | Stamp::Fetched => self.observed.at = moved(self.observed.at, step),
        }
    }
}

/// Returns true if `stated` is a whole number of years after `held`.
///
/// A text without a year means the latest such day. A sensor that keeps sending it would otherwise have a new
/// observation on each anniversary of its last one.
fn is_anniversary(held: Timestamp, stated: Timestamp) -> bool {
    const DAY: i64 = 24 * 60 * 60;
    // The clocks may have been set forward or back.
    const HOUR: i64 = 60 * 60;
    let seconds = stated.duration_since(held).as_secs();
    let days = (seconds + HOUR).div_euclid(DAY);
    let years = days / 365;
    let has_same_time = (seconds - days * DAY).abs() <= HOUR;
    years > 0 && has_same_time && days - years * 365 <= years / 4 + 1
}

/// Returns a time that was read from a clock that was set by `step` since.
pub(super) fn moved(at: Timestamp, step: SignedDuration) -> Timestamp {
    let limit = if step.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    at.saturating_add(step).unwrap_or(limit)
}

/// Returns the time without its fraction of a second. JSON shows whole seconds, so states are computed from
/// whole seconds, too.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a timestamp's seconds are in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_year_is_the_same_observation_on_its_anniversaries() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let relation = |stated: &str, inferred: bool, has_equal_values: bool| {
            let sighting = |stamp: Timestamp| {
                let observed = Observed { inferred, ..Observed::absolute(stamp) };
                Sighting::new(observed, stamp + SignedDuration::from_mins(5))
            };
            sighting(at("2026-07-15T14:17:00Z")).relation(&sighting(at(stated)), has_equal_values)
        };
        for (stated, expected) in [
            ("2026-07-15T14:17:00Z", Relation::Same),
            ("2027-07-15T14:17:00Z", Relation::Same),
            // Over a leap day, and over a change of the clocks.
            ("2028-07-15T14:17:00Z", Relation::Same),
            ("2027-07-15T15:17:00Z", Relation::Same),
            ("2034-07-15T13:17:00Z", Relation::Same),
            ("2027-07-15T16:18:00Z", Relation::Newer),
            ("2027-07-14T14:17:00Z", Relation::Newer),
            ("2027-07-17T14:17:00Z", Relation::Newer),
            ("2026-07-15T15:17:00Z", Relation::Newer),
            ("2025-07-15T14:17:00Z", Relation::Older),
        ] {
            assert_eq!(relation(stated, true, true), expected, "{stated}");
        }
        assert_eq!(relation("2027-07-15T14:17:00Z", true, false), Relation::Newer);
        assert_eq!(relation("2027-07-15T14:17:00Z", false, true), Relation::Newer, "it has a year");
    }
}
