//! Polls that somebody asks for, within the manners of the source.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Between the end of a poll and one on demand; less where the interval is shorter.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// What came of asking for a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It begins at once, or is under way.
    Granted,
    /// Not before that long from now.
    TooSoon(Duration),
}

/// Where visitors ask and the poller hears. Asking never waits.
#[derive(Debug)]
pub(super) struct OnDemand {
    base: Instant,
    pause: Duration,
    /// Milliseconds after `base` from which on a poll may be had.
    earliest: AtomicU64,
    ask: Sender<()>,
    asked: Receiver<()>,
}

impl OnDemand {
    pub(super) fn new(interval: Duration) -> OnDemand {
        let (ask, asked) = bounded(1);
        let pause = LEAST_PAUSE.min(interval);
        OnDemand { base: Instant::now(), pause, earliest: AtomicU64::new(0), ask, asked }
    }

    /// Asks for a poll.
    pub(super) fn ask(&self, now: Instant) -> Asked {
        let earliest = self.base + Duration::from_millis(self.earliest.load(Ordering::Relaxed));
        let left = earliest.saturating_duration_since(now);
        if !left.is_zero() {
            return Asked::TooSoon(left);
        }
        // When it is full, somebody has asked already.
        let _ = self.ask.try_send(());
        Asked::Granted
    }

    #[cfg(test)]
    pub(super) fn forget_pause(&self) {
        self.earliest.store(0, Ordering::Relaxed);
    }

    /// Where the poller hears.
    pub(super) fn asked(&self) -> &Receiver<()> {
        &self.asked
    }

    /// A poll has ended; `hold` is how long the upstream is to be left alone.
    pub(super) fn polled(&self, now: Instant, hold: Duration) {
        let earliest = now + hold.max(self.pause);
        let millis = earliest.saturating_duration_since(self.base).as_millis();
        self.earliest.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
        // Whoever asked while it was under way has what they wanted.
        let _ = self.asked.try_recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_granted_within_the_manners_of_the_source() {
        let desk = OnDemand::new(Duration::from_secs(300));
        let start = Instant::now();
        assert_eq!(desk.ask(start), Asked::Granted);
        assert_eq!(desk.ask(start), Asked::Granted, "the same poll");
        assert_eq!(desk.asked().len(), 1);
        desk.polled(start, Duration::ZERO);
        assert!(desk.asked().is_empty());
        let Asked::TooSoon(left) = desk.ask(start + Duration::from_secs(4)) else {
            panic!("too soon")
        };
        assert!(left <= Duration::from_secs(6) && left > Duration::from_secs(5), "{left:?}");
        assert_eq!(desk.ask(start + Duration::from_secs(10)), Asked::Granted);
        desk.polled(start, Duration::from_secs(600));
        let later = start + Duration::from_secs(500);
        assert!(
            matches!(desk.ask(later), Asked::TooSoon(_)),
            "the upstream wants to be left alone"
        );
    }

    #[test]
    fn a_short_interval_is_pause_enough() {
        let desk = OnDemand::new(Duration::from_secs(2));
        let start = Instant::now();
        desk.polled(start, Duration::ZERO);
        assert_eq!(desk.ask(start + Duration::from_secs(2)), Asked::Granted);
    }
}
