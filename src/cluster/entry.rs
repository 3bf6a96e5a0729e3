//! State of one source on this replica, and the row that the database has of it.

use std::time::Duration;

use super::exchange::LeaseRow;
use super::instance::{InstanceId, ReplicaName};

/// One source.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The lease as last read; `None` if there was no row.
    pub(super) row: Option<LeaseRow>,
    pub(super) lease: Lease,
    /// The replica that should poll it, and whether this is it.
    pub(super) designated: Option<ReplicaName>,
    pub(super) is_ours: bool,
    /// Number of requests for a poll on which this replica has acted.
    pub(super) seen_requests: i64,
    /// Time since which another replica should poll it, while this one does.
    pub(super) moves_since: Option<Duration>,
}

/// The lease of a source, as this replica uses it.
///
/// ```text
///            acquired            unit complete        designated elsewhere     published, then sent
/// None ────────────────► Acquired ───────────► Held ─────────────────────► Releasing ─────────────► None
///   ▲                        │                   │                             │
///   └────────────────────────┴──── the row has another holder, or none ────────┘
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Lease {
    /// Free, or of another replica.
    #[default]
    None,
    /// Ours, but not polled before all of its unit is. `next_poll` is a time since boot.
    Acquired { epoch: i64, next_poll: Option<Duration> },
    /// Ours and polled.
    Held { epoch: i64 },
    /// Ours and not polled any more.
    Releasing { epoch: i64, began: Duration, is_published: bool },
}

/// End of a lease that this replica did not release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing changed.
    None,
    /// Another replica has it, or the database has lost it.
    Dropped,
    /// The row has another epoch, which counts.
    Epoch(i64),
}

impl Entry {
    /// Returns the holder's instance as last read.
    pub(super) fn holder(&self) -> Option<InstanceId> {
        self.row.as_ref()?.holder.as_ref().map(|(_, instance)| *instance)
    }

    /// Returns the epoch as last read.
    pub(super) fn row_epoch(&self) -> i64 {
        self.row.as_ref().map_or(0, |row| row.epoch)
    }

    /// Compares the lease with the row, which counts.
    pub(super) fn reconcile(&mut self, us: InstanceId) -> Change {
        if self.lease == Lease::None {
            return Change::None;
        }
        if self.holder() != Some(us) {
            return if self.end() { Change::Dropped } else { Change::None };
        }
        let current = self.row_epoch();
        match &mut self.lease {
            Lease::Held { epoch } if *epoch != current => {
                *epoch = current;
                Change::Epoch(current)
            }
            Lease::Acquired { epoch, .. } | Lease::Releasing { epoch, .. } => {
                *epoch = current;
                Change::None
            }
            Lease::None | Lease::Held { .. } => Change::None,
        }
    }

    /// Begins to release the lease. Returns true if the source is polled: its release waits for the poll in flight.
    pub(super) fn begin_release(&mut self, now: Duration) -> bool {
        let (epoch, is_published) = match self.lease {
            Lease::Held { epoch } => (epoch, false),
            Lease::Acquired { epoch, .. } => (epoch, true),
            Lease::None | Lease::Releasing { .. } => return false,
        };
        self.lease = Lease::Releasing { epoch, began: now, is_published };
        !is_published
    }

    /// Ends the lease. Returns true if the source is polled, or a reading of it may still be published.
    pub(super) fn end(&mut self) -> bool {
        matches!(
            std::mem::take(&mut self.lease),
            Lease::Held { .. } | Lease::Releasing { is_published: false, .. }
        )
    }

    /// Returns true if a new request for a poll has arrived, and acts on it.
    pub(super) fn take_request(&mut self) -> bool {
        let requests = self.row.as_ref().map_or(0, |row| row.poll_requests);
        // The number goes back at a promotion that loses transactions.
        requests > std::mem::replace(&mut self.seen_requests, requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_for_a_poll_is_a_number_that_grows_also_after_a_promotion_that_has_lost_some() {
        let mut entry = Entry::default();
        assert!(!entry.take_request(), "there is no row");
        let taken = [0, 2, 2, 3, 1, 1, 2].map(|poll_requests| {
            entry.row =
                Some(LeaseRow { source: "tank".into(), holder: None, epoch: 1, poll_requests });
            entry.take_request()
        });
        assert_eq!(taken, [false, true, false, true, false, false, true]);
    }
}
