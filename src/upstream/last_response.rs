//! The response that the board's reading comes from, and whether the next request may refer to it.
//!
//! A request with validators lets the upstream answer "not modified", which confirms the reading held. That
//! is believed only while the reading is fresh: validators that do not change with the content would
//! otherwise silence a source for ever, without an error. Once the reading has turned stale, by its time of
//! observation or because no response has changed it for as long, requests are unconditional until a response
//! changes it. Validators that have come with two different readings are never sent again.
//!
//! Nor may a request refer to a response that states an age or no time at all: the same body is then a new
//! observation, which "not modified" would hide.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::validators::Validators;
use crate::board::Reading;

/// Latest response that was decoded.
#[derive(Debug)]
pub(super) struct LastResponse {
    stale_after: Duration,
    held: Option<Held>,
    /// True if the upstream has sent one set of validators with two different readings.
    validators_lie: bool,
}

#[derive(Debug)]
struct Held {
    validators: Validators,
    reading: Reading,
    /// Time at which a response last changed the reading.
    changed: Instant,
}

impl LastResponse {
    pub(super) fn new(stale_after: Duration) -> LastResponse {
        LastResponse { stale_after, held: None, validators_lie: false }
    }

    /// Returns the validators for a request that is sent at this time, by the wall clock and by the
    /// monotonic one; `None` for an unconditional request.
    ///
    /// The monotonic clock decides where the time of observation cannot: one in the future would keep the
    /// reading fresh until then.
    pub(super) fn validators(&self, wall: Timestamp, now: Instant) -> Option<&Validators> {
        let held = self.held.as_ref().filter(|_| !self.validators_lie)?;
        let is_fresh = held
            .reading
            .observed
            .at
            .saturating_add(self.stale_after)
            .is_ok_and(|stale_at| wall < stale_at)
            && now.saturating_duration_since(held.changed) < self.stale_after;
        (is_fresh && is_absolute(&held.reading) && !held.validators.is_empty())
            .then_some(&held.validators)
    }

    /// Stores a response that was decoded at `now`. Returns true if its validators are the first that are
    /// found not to change with the reading.
    pub(super) fn store(
        &mut self,
        validators: Validators,
        reading: &Reading,
        now: Instant,
    ) -> bool {
        let mut changed = now;
        let mut found = false;
        if let Some(held) = &self.held {
            if held.reading == *reading {
                changed = held.changed;
            } else if !validators.is_empty() && held.validators == validators {
                found = !self.validators_lie;
                self.validators_lie = true;
            }
        }
        self.held = Some(Held { validators, reading: reading.clone(), changed });
        found
    }
}

/// Returns true if all times of a reading are points in time.
fn is_absolute(reading: &Reading) -> bool {
    let of_values = reading.values.iter().filter_map(|(_, value)| value.observed);
    of_values.chain([reading.observed]).all(|observed| !observed.stamp.is_by_machine())
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderMap;

    use super::*;
    use crate::board::{Observed, Value};
    use crate::units::Unit;

    const STALE_AFTER: Duration = Duration::from_secs(60);

    fn validators(etag: &str) -> Validators {
        let headers: HeaderMap =
            [(ureq::http::header::ETAG, etag.parse().unwrap())].into_iter().collect();
        Validators::of(&headers, std::time::UNIX_EPOCH)
    }

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn reading(second: i64, level: f64) -> Reading {
        Reading {
            observed: Observed::absolute(wall(second)),
            values: vec![("level".into(), Value::number(level, Unit::Percent))],
        }
    }

    #[test]
    fn request_is_conditional_while_the_reading_is_fresh() {
        let begun = Instant::now();
        let at = |second: i64| (wall(second), begun + Duration::from_secs(second as u64));
        // Each observation is made at 0 s by the upstream's clock, and its response arrives 10 s later.
        for (observed, asked, is_conditional) in [
            (0, 10, true),
            (0, 59, true),
            (0, 60, false),
            (0, 3600, false),
            // The clock of the upstream is ahead: the time since the response decides.
            (86_400, 69, true),
            (86_400, 70, false),
            // The response was stale when it came.
            (-60, 10, false),
        ] {
            let mut last = LastResponse::new(STALE_AFTER);
            assert!(!last.store(validators("\"v1\""), &reading(observed, 1.0), at(10).1));
            let (wall, now) = at(asked);
            let sent = last.validators(wall, now);
            assert_eq!(sent.is_some(), is_conditional, "observed {observed}, asked {asked}");
        }
    }

    #[test]
    fn response_that_states_an_age_or_no_time_is_not_referred_to() {
        let now = Instant::now();
        let aged = Observed::aged(wall(0), Duration::from_secs(5), Duration::from_secs(1));
        for (observed, own, is_conditional) in [
            (Observed::absolute(wall(0)), None, true),
            (Observed::absolute(wall(0)), Some(Observed::absolute(wall(0))), true),
            (Observed::absolute(wall(0)), Some(aged), false),
            (aged, None, false),
            (Observed::fetched(wall(0)), None, false),
        ] {
            let mut response = Reading { observed, ..reading(0, 1.0) };
            response.values[0].1.observed = own;
            let mut last = LastResponse::new(STALE_AFTER);
            last.store(validators("\"v1\""), &response, now);
            assert_eq!(last.validators(wall(1), now).is_some(), is_conditional, "{response:?}");
        }
    }

    #[test]
    fn response_that_changes_nothing_does_not_renew_the_reading() {
        let begun = Instant::now();
        let at = |second: u64| begun + Duration::from_secs(second);
        let ahead = |level| reading(86_400, level);
        let mut last = LastResponse::new(STALE_AFTER);
        last.store(validators("\"v1\""), &ahead(1.0), at(0));
        last.store(validators("\"v1\""), &ahead(1.0), at(60));
        assert_eq!(last.validators(wall(61), at(61)), None);
        // A new reading with validators of its own is believed again.
        last.store(validators("\"v2\""), &ahead(2.0), at(62));
        assert_eq!(last.validators(wall(63), at(63)), Some(&validators("\"v2\"")));
    }

    #[test]
    fn validators_of_two_readings_are_not_sent_again() {
        let now = Instant::now();
        let mut last = LastResponse::new(STALE_AFTER);
        assert!(!last.store(validators("\"v1\""), &reading(0, 1.0), now));
        assert!(last.store(validators("\"v1\""), &reading(5, 1.0), now), "reported once");
        assert!(!last.store(validators("\"v1\""), &reading(6, 1.0), now));
        last.store(validators("\"v2\""), &reading(7, 1.0), now);
        assert_eq!(last.validators(wall(8), now), None);
    }

    #[test]
    fn response_without_validators_is_followed_by_an_unconditional_request() {
        let now = Instant::now();
        let mut last = LastResponse::new(STALE_AFTER);
        assert_eq!(last.validators(wall(0), now), None);
        last.store(Validators::default(), &reading(0, 1.0), now);
        last.store(Validators::default(), &reading(1, 2.0), now);
        assert_eq!(last.validators(wall(1), now), None);
        last.store(validators("\"v1\""), &reading(2, 2.0), now);
        assert!(last.validators(wall(3), now).is_some(), "no validators are no lie");
    }
}
