//! Time between two attempts after failures.

use std::time::Duration;

use crate::notify::delivery::DeliveryFault;

/// Longest wait after the first failure that may pass.
pub const MIN_BACKOFF: Duration = Duration::from_secs(5);

/// Longest wait after many failures that may pass.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// Longest wait after the first refusal: a proxy that starts answers 404 for some seconds.
pub const MIN_REFUSED: Duration = Duration::from_secs(60);

/// Longest wait after many refusals.
pub const MAX_REFUSED: Duration = Duration::from_secs(60 * 60);

/// Pause before a part of a message that was not taken is sent.
pub const SPLIT_PAUSE: Duration = Duration::from_secs(2);

/// Longest time that a server can ask to wait.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Largest exponent that is needed to get from a shortest wait to the longest one.
const MAX_DOUBLINGS: u32 = 8;

/// Jittered exponential backoff.
#[derive(Debug)]
pub(super) struct Backoff {
    random: fastrand::Rng,
    failures: u32,
    /// Time since boot of the next attempt.
    retry_at: Duration,
    /// Time since boot until which the server has asked to wait.
    asked_until: Duration,
}

impl Backoff {
    pub(super) const fn new(random: fastrand::Rng) -> Backoff {
        Backoff { random, failures: 0, retry_at: Duration::ZERO, asked_until: Duration::ZERO }
    }

    /// Returns the time since boot before which no attempt is made.
    pub(super) fn retry_at(&self) -> Duration {
        self.retry_at.max(self.asked_until)
    }

    /// Begins anew, after a success or with other settings.
    pub(super) const fn reset(&mut self) {
        (self.failures, self.retry_at, self.asked_until) = (0, Duration::ZERO, Duration::ZERO);
    }

    /// Allows an attempt at once, unless the server has asked to wait.
    pub(super) const fn end_wait(&mut self) {
        self.retry_at = Duration::ZERO;
    }

    /// Records a failure. Returns the time until the next attempt.
    pub(super) fn failed(
        &mut self,
        fault: DeliveryFault,
        retry_after: Option<Duration>,
        now: Duration,
    ) -> Duration {
        let wait = match fault {
            DeliveryFault::Refused => self.jittered(MIN_REFUSED, MAX_REFUSED, self.failures),
            _ => self.jittered(MIN_BACKOFF, MAX_BACKOFF, self.failures),
        };
        self.failures = self.failures.saturating_add(1);
        self.wait(wait, retry_after, now)
    }

    /// Records that a message was not taken, of which a part is sent next. Returns the time until then.
    pub(super) fn split(&mut self, retry_after: Option<Duration>, now: Duration) -> Duration {
        self.wait(SPLIT_PAUSE, retry_after, now)
    }

    /// Returns the time until the next attempt of a message that was rejected that many times before.
    pub(super) fn rejected(&mut self, times: u32) -> Duration {
        self.jittered(MIN_REFUSED, MAX_REFUSED, times)
    }

    fn wait(&mut self, wait: Duration, retry_after: Option<Duration>, now: Duration) -> Duration {
        self.retry_at = now + wait;
        self.asked_until = now + retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        self.retry_at() - now
    }

    /// Returns a wait that doubles with each failure, between half of it and all of it, so that channels that failed
    /// together do not retry together.
    fn jittered(&mut self, first: Duration, most: Duration, failures: u32) -> Duration {
        let longest = (first * 2_u32.pow(failures.min(MAX_DOUBLINGS))).min(most);
        longest.mul_f64(0.5 + self.random.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(backoff: &mut Backoff, fault: DeliveryFault, retry_after: Option<u64>) -> Duration {
        backoff.failed(fault, retry_after.map(Duration::from_secs), Duration::ZERO)
    }

    fn transient(backoff: &mut Backoff, retry_after: Option<u64>) -> Duration {
        failed(backoff, DeliveryFault::Transient, retry_after)
    }

    #[test]
    fn wait_doubles_with_jitter_up_to_its_maximum() {
        let transient_steps = [5_u64, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900];
        let refused_steps = [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600];
        for (fault, steps) in
            [(DeliveryFault::Transient, transient_steps), (DeliveryFault::Refused, refused_steps)]
        {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
            for longest in steps {
                let wait = failed(&mut backoff, fault, None);
                let longest = Duration::from_secs(longest);
                assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
                assert_eq!(backoff.retry_at(), wait);
            }
            backoff.reset();
            assert_eq!(backoff.retry_at(), Duration::ZERO);
            assert!(failed(&mut backoff, fault, None) <= Duration::from_secs(steps[0]));
            let waits: Vec<Duration> = (0..4)
                .map(|seed| failed(&mut Backoff::new(fastrand::Rng::with_seed(seed)), fault, None))
                .collect();
            assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "there is no jitter");
        }
    }

    #[test]
    fn time_that_the_server_asks_for_is_kept_up_to_a_day() {
        let day = MAX_RETRY_AFTER.as_secs();
        for (asked, expected) in [(60, 60), (day, day), (u64::MAX, day)] {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
            let wait = transient(&mut backoff, Some(asked));
            assert_eq!(wait, Duration::from_secs(expected), "{asked}");
            backoff.end_wait();
            assert_eq!(backoff.retry_at(), wait, "a retry on request waits for it too");
        }
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        assert!(transient(&mut backoff, Some(0)) >= MIN_BACKOFF / 2, "a shorter one is not");
    }

    #[test]
    fn retry_on_request_does_not_begin_the_steps_anew() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        for _ in 0..20 {
            transient(&mut backoff, None);
            backoff.end_wait();
            assert_eq!(backoff.retry_at(), Duration::ZERO);
        }
        assert!(transient(&mut backoff, None) >= MAX_BACKOFF / 2);
    }

    #[test]
    fn parts_of_a_message_wait_a_moment_whatever_their_number() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        for _ in 0..20 {
            assert_eq!(backoff.split(None, Duration::ZERO), SPLIT_PAUSE);
        }
        assert!(transient(&mut backoff, None) <= MIN_BACKOFF);
        let asked = Some(Duration::from_secs(60));
        assert_eq!(backoff.split(asked, Duration::ZERO), Duration::from_secs(60));
    }
}
