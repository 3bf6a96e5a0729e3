//! Time between two attempts after failures.

use std::time::Duration;

use crate::notify::delivery::DeliveryFault;

/// Longest wait after the first failure.
pub const MIN_BACKOFF: Duration = Duration::from_secs(5);

/// Longest wait after many failures.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// Time between two attempts of a channel that refuses.
pub const REFUSED_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Longest time that a server can ask to wait.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Largest exponent that is needed to get from [`MIN_BACKOFF`] to [`MAX_BACKOFF`].
const MAX_DOUBLINGS: u32 = 8;

/// Jittered exponential backoff.
#[derive(Debug)]
pub(super) struct Backoff {
    random: fastrand::Rng,
    failures: u32,
    /// Time since boot of the next attempt.
    retry_at: Duration,
}

impl Backoff {
    pub(super) const fn new(random: fastrand::Rng) -> Backoff {
        Backoff { random, failures: 0, retry_at: Duration::ZERO }
    }

    /// Returns the time since boot before which no attempt is made.
    pub(super) const fn retry_at(&self) -> Duration {
        self.retry_at
    }

    /// Allows an attempt at once.
    pub(super) const fn reset(&mut self) {
        (self.failures, self.retry_at) = (0, Duration::ZERO);
    }

    /// Records a failure. Returns the time until the next attempt.
    pub(super) fn failed(
        &mut self,
        fault: DeliveryFault,
        retry_after: Option<Duration>,
        now: Duration,
    ) -> Duration {
        let longest = match fault {
            DeliveryFault::Refused => REFUSED_INTERVAL,
            _ => (MIN_BACKOFF * 2_u32.pow(self.failures.min(MAX_DOUBLINGS))).min(MAX_BACKOFF),
        };
        // Between half of it and all of it, so that channels that failed together do not retry together.
        let jittered = match fault {
            DeliveryFault::Refused => longest,
            _ => longest.mul_f64(0.5 + self.random.f64() / 2.0),
        };
        let wait = jittered.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transient(backoff: &mut Backoff, retry_after: Option<u64>) -> Duration {
        let retry_after = retry_after.map(Duration::from_secs);
        backoff.failed(DeliveryFault::Transient, retry_after, Duration::ZERO)
    }

    #[test]
    fn wait_doubles_with_jitter_up_to_its_maximum() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        for longest in [5_u64, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900] {
            let wait = transient(&mut backoff, None);
            let longest = Duration::from_secs(longest);
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
            assert_eq!(backoff.retry_at(), wait);
        }
        backoff.reset();
        assert_eq!(backoff.retry_at(), Duration::ZERO);
        assert!(transient(&mut backoff, None) <= MIN_BACKOFF);
        let waits: Vec<Duration> = (0..4)
            .map(|seed| transient(&mut Backoff::new(fastrand::Rng::with_seed(seed)), None))
            .collect();
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "there is no jitter");
    }

    #[test]
    fn time_that_the_server_asks_for_is_kept_up_to_a_day() {
        let day = MAX_RETRY_AFTER.as_secs();
        for (asked, expected) in [(60, 60), (day, day), (u64::MAX, day)] {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
            let wait = transient(&mut backoff, Some(asked));
            assert_eq!(wait, Duration::from_secs(expected), "{asked}");
        }
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        assert!(transient(&mut backoff, Some(0)) >= MIN_BACKOFF / 2, "a shorter one is not");
    }

    #[test]
    fn channel_that_refuses_is_tried_each_hour() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        for _ in 0..3 {
            let wait = backoff.failed(DeliveryFault::Refused, None, Duration::from_secs(7));
            assert_eq!(wait, REFUSED_INTERVAL);
            assert_eq!(backoff.retry_at(), Duration::from_secs(7) + REFUSED_INTERVAL);
        }
    }
}
