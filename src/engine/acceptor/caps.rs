//! New connections at a cap: which connection is evicted for one, or why it is rejected.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Acceptor;
use crate::client_net::ClientNet;
use crate::eviction::{Cutoffs, candidate_of};
use crate::limits::{MAX_REJECTIONS, UNPROVEN_GRACE};
use crate::scheduler::SlotToken;
use crate::session::Session;
use crate::shared::ReaperTask;
use crate::socket::Stream;
use crate::stats::{CloseReason, ShedReason};

impl Acceptor {
    /// Makes room for a new connection, by an eviction at `max_connections_per_address` or at
    /// `max_connections`.
    ///
    /// # Errors
    /// No connection can be evicted for this one.
    pub(super) fn make_room(&mut self, client_net: Option<ClientNet>) -> Result<(), ShedReason> {
        let cap = self.settings.max_connections;
        if self.open >= cap || self.counts.at_cap(client_net).is_some() {
            // Connections that other threads have closed still count until they are removed.
            self.remove_closed();
        }
        if let Some(client_net) = self.counts.at_cap(client_net) {
            if !self.evict_own(client_net) {
                return Err(ShedReason::AddressCap);
            }
            self.client_cap_log.warn(format_args!(
                "{client_net} is at max_connections_per_address: closed its idle connections for \
                 new ones (if it is a proxy, add it to trusted_proxies)"
            ));
        }
        if self.open >= cap && !self.evict_for(client_net) {
            return Err(ShedReason::ConnectionCap);
        }
        Ok(())
    }

    /// Rejects a new connection at a cap. A plain one is left to the reaper, which answers 503. A TLS
    /// one is closed, because a 503 would take a handshake.
    pub(super) fn reject_at_cap(&self, stream: Stream, reason: ShedReason) {
        self.shared.stats.count_shed(reason);
        self.shared.stats.count_closed(CloseReason::Shed);
        let pending = &self.shared.rejections_pending;
        if self.tls.is_none() && pending.load(Ordering::Relaxed) < MAX_REJECTIONS {
            pending.fetch_add(1, Ordering::Relaxed);
            self.shared.send_reaper(ReaperTask::Reject(stream));
        }
    }

    /// Evicts the first candidate among one client's connections.
    fn evict_own(&mut self, client_net: ClientNet) -> bool {
        if self.counts.is_unevictable(client_net) {
            return false;
        }
        let slots = self.shared.scheduler.slots();
        let candidate = candidate_of(client_net, &slots, &self.counts, self.cutoffs());
        drop(slots);
        let evicted = candidate.is_some_and(|candidate| {
            self.close_evicted(candidate.token(), candidate.evict(), CloseReason::Evicted)
        });
        if !evicted {
            self.counts.set_unevictable(client_net);
        }
        evicted
    }

    /// Evicts the first candidate of all for a new connection of `client_net`, unless it is of a
    /// smaller group: then the first candidate of that client. Returns false if there is none.
    fn evict_for(&mut self, client_net: Option<ClientNet>) -> bool {
        let size_class = self.counts.size_class(client_net);
        let cutoffs = self.cutoffs();
        loop {
            if self.candidates.is_empty() {
                // So that a connection whose request is in the kernel's buffer is no candidate.
                self.shared.scheduler.poll_now();
            }
            let slots = self.shared.scheduler.slots();
            let next = self.candidates.next(&slots, &self.counts, cutoffs);
            drop(slots);
            let Some(candidate) = next else { return false };
            if self.counts.size_class(candidate.client_net()) < size_class {
                self.candidates.put_back(candidate);
                return client_net.is_some_and(|client_net| self.evict_own(client_net));
            }
            if self.close_evicted(candidate.token(), candidate.evict(), CloseReason::Evicted) {
                return true;
            }
        }
    }

    /// Drops the session of an evicted connection and removes it. Returns false if there is none, as
    /// the connection had become busy.
    pub(super) fn close_evicted(
        &mut self,
        token: SlotToken,
        session: Option<Session>,
        reason: CloseReason,
    ) -> bool {
        let Some(session) = session else { return false };
        session.abort();
        self.shared.stats.count_closed(reason);
        self.remove(token);
        true
    }

    fn cutoffs(&self) -> Cutoffs {
        let (now, epoch) = (Instant::now(), self.shared.scheduler.epoch);
        let ago = |grace| epoch.ticks(now.checked_sub(grace).unwrap_or(now));
        Cutoffs { grace: ago(self.settings.eviction_grace), unproven: ago(UNPROVEN_GRACE) }
    }
}
