//! Polls on demand: requests from handlers to a poller, at most one after each pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Shortest time from the end of a poll to a poll on demand; the interval if that is shorter.
const MIN_PAUSE: Duration = Duration::from_secs(10);

/// Result of a request for a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollRequest {
    /// The poll begins at once, or is in progress.
    Granted,
    /// Refused; a request is granted after this time.
    TooSoon(Duration),
}

/// Channel from handlers to the poller. A request never blocks.
#[derive(Debug)]
pub(super) struct OnDemand {
    base: Instant,
    pause: Duration,
    /// Earliest time of a poll on demand, in milliseconds after `base`.
    earliest: AtomicU64,
    sender: Sender<()>,
    receiver: Receiver<()>,
    /// Times of polls that the schedule does not know of.
    repolls: (Sender<Instant>, Receiver<Instant>),
}

impl OnDemand {
    pub(super) fn new(interval: Duration) -> OnDemand {
        let (sender, receiver) = bounded(1);
        let pause = MIN_PAUSE.min(interval);
        let (base, earliest) = (Instant::now(), AtomicU64::new(0));
        OnDemand { base, pause, earliest, sender, receiver, repolls: bounded(1) }
    }

    /// Requests a poll, unless the last one ended within the pause or the upstream requested a longer wait.
    pub(super) fn request(&self, now: Instant) -> PollRequest {
        let earliest = self.base + Duration::from_millis(self.earliest.load(Ordering::Relaxed));
        let wait = earliest.saturating_duration_since(now);
        if !wait.is_zero() {
            return PollRequest::TooSoon(wait);
        }
        // If the channel is full, a request is pending already.
        let _ = self.sender.try_send(());
        PollRequest::Granted
    }

    /// Requests a poll at a time, because the clock of the machine was set: a poll before or during that
    /// may have failed for the wrong time, such as by a certificate that seemed not yet valid. The pause does not
    /// apply, but a wait that the upstream requested does.
    pub(super) fn repoll(&self, at: Instant) {
        // If the channel is full, a repoll is pending already.
        let _ = self.repolls.0.try_send(at);
    }

    /// Returns the poller's end of the channel of repolls.
    pub(super) fn repolls(&self) -> &Receiver<Instant> {
        &self.repolls.1
    }

    /// Ends the pause after the last poll.
    #[cfg(test)]
    pub(super) fn end_pause(&self) {
        self.earliest.store(0, Ordering::Relaxed);
    }

    /// Returns the poller's end of the channel.
    pub(super) fn requests(&self) -> &Receiver<()> {
        &self.receiver
    }

    /// Records the end of a poll; `requested_wait` is the time that the upstream asked us to wait.
    pub(super) fn polled(&self, now: Instant, requested_wait: Duration) {
        let earliest = now + requested_wait.max(self.pause);
        let millis = earliest.saturating_duration_since(self.base).as_millis();
        self.earliest.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
        // The poll that just ended satisfies a request that arrived during it.
        let _ = self.receiver.try_recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_granted_after_the_pause() {
        let on_demand = OnDemand::new(Duration::from_secs(300));
        let start = Instant::now();
        assert_eq!(on_demand.request(start), PollRequest::Granted);
        assert_eq!(on_demand.request(start), PollRequest::Granted, "the same poll");
        assert_eq!(on_demand.requests().len(), 1);
        on_demand.polled(start, Duration::ZERO);
        assert!(on_demand.requests().is_empty());
        let PollRequest::TooSoon(wait) = on_demand.request(start + Duration::from_secs(4)) else {
            panic!("too soon")
        };
        assert!(wait <= Duration::from_secs(6) && wait > Duration::from_secs(5), "{wait:?}");
        assert_eq!(on_demand.request(start + Duration::from_secs(10)), PollRequest::Granted);
        on_demand.polled(start, Duration::from_secs(600));
        let later = start + Duration::from_secs(500);
        assert!(
            matches!(on_demand.request(later), PollRequest::TooSoon(_)),
            "the upstream requested a longer wait"
        );
    }

    #[test]
    fn pause_is_at_most_the_interval() {
        let on_demand = OnDemand::new(Duration::from_secs(2));
        let start = Instant::now();
        on_demand.polled(start, Duration::ZERO);
        assert_eq!(on_demand.request(start + Duration::from_secs(2)), PollRequest::Granted);
    }
}
