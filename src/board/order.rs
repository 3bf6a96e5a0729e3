//! Order of the observations of one upstream: which of two answers is shown.
//!
//! Caches and clusters answer with an older observation by turns, so the latest observation wins. But an
//! upstream whose clock was ahead sends earlier stamps once the clock is right, and so does a device whose
//! clock was set back. Therefore an older observation is believed after three consistent answers:
//!
//! ```text
//!                      older ──────────────────┐ passed over: 1, 2
//!                        ▲                     ▼
//!  first ──► held ──► answer ──► same ──► held, the count is 0
//!                      │   └──► newer ──► held, the count is 0
//!                      └──► third older answer in a row ──► held: reinstated
//! ```
//! - The held stamp was in the future when it was seen first: three answers in a row whose stamps do not
//!   decrease and are not in the future.
//! - It was not: three answers in a row whose stamps advance, while the held observation is stale. Repeated
//!   stamps neither count nor end the row.
//!
//! After a change of the source's configuration, the first answer is believed: it may be of another device, or its
//! time may be read in another way.
//!
//! Answers that alternate never meet either rule, because the held observation ends the row.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::identity::{Relation, Sighting};
use super::reading::{Observed, Stamp};

/// Number of consistent older answers in a row after which an upstream is believed.
const ROW: u32 = 3;

/// Number of stamps from the future that are known. Each counts from its first sight, so none is shown again
/// after another one has replaced it.
const MAX_AHEAD: usize = 16;

/// The observation that is held, and the row of older ones since.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    sighting: Sighting,
    row: Row,
    /// Stamps from the future that were held, oldest first.
    ahead: VecDeque<Timestamp>,
    /// True until the first answer by another configuration: the observation may be that of another device.
    is_doubted: bool,
}

/// Consistent older answers in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    length: u32,
    latest: Option<Timestamp>,
}

/// Result of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The observation that is held: its values may be corrected.
    Same,
    /// A later observation, which is held now.
    Newer,
    /// An older observation, which is passed over.
    Older(Sighting),
    /// An older observation, which is held now because the later one is no longer believed.
    Reinstated,
}

impl Track {
    /// Returns the track of an upstream's first observation.
    pub(crate) fn new(sighting: Sighting) -> Track {
        let mut track =
            Track { sighting, row: Row::default(), ahead: VecDeque::new(), is_doubted: false };
        track.hold(sighting);
        track
    }

    /// Returns the observation that is held.
    pub(super) fn sighting(&self) -> &Sighting {
        &self.sighting
    }

    /// Returns true if the held observation is stale at `now`.
    pub(crate) fn is_stale(&self, now: Timestamp, stale_after: Duration) -> bool {
        let stale_at = self.sighting.observed.at.saturating_add(stale_after);
        stale_at.is_ok_and(|stale_at| now >= stale_at)
    }

    /// Judges an observation that a response at `fetched_at` states, and holds it unless it is passed over.
    /// `is_stale` is true if the held observation is.
    pub(crate) fn see(
        &mut self,
        stated: Observed,
        fetched_at: Timestamp,
        has_equal_values: bool,
        is_stale: bool,
    ) -> Verdict {
        let stated = Sighting::new(stated, fetched_at);
        // A clock that was ahead and is right again states the remembered stamps once more, now truly.
        self.ahead.retain(|stamp| *stamp > fetched_at);
        let is_doubted = std::mem::take(&mut self.is_doubted);
        match self.sighting.relation(&stated, has_equal_values) {
            Relation::Same => {
                self.row = Row::default();
                Verdict::Same
            }
            _ if self.was_ahead(&stated) && !is_doubted => {
                self.row = Row::default();
                Verdict::Older(stated)
            }
            Relation::Newer => {
                self.hold(stated.following(&self.sighting));
                Verdict::Newer
            }
            Relation::Older => {
                if is_doubted || self.continues_row(&stated, is_stale) {
                    self.hold(stated);
                    Verdict::Reinstated
                } else {
                    Verdict::Older(stated)
                }
            }
        }
    }

    /// Believes the next answer, whatever its time.
    pub(super) fn doubt(&mut self) {
        self.is_doubted = true;
    }

    /// Holds the observation that another replica holds. The remembered stamps from the future stay.
    pub(super) fn follow(&mut self, sighting: Sighting) {
        self.is_doubted = false;
        if self.sighting != sighting {
            self.hold(sighting);
        }
    }

    /// Dates the held observation anew after the wall clock was set by `step`, to `now`.
    pub(super) fn redate(&mut self, step: SignedDuration, now: Timestamp) {
        self.ahead.retain(|stamp| *stamp > now);
        let mut sighting = self.sighting;
        sighting.redate(step, now);
        self.hold(sighting);
    }

    fn hold(&mut self, sighting: Sighting) {
        self.sighting = sighting;
        self.row = Row::default();
        if let (Stamp::Absolute(stamp), Some(_)) = (sighting.observed.stamp, sighting.ahead())
            && !self.ahead.contains(&stamp)
        {
            self.ahead.push_back(stamp);
            if self.ahead.len() > MAX_AHEAD {
                self.ahead.pop_front();
            }
        }
    }

    /// Returns true if the stamp is in the future, as it was when it was held, and another has replaced it since.
    fn was_ahead(&self, stated: &Sighting) -> bool {
        stated.ahead().is_some()
            && matches!(stated.observed.stamp, Stamp::Absolute(stamp) if self.ahead.contains(&stamp))
    }

    /// Counts an older answer. Returns true if it completes a row.
    fn continues_row(&mut self, stated: &Sighting, is_stale: bool) -> bool {
        if stated.ahead().is_some() {
            self.row = Row::default();
            return false;
        }
        let held_was_ahead = self.sighting.ahead().is_some();
        let order = stated.order();
        self.row.length = match self.row.latest {
            Some(latest) if order > latest => self.row.length.saturating_add(1),
            Some(latest) if order == latest && held_was_ahead => self.row.length.saturating_add(1),
            Some(latest) if order == latest => self.row.length,
            _ => 1,
        };
        self.row.latest = Some(order);
        self.row.length >= ROW && (held_was_ahead || is_stale)
    }
}
