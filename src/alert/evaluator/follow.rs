//! Rows of other replicas: states and incidents of the sources that those hold, and facts.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::incident::{Incident, SubjectKey};
use super::super::shared::FollowedChanges;
use super::super::store::SavedState;
use super::place::Place;
use super::sharing::Sharing;
use super::subject::Subject;
use super::{Evaluator, MAX_RECENT};
use crate::kernel::clock::TimePoint;

/// Rows that are followed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Extent {
    /// All rows, for the first time.
    First,
    /// All rows.
    All,
    /// Those that other instances have written since.
    New,
}

impl Evaluator {
    /// Applies rows that other replicas have written. The first call with all rows ends the standby.
    ///
    /// Rows may come again, and older ones after newer facts: what is known already changes nothing. States of held
    /// subjects are ignored, since this process knows later ones, unless the database was away as they were taken over.
    /// Writes again the facts of this process that all rows lack.
    pub fn follow(&mut self, changes: FollowedChanges, now: TimePoint) {
        self.notice_step(now);
        let Some(sharing) = &mut self.shared else { return };
        let FollowedChanges { is_all, states, incidents, silences, acknowledgements, unlisted } =
            changes;
        let is_first = is_all && !std::mem::replace(&mut sharing.has_followed, true);
        let extent = match (is_first, is_all) {
            (true, _) => Extent::First,
            (false, true) => Extent::All,
            (false, false) => Extent::New,
        };
        if is_all {
            sharing.open.clear();
            sharing.has_followed = true;
            sharing.unlisted = unlisted.into_iter().collect();
            let Sharing { aside, unlisted, epochs, .. } = &mut **sharing;
            let is_listed = |of: &Arc<str>| !unlisted.contains(of) && !epochs.contains_key(of);
            let listed =
                aside.iter_mut().filter(|(key, _)| key.source.as_ref().is_some_and(is_listed));
            listed.for_each(|(_, (_, since))| *since = None);
        }
        incidents.into_iter().for_each(|incident| self.follow_incident(incident));
        for fact in &acknowledgements {
            self.merge_acknowledgement(fact.clone());
        }
        let mut present: HashSet<SubjectKey> = HashSet::new();
        for (key, row) in states {
            if let Some(replica) = &key.replica {
                self.know_replica(replica, now);
            }
            present.extend(is_all.then(|| key.clone()));
            self.follow_state(&key, row, extent, now.wall);
        }
        if is_all {
            self.clear_absent(&present, now.wall);
        }
        for silence in &silences {
            self.merge_silence(silence.clone(), now.wall);
        }
        if is_all {
            self.continue_unread(now);
            self.write_missing(&silences, &acknowledgements, now.wall);
        }
        if is_first {
            self.begin_sharing(now.wall);
        }
    }

    /// Ends the standby once all rows are known.
    fn begin_sharing(&mut self, now: Timestamp) {
        self.is_active = true;
        for place in self.places() {
            if self.subject(place).is_held && self.is_firing(place) {
                self.announce_unknown(place, now);
            }
            self.requeue(place);
        }
    }

    fn follow_incident(&mut self, incident: Incident) {
        let incident = Arc::new(incident);
        if incident.ended.is_none() {
            let ended = self.recent.iter().position(|ended| ended.id == incident.id);
            let is_held = self.holds(&incident.subject);
            match ended {
                // Its end is being written, or the database has lost it.
                Some(at) if is_held => {
                    self.note_epoch(incident.subject.source.as_ref());
                    self.effects.incidents.push(self.recent[at].clone());
                    return;
                }
                // This process has ended it while another one had the source, and has it go on.
                Some(at) => {
                    self.recent.remove(at);
                    self.is_recent_changed = true;
                }
                None => {}
            }
            let Some(sharing) = &mut self.shared else { return };
            sharing.open.insert(incident.id, incident);
            return;
        }
        let Some(sharing) = &mut self.shared else { return };
        sharing.open.remove(&incident.id);
        sharing.acknowledgements.remove(&incident.id);
        self.remember(incident);
    }

    /// Adds an incident to the latest that have ended. Those of several replicas come in any order.
    pub(super) fn remember(&mut self, incident: Arc<Incident>) {
        if self.shared.is_none() {
            self.recent.push_front(incident);
        } else {
            let rank = |incident: &Incident| (incident.ended.map(|ended| ended.at), incident.id);
            match self.recent.iter().position(|known| known.id == incident.id) {
                Some(at) if *self.recent[at] == *incident => return,
                Some(at) => drop(self.recent.remove(at)),
                None => {}
            }
            let at = self.recent.partition_point(|known| rank(known) > rank(&incident));
            self.recent.insert(at, incident);
            self.is_recent_changed = true;
        }
        self.recent.truncate(MAX_RECENT);
    }

    fn follow_state(
        &mut self,
        key: &SubjectKey,
        row: Option<SavedState>,
        extent: Extent,
        now: Timestamp,
    ) {
        let Some(place) = self.place_of(key) else {
            let Some(sharing) = &mut self.shared else { return };
            match row {
                Some(row) => {
                    let since = sharing.aside.get(key).and_then(|(_, since)| *since);
                    drop(sharing.aside.insert(key.clone(), (row, since)));
                }
                None => drop(sharing.aside.remove(key)),
            }
            return;
        };
        if !self.subject(place).is_held {
            return self.apply_row(place, row, now);
        }
        let is_unread = self.shared.as_ref().is_some_and(|sharing| {
            key.source.as_ref().is_some_and(|source| sharing.unread.contains(source))
        });
        match row {
            // It is withdrawn once all is followed.
            Some(row)
                if is_unread && row.fingerprint != self.rules[place.rule].rule.fingerprint() =>
            {
                let Some(sharing) = &mut self.shared else { return };
                sharing.aside.insert(key.clone(), (row, None));
            }
            // This replica has been restarted, or the database was away.
            Some(row) if is_unread || (extent == Extent::First && key.replica.is_some()) => {
                let is_restored = match self.is_active {
                    true => self.restore_late(place, &row, now),
                    false => self.restore(place, &row),
                };
                if !is_restored && !self.is_firing(place) {
                    self.note_epoch(key.source.as_ref());
                    self.effects.states.push((key.clone(), None));
                }
                self.rules[place.rule].view = None;
            }
            // Another replica has withdrawn it, as this one did not run.
            None if extent != Extent::First && key.replica.is_some() => {
                let subject = self.subject_mut(place);
                let (title, queued) = (subject.title.clone(), subject.queued);
                *subject = Subject { queued, ..Subject::new(key.clone(), title) };
                self.rules[place.rule].view = None;
                self.requeue(place);
            }
            Some(row) if extent == Extent::All => self.correct_row(place, &row),
            _ => {}
        }
    }

    /// Makes the subjects inactive that have no row, or writes it if this process holds them.
    fn clear_absent(&mut self, present: &HashSet<SubjectKey>, now: Timestamp) {
        for place in self.places() {
            let subject = self.subject(place);
            if present.contains(&subject.key) {
                continue;
            }
            match subject.is_held {
                false => self.apply_row(place, None, now),
                true if subject.view(false).is_some() => self.save(place),
                true => {}
            }
        }
        if let Some(sharing) = &mut self.shared {
            sharing.aside.retain(|key, _| present.contains(key));
        }
    }

    /// Replaces the state of a subject by that of its row; `None`: it is inactive.
    pub(super) fn apply_row(&mut self, place: Place, row: Option<SavedState>, now: Timestamp) {
        let fingerprint = self.rules[place.rule].rule.fingerprint();
        let Some(sharing) = &mut self.shared else { return };
        let subject = &mut self.rules[place.rule].subjects[place.subject];
        let (row, other) = match row {
            Some(row) if row.fingerprint == fingerprint => (Some(row), None),
            other => (None, other),
        };
        match other {
            Some(other) => drop(sharing.aside.insert(subject.key.clone(), (other, None))),
            None => drop(sharing.aside.remove(&subject.key)),
        }
        let before = subject.view(false);
        let lost = subject.is_lost.then(|| subject.monitor.incident().cloned()).flatten();
        let channels = lost.as_ref().map(|_| subject.announced.channels.clone());
        if let Err(error) = subject.follow(row.as_ref().map(|row| &*row.state)) {
            let name = &subject.key.alert;
            log::error!("cannot read the state of the alert {name} of another replica: {error}");
            // Without a row there is nothing to read.
            let _ = subject.follow(None);
        }
        subject.is_lost = false;
        let incident = subject.monitor.incident();
        let known = incident.and_then(|incident| sharing.acknowledgements.get(&incident.id));
        if let Some(known) = known {
            subject.monitor.merge_acknowledgement(known);
        }
        if subject.view(false) != before {
            self.rules[place.rule].view = None;
        }
        if let (Some(lost), Some(channels)) = (lost, channels) {
            self.end_lost(place, &lost, &channels, now);
        }
    }

    /// Returns the place of a subject.
    pub(super) fn place_of(&self, key: &SubjectKey) -> Option<Place> {
        let is_meant = |place: &Place| self.subject(*place).key == *key;
        match &key.source {
            Some(source) => self.by_source.get(source)?.iter().copied().find(is_meant),
            None => {
                let rule =
                    self.rules.iter().position(|state| state.rule.alert().name == key.alert)?;
                let subjects = 0..self.rules[rule].subjects.len();
                subjects.map(|subject| Place { rule, subject }).find(is_meant)
            }
        }
    }
}
