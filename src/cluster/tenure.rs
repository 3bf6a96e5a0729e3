//! Time for which this replica may poll, by its own clock since boot.
//!
//! ```text
//!            renewed                      its end passes              a renewal that began
//! (none) ─────────────► confirmed ───────────────────────► ended ─────after it fails───────► unconfirmed
//!                           ▲                                │                                   │
//!                           └──────────── renewed ◄──────────┴───────────────────────────────────┘
//! ```
//!
//! The database ends a lease [`Terms::ttl`] after it has renewed it, which is later than the renewal was sent. The
//! holder ends it [`Terms::margin`] earlier, counted from the moment of sending. The clock since boot counts time in
//! suspend, too, and a process that was stopped finds the end in the past: it starts no poll before a round trip.
//!
//! If the database is away, no other replica learns of the end either, unless it is on the other side of a partition.
//! The holder then polls on rather than going blind, marked unconfirmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations of leases. Those of all replicas of a database are equal.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Time from a renewal to the end of the lease, by the database's clock.
    pub ttl: Duration,
    /// Part of it that the holder does not use: clocks drift, and a poll starts a moment after its permit.
    pub margin: Duration,
    /// Longest wait for the poll in flight of a source that is released.
    pub release_wait: Duration,
    /// Time after an outage of the database in which leases that ended are left to their holders, which renew them.
    pub grace: Duration,
    /// Longest time from one read of all leases to the next.
    pub read_all: Duration,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            ttl: Duration::from_secs(8),
            margin: Duration::from_secs(2),
            release_wait: Duration::from_secs(5),
            grace: Duration::from_secs(4),
            read_all: Duration::from_secs(10),
        }
    }
}

/// State of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenureState {
    /// No lease: this replica starts no poll.
    Ended,
    /// The lease is valid.
    Confirmed,
    /// The lease has ended and the database is away: this replica polls what it held.
    Unconfirmed,
}

impl TenureState {
    /// Returns its name on the scoreboard.
    pub const fn as_str(self) -> &'static str {
        match self {
            TenureState::Ended => "ended",
            TenureState::Confirmed => "confirmed",
            TenureState::Unconfirmed => "unconfirmed",
        }
    }
}

/// End of the time in which polls may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollsUntil {
    /// Until this time since boot.
    Boot(Duration),
    /// Until the database answers.
    Unconfirmed,
}

/// Permit to start polls, which the scheduler checks before each start: one atomic. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Permit(Arc<AtomicU64>);

impl Permit {
    /// Returns true if a poll may start at this time since boot.
    pub fn allows(&self, boot: Duration) -> bool {
        micros(boot) < self.0.load(Ordering::Acquire)
    }

    /// Allows polls until this time.
    pub fn set(&self, until: PollsUntil) {
        let until = match until {
            PollsUntil::Boot(end) => micros(end),
            PollsUntil::Unconfirmed => u64::MAX,
        };
        self.0.store(until, Ordering::Release);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX - 1)
}

/// The lease of this replica.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    /// End by the clock since boot; `None` before the first renewal.
    end: Option<Duration>,
    is_unconfirmed: bool,
}

impl Tenure {
    /// Records a renewal that was sent at `sent`.
    pub(super) fn renewed(&mut self, sent: Duration, terms: &Terms) {
        let end = sent + terms.ttl.saturating_sub(terms.margin);
        self.end = Some(self.end.map_or(end, |earlier| earlier.max(end)));
        self.is_unconfirmed = false;
    }

    /// Records that a renewal which was sent at `sent` has failed. Returns true if polls are unconfirmed from now on.
    pub(super) fn failed(&mut self, sent: Duration) -> bool {
        let begins = !self.is_unconfirmed && self.end.is_some_and(|end| sent >= end);
        self.is_unconfirmed |= begins;
        begins
    }

    /// Begins with unconfirmed polls.
    pub(super) fn resume(&mut self) {
        self.is_unconfirmed = true;
    }

    /// Ends the lease: the database does not know it.
    pub(super) fn lose(&mut self) {
        *self = Tenure::default();
    }

    /// Returns true if the lease has ended, or polls are unconfirmed.
    pub(super) fn has_lapsed(&self, boot: Duration) -> bool {
        self.state(boot) != TenureState::Confirmed
    }

    pub(super) fn state(&self, boot: Duration) -> TenureState {
        match self.end {
            _ if self.is_unconfirmed => TenureState::Unconfirmed,
            Some(end) if boot < end => TenureState::Confirmed,
            _ => TenureState::Ended,
        }
    }

    /// Returns the end of the time in which polls may start.
    pub(super) fn polls_until(&self) -> PollsUntil {
        match self.is_unconfirmed {
            true => PollsUntil::Unconfirmed,
            false => PollsUntil::Boot(self.end.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn lease_ends_before_the_database_ends_it_by_the_time_of_sending() {
        let (terms, permit, mut tenure) = (Terms::default(), Permit::default(), Tenure::default());
        assert!(!permit.allows(Duration::ZERO));
        assert_eq!(tenure.state(seconds(100)), TenureState::Ended);
        tenure.renewed(seconds(100), &terms);
        permit.set(tenure.polls_until());
        assert_eq!(tenure.state(seconds(105)), TenureState::Confirmed);
        assert!(permit.allows(seconds(105)));
        // The process was stopped, or the machine suspended.
        assert_eq!(tenure.state(seconds(106)), TenureState::Ended);
        assert!(!permit.allows(seconds(106)));
        // An answer to an earlier request does not shorten it.
        tenure.renewed(seconds(99), &terms);
        assert_eq!(tenure.polls_until(), PollsUntil::Boot(seconds(106)));
    }

    #[test]
    fn polls_are_unconfirmed_after_a_renewal_that_began_after_the_end_has_failed() {
        let (terms, permit, mut tenure) = (Terms::default(), Permit::default(), Tenure::default());
        assert!(!tenure.failed(seconds(90)), "there was no lease");
        tenure.renewed(seconds(100), &terms);
        assert!(!tenure.failed(seconds(101)) && !tenure.failed(seconds(105)));
        assert_eq!(tenure.state(seconds(107)), TenureState::Ended);
        assert!(tenure.failed(seconds(106)));
        assert!(!tenure.failed(seconds(109)), "once");
        assert_eq!(tenure.state(seconds(1000)), TenureState::Unconfirmed);
        permit.set(tenure.polls_until());
        assert!(permit.allows(seconds(1000)));
        tenure.renewed(seconds(1000), &terms);
        permit.set(tenure.polls_until());
        assert_eq!(tenure.state(seconds(1006)), TenureState::Ended);
        assert!(!permit.allows(seconds(1006)));
        tenure.lose();
        assert!(!tenure.failed(seconds(2000)), "a lost lease is not held on");
    }
}
