//! Counters that replicas share, and the rows by which they exchange them.
//!
//! Attempts that were refused as busy are counted by each replica for itself: what they may reveal about an account
//! is charged to its counter, which is shared.

use std::time::{Duration, Instant};

use super::{Ledger, backoff};
use crate::access::key::Fingerprint;
use crate::access::rows::CountRow;
use crate::access::rules::Limits;
use crate::access::throttle::{Count, Instance, Throttle};

/// Number of shared counters.
const SHARED: usize = 5;

impl Ledger {
    /// Returns the shared counters. Their places are the kinds of rows.
    fn shared(&mut self) -> [&mut Throttle; SHARED] {
        [
            &mut self.by_address,
            &mut self.by_account,
            &mut self.by_account_known,
            &mut self.by_device,
            &mut self.by_account_device,
        ]
    }

    fn of_kind(&mut self, kind: i16) -> Option<&mut Throttle> {
        self.shared().into_iter().nth(usize::try_from(kind).ok()?)
    }

    /// Returns counts that other replicas have not been sent, at most `max`: those with the most failures first.
    pub(in crate::access) fn unsent(
        &mut self,
        now: Instant,
        longest: Duration,
        max: usize,
    ) -> Vec<CountRow> {
        let mut unsent: Vec<(i16, Fingerprint, Count)> = Vec::new();
        for (kind, throttle) in (0_i16..).zip(self.shared()) {
            unsent.extend(throttle.unsent().into_iter().map(|(key, count)| (kind, key, count)));
        }
        if unsent.len() > max {
            unsent.sort_unstable_by_key(|(.., count)| std::cmp::Reverse(count.failures));
            unsent.truncate(max);
        }
        let row = |(kind, key, count): (i16, Fingerprint, Count)| {
            CountRow::of(kind, key, &count, now, longest)
        };
        unsent.into_iter().map(row).collect()
    }

    /// Notes that counts were sent.
    pub(in crate::access) fn sent(&mut self, rows: &[CountRow]) {
        for row in rows {
            let version = u64::try_from(row.version).unwrap_or_default();
            if let Some(throttle) = self.of_kind(row.kind) {
                throttle.sent(&row.key, version);
            }
        }
    }

    /// Has all counts sent again.
    pub(in crate::access) fn resend(&mut self) {
        self.shared().into_iter().for_each(Throttle::resend);
    }

    /// Takes the counts of other replicas. Rows of unknown kinds are those of a later version.
    pub(in crate::access) fn observe(
        &mut self,
        rows: &[(Instance, CountRow)],
        now: Instant,
        limits: &Limits,
    ) {
        // In the order of the kinds.
        let free = [
            limits.failures_per_address,
            limits.failures_per_account,
            limits.failures_per_account,
            limits.failures_per_address,
            limits.failures_per_account,
        ];
        for (instance, row) in rows {
            let free = usize::try_from(row.kind).ok().and_then(|kind| free.get(kind));
            if let (Some(free), Some(throttle)) = (free, self.of_kind(row.kind)) {
                throttle.observe(&row.key, *instance, row.count(now), now, backoff(limits, *free));
            }
        }
    }

    /// Drops all records of callers, whose fingerprints have changed.
    pub(in crate::access) fn clear(&mut self) {
        self.shared().into_iter().for_each(Throttle::clear);
        self.busy.clear();
        self.known_networks.clear();
    }
}
