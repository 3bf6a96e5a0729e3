//! Changes that wait for the disk, merged by key: the latest one wins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::changes::{Changes, SavedState, SharedChanges};
use crate::alert::{Acknowledgement, Incident, IncidentId, Notice, NoticeKey, Silence, SubjectKey};
use crate::order;

/// Most ended incidents that wait. The file keeps no more either.
const MAX_INCIDENTS: usize = super::prune::MAX_ENDED;

/// Most notices, and deletions of notices, that wait.
const MAX_NOTICES: usize = 20_000;

/// Changes by key.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) states: BTreeMap<SubjectKey, Option<SavedState>>,
    pub(super) incidents: BTreeMap<IncidentId, Arc<Incident>>,
    pub(super) silences: BTreeMap<Arc<str>, Option<Timestamp>>,
    /// `None` deletes a notice.
    pub(super) notices: BTreeMap<NoticeKey, Option<Arc<Notice>>>,
    pub(super) shared: PendingShared,
}

/// The part of the changes that only replicas have.
#[derive(Debug, Default)]
pub(super) struct PendingShared {
    /// Epochs by which the states of these sources were changed.
    pub(super) epochs: BTreeMap<Arc<str>, i64>,
    pub(super) silences: BTreeMap<Arc<str>, Silence>,
    pub(super) acknowledgements: BTreeMap<IncidentId, Acknowledgement>,
    pub(super) released: BTreeSet<Arc<str>>,
    /// Notices of which the database has lost the row, while this process claimed them. They are its own whatever
    /// replica has the source now.
    pub(super) reclaimed: BTreeSet<NoticeKey>,
}

impl Pending {
    /// Adds later changes. Returns the number of changes that were discarded for want of room.
    pub(super) fn add(&mut self, changes: Changes) -> u64 {
        let Changes { states, incidents, silences, notices, done, shared } = changes;
        let SharedChanges { epochs, silences: set, acknowledgements, released } = shared;
        for (source, epoch) in epochs {
            let earlier = self.shared.epochs.insert(source.clone(), epoch);
            // A state of an earlier lease would be refused.
            if earlier.is_some_and(|earlier| earlier != epoch) {
                self.states.retain(|key, _| key.source.as_ref() != Some(&source));
            }
        }
        self.shared
            .silences
            .extend(set.into_iter().map(|silence| (silence.alert.clone(), silence)));
        let acknowledgements = acknowledgements.into_iter().map(|known| (known.incident, known.by));
        self.shared.acknowledgements.extend(acknowledgements);
        self.shared.released.extend(released);
        self.states.extend(states);
        self.incidents.extend(incidents.into_iter().map(|incident| (incident.id, incident)));
        self.silences.extend(silences);
        let notices = notices.into_iter().map(|notice| (notice.key.clone(), Some(notice)));
        self.notices.extend(notices);
        self.notices.extend(done.into_iter().map(|key| (key, None)));
        self.bound()
    }

    /// Adds changes that were taken earlier and could not be written. Returns the number of changes that were
    /// discarded for want of room.
    pub(super) fn put_back(&mut self, earlier: Pending) -> u64 {
        let Pending { mut states, incidents, silences, notices, shared } = earlier;
        let PendingShared { epochs, silences: set, acknowledgements, released, reclaimed } = shared;
        self.shared.reclaimed.extend(reclaimed);
        for (source, epoch) in epochs {
            match self.shared.epochs.get(&source) {
                Some(&later) if later != epoch => {
                    states.retain(|key, _| key.source.as_ref() != Some(&source));
                }
                Some(_) => {}
                None => drop(self.shared.epochs.insert(source, epoch)),
            }
        }
        put_back(&mut self.shared.silences, set);
        self.shared.acknowledgements.extend(acknowledgements);
        self.shared.released.extend(released);
        put_back(&mut self.states, states);
        put_back(&mut self.incidents, incidents);
        put_back(&mut self.silences, silences);
        put_back(&mut self.notices, notices);
        self.bound()
    }

    /// Returns the number of changes.
    pub(super) fn len(&self) -> usize {
        let PendingShared { epochs: _, silences, acknowledgements, released, reclaimed: _ } =
            &self.shared;
        let shared = silences.len() + acknowledgements.len() + released.len();
        self.states.len() + self.incidents.len() + self.silences.len() + self.notices.len() + shared
    }

    /// Adds notices that the database has lost, unless they were sent meanwhile.
    pub(super) fn reclaim(&mut self, notices: Vec<Arc<Notice>>) {
        for notice in notices {
            self.shared.reclaimed.insert(notice.key.clone());
            self.notices.entry(notice.key.clone()).or_insert(Some(notice));
        }
    }

    /// Forgets the states of sources whose leases have ended, with the incidents that fire: those of the new holders are
    /// later.
    pub(super) fn forget(&mut self, sources: &[Arc<str>]) {
        let is_lost = |key: &SubjectKey| key.source.as_ref().is_some_and(|of| sources.contains(of));
        self.states.retain(|key, _| !is_lost(key));
        self.incidents.retain(|_, open| open.ended.is_some() || !is_lost(&open.subject));
        self.shared.epochs.retain(|source, _| !sources.contains(source));
    }

    /// Returns the notices that are saved by these changes.
    pub(super) fn saved_notices(&self) -> Vec<NoticeKey> {
        let saved = self.notices.iter().filter(|(_, notice)| notice.is_some());
        saved.map(|(key, _)| key.clone()).collect()
    }

    fn bound(&mut self) -> u64 {
        self.bound_incidents() + self.bound_notices()
    }

    /// Discards the oldest incidents that have ended, beyond their maximum.
    fn bound_incidents(&mut self) -> u64 {
        // Twice the maximum, so that the scan is seldom.
        if self.incidents.len() < 2 * MAX_INCIDENTS {
            return 0;
        }
        let ended = self.incidents.values().filter(|incident| incident.ended.is_some());
        let mut ended: Vec<_> =
            ended.map(|incident| (incident.ended.map(|ended| ended.at), incident.id)).collect();
        order::sort(&mut ended);
        let excess = ended.len().saturating_sub(MAX_INCIDENTS);
        for (_, id) in ended.iter().take(excess) {
            self.incidents.remove(id);
        }
        excess as u64
    }

    /// Discards the oldest notices beyond their maximum. A notice whose deletion is discarded may be sent again.
    fn bound_notices(&mut self) -> u64 {
        if self.notices.len() < 2 * MAX_NOTICES {
            return 0;
        }
        let at = |notice: &Option<Arc<Notice>>| notice.as_ref().map(|notice| notice.at);
        let mut keys: Vec<_> =
            self.notices.iter().map(|(key, notice)| (at(notice), key.clone())).collect();
        order::sort(&mut keys);
        let excess = keys.len().saturating_sub(MAX_NOTICES);
        for (_, key) in keys.iter().take(excess) {
            self.notices.remove(key);
        }
        excess as u64
    }
}

/// Adds entries for keys that have no later one.
fn put_back<K: Ord, V>(later: &mut BTreeMap<K, V>, mut earlier: BTreeMap<K, V>) {
    earlier.append(later);
    *later = earlier;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::NoticeKind;
    use crate::alert::test_notices::{incident, notice};

    #[test]
    fn later_change_of_a_key_wins_also_over_one_that_is_put_back() {
        let mut pending = Pending::default();
        let fired = Arc::new(notice(1, NoticeKind::Fired, 0, 0));
        let silence = |until| Changes { silences: vec![("a".into(), until)], ..Changes::default() };
        pending.add(silence(Some(Timestamp::UNIX_EPOCH)));
        pending.add(Changes { notices: vec![fired.clone()], ..Changes::default() });
        let taken = std::mem::take(&mut pending);
        assert_eq!(taken.saved_notices(), std::slice::from_ref(&fired.key));
        pending.add(silence(None));
        pending.add(Changes { done: vec![fired.key.clone()], ..Changes::default() });
        pending.put_back(taken);
        assert_eq!(pending.silences["a"], None);
        assert_eq!(pending.notices[&fired.key], None);
        assert_eq!((pending.len(), pending.saved_notices().len()), (2, 0));
    }

    #[test]
    fn changes_that_wait_are_bounded() {
        let mut pending = Pending::default();
        let mut discarded = 0;
        for id in 0..50_000_u64 {
            let made = i64::try_from(id).unwrap();
            discarded += pending.add(Changes {
                incidents: vec![Arc::new(incident(id, made, Some(made)))],
                notices: vec![Arc::new(notice(id, NoticeKind::Fired, 0, made))],
                ..Changes::default()
            });
        }
        assert!(pending.incidents.len() <= 2 * MAX_INCIDENTS);
        assert!(pending.notices.len() <= 2 * MAX_NOTICES);
        assert_eq!(discarded, 100_000 - pending.len() as u64);
        assert!(pending.incidents.contains_key(&IncidentId(49_999)), "the latest one is kept");
        let open = incident(70_000, -9, None);
        pending.add(Changes { incidents: vec![Arc::new(open)], ..Changes::default() });
        for id in 50_000..70_000 {
            let ended = Arc::new(incident(id, 0, Some(0)));
            pending.add(Changes { incidents: vec![ended], ..Changes::default() });
        }
        assert!(pending.incidents.contains_key(&IncidentId(70_000)), "an open one is kept");
    }
}
