//! The beginning of a tick: what to send.

use std::sync::Arc;
use std::time::Duration;

use super::entry::{Entry, Lease};
use super::exchange::{LeaseRead, Registration, Renewal, TickRequest};
use super::state::{Cluster, PAUSE, Sent};
use crate::kernel::clock::TimePoint;

impl Cluster {
    /// Begins a tick: returns what to send. The previous one must have ended.
    pub fn begin_tick(&mut self, now: TimePoint) -> TickRequest {
        let now = now.boot;
        let digest = self.plan.digest();
        let registration = || Registration { digest, hashes: self.plan.hashes() };
        let renewal = match self.registered {
            None => Renewal::Register(registration()),
            Some(registered) if registered != digest => Renewal::Reconfigure(registration()),
            Some(_) => Renewal::Renew,
        };
        let is_due = |since: Option<Duration>, after: Duration| {
            since.is_none_or(|since| now >= since.saturating_add(after))
        };
        // After a failure or a pause, what is known of leases is outdated.
        let is_outdated =
            self.is_failing || self.tenure.has_lapsed(now) || is_due(self.answered, PAUSE);
        let reads_all = is_outdated || is_due(self.read_all, self.terms.read_all);
        let read = if reads_all { LeaseRead::All } else { LeaseRead::Recent };
        let (releases, acquisitions) = match is_outdated {
            false => (self.releases(now), self.acquisitions(now)),
            true => (Vec::new(), Vec::new()),
        };
        self.replicas.learn(&self.plan);
        let poll_requests: Vec<Arc<str>> = self.poll_requests.keys().cloned().collect();
        let sent = Sent { at: now, read, digest, poll_requests: poll_requests.clone() };
        self.in_flight = Some(sent);
        TickRequest {
            sent: now,
            replica: Arc::clone(&self.replica),
            instance: self.instance,
            ttl: self.terms.ttl,
            renewal,
            releases,
            acquisitions,
            poll_requests,
            known_digests: self.replicas.known_digests(),
            read,
        }
    }

    /// Returns the request by which this replica leaves at a stop, once its polls have ended and their readings are
    /// published. Others take its sources at once. No tick follows.
    pub fn leave(&mut self, now: TimePoint) -> TickRequest {
        let mut request = self.begin_tick(now);
        request.renewal = Renewal::Leave;
        (request.releases, request.acquisitions) = (Vec::new(), Vec::new());
        self.tenure.lose();
        request
    }

    /// Returns the leases to release: those that are published, of each unit together.
    fn releases(&mut self, now: Duration) -> Vec<(Arc<str>, i64)> {
        let wait = self.terms.release_wait;
        for entry in self.entries.values_mut() {
            if let Lease::Releasing { began, is_published, .. } = &mut entry.lease {
                *is_published |= now >= began.saturating_add(wait);
            }
        }
        let is_unpublished = |source: &Arc<str>| {
            let lease = self.entries.get(source).map(|entry| entry.lease);
            matches!(lease, Some(Lease::Releasing { is_published: false, .. }))
        };
        let releases = self.entries.iter().filter_map(|(source, entry)| {
            let epoch = match entry.lease {
                Lease::Releasing { epoch, is_published: true, .. } => epoch,
                // Acquired by a request whose reply was lost.
                Lease::None if !entry.is_ours && entry.holder() == Some(self.instance) => {
                    entry.row_epoch()
                }
                _ => return None,
            };
            let unit = self.plan.unit_of(source);
            let waits = unit.is_some_and(|unit| unit.sources.iter().any(is_unpublished));
            (!waits).then(|| (Arc::clone(source), epoch))
        });
        releases.collect()
    }

    /// Returns the sources to acquire: of each unit together, once no other replica has one of them.
    fn acquisitions(&self, now: Duration) -> Vec<Arc<str>> {
        let mut acquisitions = Vec::new();
        for unit in self.plan.units() {
            let ours = unit.sources.iter().filter_map(|source| {
                let entry = self.entries.get(source).filter(|entry| entry.is_ours)?;
                Some((source, entry))
            });
            let is_free = |entry: &Entry| match (entry.lease, entry.holder()) {
                (Lease::Held { .. } | Lease::Acquired { .. }, _) => true,
                (Lease::Releasing { .. }, _) => false,
                (Lease::None, None) => true,
                (Lease::None, Some(holder)) => {
                    holder == self.instance
                        || now >= self.grace_until && !self.replicas.is_live(holder)
                }
            };
            if ours.clone().all(|(_, entry)| is_free(entry)) {
                let wanted = ours.filter(|(_, entry)| entry.lease == Lease::None);
                acquisitions.extend(wanted.map(|(source, _)| Arc::clone(source)));
            }
        }
        acquisitions
    }
}
