//! Failures of one key.

use std::time::{Duration, Instant};

use super::Guess;
use super::replicas::{Others, forgotten};

#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) failures: usize,
    /// Start of the period after which the next failure is forgotten.
    pub(super) since: Instant,
    /// End of the wait.
    pub(super) until: Instant,
    /// The latest wrong guess.
    pub(super) wrong: Option<Guess>,
    pub(super) pending: Vec<Pending>,
    /// Time of the latest failure here, for other replicas.
    pub(super) at: Instant,
    /// Version of the latest change here, and of the latest one that was sent.
    pub(super) changed: u64,
    pub(super) sent: u64,
    pub(super) others: Others,
}

/// A charge that may be refunded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) guess: Guess,
    pub(super) until_before: Instant,
    pub(super) until_charged: Instant,
    /// True if a verification decides, which takes milliseconds: other replicas learn of the failure after that.
    pub(super) is_verified: bool,
}

impl Record {
    pub(super) fn new(now: Instant) -> Record {
        Record {
            failures: 0,
            since: now,
            until: now,
            wrong: None,
            pending: Vec::new(),
            at: now,
            changed: 0,
            sent: 0,
            others: Others::default(),
        }
    }

    /// Forgets one failure for each `longest` that has passed.
    pub(super) fn age(&mut self, now: Instant, longest: Duration) {
        let forgotten = forgotten(now, self.since, longest);
        self.failures = self.failures.saturating_sub(forgotten);
        // The number fits: otherwise no failure is left.
        let forgotten = u32::try_from(forgotten).unwrap_or(u32::MAX);
        self.since = if self.failures == 0 { now } else { self.since + longest * forgotten };
        self.others.age(now, longest);
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.failures == 0 && self.until <= now && self.others.is_empty()
    }

    /// Returns the tag of the latest wrong guess.
    pub(super) fn tag(&self) -> Option<u16> {
        self.wrong.map(|Guess { fingerprint, .. }| {
            u16::from_be_bytes([fingerprint[0] & 0xf, fingerprint[1]])
        })
    }

    /// Returns the failures of all replicas together.
    pub(super) fn total(&self, now: Instant, longest: Duration) -> usize {
        self.others.total(self.failures, self.tag(), now, longest)
    }

    /// Returns the failures that other replicas count: those here without the verifications that are running.
    pub(super) fn published(&self) -> usize {
        let running = self.pending.iter().filter(|pending| pending.is_verified).count();
        self.failures.saturating_sub(running)
    }

    pub(super) fn take_pending(&mut self, guess: &Guess) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.guess == *guess)?;
        Some(self.pending.remove(place))
    }
}
