//! Addresses at which the server has answered, which it goes on to serve whatever its file says.
//!
//! A file that is edited, emptied or moved changes the plan, and not the server, which was started before.
//! So an address of the previous plan that has answered is probed further, until the server answers by the
//! new plan. See `reconcile`.
//!
//! The number of connections that the server has shed is remembered, too, to notice that it sheds.

use std::collections::BTreeSet;

use super::plan::Plan;
use super::probed::Probed;
use crate::order;

/// Most addresses of previous plans that are probed.
const MAX_FORMER: usize = 8;

/// Address of a previous plan.
#[derive(Debug, Clone)]
pub(super) struct Former {
    pub(super) probed: Probed,
    /// True for an admin listener.
    pub(super) is_admin: bool,
}

/// Addresses at which the server has answered.
#[derive(Debug, Default)]
pub(super) struct KnownAddresses {
    /// Keys of the addresses of the plan that have answered.
    answered: BTreeSet<String>,
    /// Addresses of previous plans that have answered, and that are not in the plan.
    former: Vec<Former>,
    /// Number of shed connections at the latest probe that was closed early; 0 at first.
    shed: u64,
}

impl KnownAddresses {
    /// Takes note that `next` replaces `plan`.
    pub(super) fn follow(&mut self, plan: &Plan, next: &Plan) {
        let keys: BTreeSet<String> = order::gathered(next.probes().map(Probed::key));
        let admin = plan.admin.iter().map(|probed| (probed, true));
        for (probed, is_admin) in admin.chain(plan.public.iter().map(|probed| (probed, false))) {
            if self.answered.contains(&probed.key()) {
                self.former.push(Former { probed: probed.clone(), is_admin });
            }
        }
        // An address that is in the plan again has answered before.
        let back = self.former.iter().map(|former| former.probed.key());
        self.answered.extend(back.filter(|key| keys.contains(key)));
        self.former.retain(|former| !keys.contains(&former.probed.key()));
        self.answered.retain(|key| keys.contains(key));
        let outdated = self.former.len().saturating_sub(MAX_FORMER);
        self.former.drain(..outdated);
    }

    /// Returns the addresses of previous plans.
    pub(super) fn former(&self) -> &[Former] {
        &self.former
    }

    /// Returns true if the server has answered at an address of the plan.
    pub(super) fn has_answered(&self, probed: &Probed) -> bool {
        self.answered.contains(&probed.key())
    }

    /// Records that the server has answered at an address of the plan.
    pub(super) fn record(&mut self, probed: &Probed) {
        self.answered.insert(probed.key());
    }

    /// Records the number of connections that the server has shed. Returns true if it has shed some since the
    /// previous call; a server that was restarted counts from 0.
    pub(super) fn has_shed(&mut self, total: u64) -> bool {
        total > 0 && std::mem::replace(&mut self.shed, total) != total
    }

    /// Removes the addresses of previous plans of which `is_over` returns true.
    pub(super) fn forget(&mut self, mut is_over: impl FnMut(&Former) -> bool) {
        self.former.retain(|former| !is_over(former));
    }
}
