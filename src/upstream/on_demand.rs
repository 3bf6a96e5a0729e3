//! Polls on demand: requests from handlers for a poll, at most one after each pause.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shortest time from the end of a poll to a poll on demand; the interval if that is shorter.
const MIN_PAUSE: Duration = Duration::from_secs(10);

/// Result of a request for a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollRequest {
    /// The poll begins at once, or is in progress.
    Granted,
    /// Refused; a request is granted after this time.
    TooSoon(Duration),
    /// Granted, but another replica polls the source: the caller passes the request on.
    Elsewhere,
}

/// Requests for polls of one source. A request never blocks, and at most one is on its way to the scheduler,
/// however many arrive.
#[derive(Debug)]
pub(super) struct OnDemand {
    base: Instant,
    pause: Duration,
    /// Earliest time of a poll on demand, in milliseconds after `base`.
    earliest: AtomicU64,
    /// True from a request until the scheduler has acted on it.
    is_pending: AtomicBool,
}

impl OnDemand {
    pub(super) fn new(interval: Duration) -> OnDemand {
        OnDemand {
            base: Instant::now(),
            pause: MIN_PAUSE.min(interval),
            earliest: AtomicU64::new(0),
            is_pending: AtomicBool::new(false),
        }
    }

    /// Returns the time until a poll on demand is allowed.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let earliest = self.base + Duration::from_millis(self.earliest.load(Ordering::Relaxed));
        earliest.saturating_duration_since(now)
    }

    /// Requests a poll, unless the last one ended within the pause or the upstream requested a longer wait. Calls
    /// `send` if no request is pending.
    pub(super) fn request(&self, now: Instant, send: impl FnOnce()) -> PollRequest {
        let wait = self.wait(now);
        if !wait.is_zero() {
            return PollRequest::TooSoon(wait);
        }
        if !self.is_pending.swap(true, Ordering::Relaxed) {
            send();
        }
        PollRequest::Granted
    }

    /// Ends the pause after the last poll.
    #[cfg(test)]
    pub(super) fn end_pause(&self) {
        self.earliest.store(0, Ordering::Relaxed);
    }

    /// Records that the scheduler has acted on the pending request: its poll starts, or another one has satisfied
    /// it.
    pub(super) fn acted(&self) {
        self.is_pending.store(false, Ordering::Relaxed);
    }

    /// Records the end of a poll; `requested_wait` is the time that the upstream asked us to wait.
    pub(super) fn polled(&self, now: Instant, requested_wait: Duration) {
        let earliest = now + requested_wait.max(self.pause);
        let millis = earliest.saturating_duration_since(self.base).as_millis();
        self.earliest.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_granted_after_the_pause() {
        let on_demand = OnDemand::new(Duration::from_secs(300));
        let start = Instant::now();
        let request = |at| {
            let mut is_sent = false;
            (on_demand.request(at, || is_sent = true), is_sent)
        };
        assert_eq!(request(start), (PollRequest::Granted, true));
        assert_eq!(request(start), (PollRequest::Granted, false), "the same poll");
        on_demand.acted();
        assert_eq!(request(start), (PollRequest::Granted, true), "during the poll");
        on_demand.polled(start, Duration::ZERO);
        on_demand.acted();
        let (PollRequest::TooSoon(wait), false) = request(start + Duration::from_secs(4)) else {
            panic!("too soon")
        };
        assert!(wait <= Duration::from_secs(6) && wait > Duration::from_secs(5), "{wait:?}");
        assert_eq!(request(start + Duration::from_secs(10)), (PollRequest::Granted, true));
        on_demand.polled(start, Duration::from_secs(600));
        let (later, is_sent) = request(start + Duration::from_secs(500));
        assert!(matches!(later, PollRequest::TooSoon(_)), "the upstream requested a longer wait");
        assert!(!is_sent);
    }

    #[test]
    fn a_million_requests_send_one() {
        let on_demand = OnDemand::new(Duration::from_secs(300));
        let (start, mut sent) = (Instant::now(), 0);
        for _ in 0..1_000_000 {
            assert_eq!(on_demand.request(start, || sent += 1), PollRequest::Granted);
        }
        assert_eq!(sent, 1);
    }

    #[test]
    fn pause_is_at_most_the_interval() {
        let on_demand = OnDemand::new(Duration::from_secs(2));
        let start = Instant::now();
        on_demand.polled(start, Duration::ZERO);
        assert_eq!(on_demand.request(start + Duration::from_secs(2), || {}), PollRequest::Granted);
    }
}
