//! Tenure: the sources whose rules this process evaluates, while replicas share a database.
//!
//! ```text
//!            hold                       release (handed over)
//! followed ───────► held ───────────────────────────────────► followed
//!     ▲               │ lose (the lease ended, or a write was refused)
//!     └───── lost ◄───┘
//!   state of the new holder
//! ```
//! While the database is away, a source is held without its rows ([`Evaluator::resume`]), as by a replica that starts
//! then. It goes on from them once they are followed.
//!
//! A held source is evaluated, announced and saved as by a server without replicas. Of another one, the state is that of
//! the rows that its holder writes, at each transition and at each change of the evidence of a rule that is pending or
//! fires. So all replicas show the same, and a take-over continues: a rule that is pending keeps its clock, an
//! incident its id, acknowledgement and number of reminders.
//!
//! # Windows
//! The observations of a followed source are kept as those of a held one ([`Monitor::keep_warm`]): the board has them
//! anyway, the memory is bounded, and a take-over needs no history, which is slow or away just when replicas die. What a
//! replica has not seen, as while the database was away, is missing from its windows until they have passed.
//!
//! # Partitions
//! If a holder cannot reach the database, it evaluates on, and the replica that has taken its source evaluates, too. Both
//! announce what fires: twice, the price of not going blind. The id of an incident is a hash of subject, rule and begin, so
//! it is the same if both saw the same observation, and a receiver that knows it joins the two messages. Otherwise
//! the incident of the former holder ends once it learns of the new one: as a duplicate if the rule fires there.
//!
//! # Rules that a replica does not know
//! While replicas have different configurations, a row may be of a rule that this one does not know. It is kept aside:
//! neither shown nor changed, until a configuration has the rule. Only a holder that has a rule of that name replaces it.
//! If no configuration has had it for [`UNKNOWN_AFTER`], the holder of the source withdraws it, or the first replica
//! that runs, by name, if no configuration has the source.
//!
//! # The servers themselves
//! Each replica evaluates the rules on itself, with its name in the key of the subject. If one has not run for
//! [`GONE_AFTER`], the first of those that run, by name, withdraws its incidents.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::super::incident::{EndReason, Ended, Incident, SubjectKey};
use super::super::shared::Replica;
use super::place::Place;
use super::sharing::{GONE_AFTER, Sharing, UNKNOWN_AFTER};
use super::subject::{Subject, servers};
use super::{Evaluator, RuleState};
use crate::config::AlertRule;
use crate::kernel::clock::TimePoint;

#[allow(unused_imports, reason = "for the documentation")]
use super::super::monitor::Monitor;

impl Evaluator {
    /// Makes this one of several evaluators that share a database: it evaluates the sources that it holds, none at first,
    /// and follows the others. Call it before anything else.
    pub fn share(&mut self, replica: Replica) {
        let Replica { name: replica, instance } = replica;
        self.shared = Some(Box::new(Sharing {
            live: vec![replica.clone()],
            replica,
            instance,
            epochs: HashMap::new(),
            others: BTreeMap::new(),
            unread: HashSet::new(),
            unlisted: HashSet::new(),
            aside: BTreeMap::new(),
            open: HashMap::new(),
            silences: HashMap::new(),
            acknowledgements: HashMap::new(),
            has_followed: false,
        }));
        for state in &mut self.rules {
            state.subjects.iter_mut().for_each(|subject| subject.is_held = false);
            if let AlertRule::Server(_) = state.rule.alert().rule {
                let replicas = self.shared.as_ref().map(|sharing| sharing.replicas());
                state.subjects =
                    servers(state.rule.alert(), &self.settings, &replicas.unwrap_or_default());
            }
        }
        self.index();
    }

    /// Takes a source over by a lease of this epoch: its rules are evaluated from the followed state on. Call it once
    /// [`Evaluator::follow`] has got the rows that were read after the lease was taken. Repeated, it changes nothing.
    pub fn hold(&mut self, source: &Arc<str>, epoch: i64, now: TimePoint) {
        self.notice_step(now);
        let Some(sharing) = &mut self.shared else { return };
        if sharing.epochs.insert(source.clone(), epoch).is_some() {
            return;
        }
        let is_read = !sharing.unread.contains(source);
        for place in self.by_source.get(source).cloned().unwrap_or_default().iter() {
            self.take_over(*place, now);
        }
        if is_read {
            self.withdraw_open(source, now.wall);
        }
        // The result of the rules is not known yet.
        self.seen = 0;
    }

    /// Takes a source over whose rows cannot be read, since the database is away: its rules are evaluated from the state
    /// on that is known, or anew. [`Evaluator::follow`] gets the rows later.
    pub fn resume(&mut self, source: &Arc<str>, epoch: i64, now: TimePoint) {
        let Some(sharing) = &mut self.shared else { return };
        if !sharing.epochs.contains_key(source) {
            sharing.unread.insert(source.clone());
        }
        self.hold(source, epoch, now);
    }

    /// Hands a source over: its rules are not evaluated any more. The store reports once it has written what led here
    /// ([`SharedChanges::released`](super::super::store::SharedChanges)); then the lease can be released.
    pub fn release(&mut self, source: &Arc<str>) {
        self.end_tenure(source, false);
        if self.shared.is_some() {
            self.effects.shared.released.push(source.clone());
        }
    }

    /// Stops to evaluate a source whose lease has ended. Its state is that of the rows that are followed next.
    pub fn lose(&mut self, source: &Arc<str>) {
        self.end_tenure(source, true);
    }

    fn end_tenure(&mut self, source: &Arc<str>, is_lost: bool) {
        let Some(sharing) = &mut self.shared else { return };
        if sharing.epochs.remove(source).is_none() {
            return;
        }
        sharing.unread.remove(source);
        let of_source =
            sharing.aside.iter_mut().filter(|(key, _)| key.source.as_ref() == Some(source));
        of_source.for_each(|(_, (_, since))| *since = None);
        for place in self.by_source.get(source).cloned().unwrap_or_default().iter() {
            let subject = self.subject_mut(*place);
            (subject.is_held, subject.is_lost) = (false, is_lost);
            self.requeue(*place);
        }
    }

    /// Learns which replicas run. Rules on servers have each of them as a subject.
    pub fn set_replicas(&mut self, live: &[Arc<str>], now: TimePoint) {
        let Some(sharing) = &mut self.shared else { return };
        sharing.live = live.to_vec();
        sharing.live.sort_unstable();
        let others = live.iter().filter(|replica| **replica != sharing.replica);
        sharing.others.extend(others.map(|replica| (replica.clone(), None)));
        for (replica, gone_at) in &mut sharing.others {
            if !live.contains(replica) {
                gone_at.get_or_insert(now.boot);
            }
        }
        self.add_servers();
    }

    /// Adds a replica of which there is a row.
    pub(super) fn know_replica(&mut self, replica: &Arc<str>, now: TimePoint) {
        let Some(sharing) = &mut self.shared else { return };
        if *replica == sharing.replica || sharing.others.contains_key(replica) {
            return;
        }
        let gone_at = (!sharing.is_live(replica)).then_some(now.boot);
        sharing.others.insert(replica.clone(), gone_at);
        self.add_servers();
    }

    /// Adds the subjects of replicas that rules on servers lack.
    fn add_servers(&mut self) {
        let Some(sharing) = &self.shared else { return };
        let replicas = sharing.replicas();
        for state in &mut self.rules {
            if let AlertRule::Server(_) = state.rule.alert().rule {
                let all = servers(state.rule.alert(), &self.settings, &replicas);
                for mut subject in all {
                    if state.subjects.iter().all(|known| known.key != subject.key) {
                        subject.is_held = false;
                        state.subjects.push(subject);
                        state.view = None;
                    }
                }
            }
            for subject in &mut state.subjects {
                let is_live = |replica: &Arc<str>| sharing.is_live(replica);
                let is_counted = subject.key.replica.as_ref().is_none_or(is_live);
                if subject.is_counted != is_counted {
                    (subject.is_counted, state.view) = (is_counted, None);
                }
            }
        }
    }

    /// Returns true if this process evaluates, announces and saves a subject.
    pub(super) fn acts(&self, place: Place) -> bool {
        self.is_active && self.subject(place).is_held
    }

    /// Returns true if this process holds a subject.
    pub(super) fn holds(&self, key: &SubjectKey) -> bool {
        let Some(sharing) = &self.shared else { return true };
        match &key.source {
            Some(source) => sharing.epochs.contains_key(source),
            None => key.replica.as_ref() == Some(&sharing.replica),
        }
    }

    /// Notes the epoch by which a source was changed.
    pub(super) fn note_epoch(&mut self, source: Option<&Arc<str>>) {
        let (Some(sharing), Some(source)) = (&self.shared, source) else { return };
        let noted = &mut self.effects.shared.epochs;
        if let Some(&epoch) = sharing.epochs.get(source)
            && noted.iter().all(|(of, _)| of != source)
        {
            noted.push((source.clone(), epoch));
        }
    }

    /// Begins to evaluate a subject. Its state goes on: what fires and no channel knows of is announced.
    pub(super) fn take_over(&mut self, place: Place, now: TimePoint) {
        self.use_aside(place, now);
        let subject = self.subject_mut(place);
        (subject.is_held, subject.is_lost) = (true, false);
        self.save_acknowledgement(place);
        if self.is_firing(place) && self.subject(place).announced.latest.is_none() {
            self.announce(place, now.wall);
            self.save(place);
        }
        self.requeue(place);
    }

    /// Uses the row of a subject that was kept aside, now that its rule or its source is known.
    pub(super) fn use_aside(&mut self, place: Place, now: TimePoint) {
        let RuleState { rule, subjects, .. } = &self.rules[place.rule];
        let (key, fingerprint) = (subjects[place.subject].key.clone(), rule.fingerprint());
        let Some(sharing) = &mut self.shared else { return };
        let Some((row, _)) = sharing.aside.get(&key) else { return };
        if row.fingerprint == fingerprint {
            let row = row.clone();
            return self.apply_row(place, Some(row), now.wall);
        }
        if !self.holds(&key) {
            return;
        }
        let row = self.shared.as_mut().and_then(|sharing| sharing.aside.remove(&key));
        let channels = row.map(|(row, _)| Subject::channels_in(&row.state)).unwrap_or_default();
        self.note_epoch(key.source.as_ref());
        let subject = self.subject(place);
        let state = subject.saved(&self.rules[place.rule].rule);
        self.effects.states.push((key.clone(), state));
        self.withdraw_open_of(&key, Some(&channels), now.wall);
    }

    /// Withdraws the incidents of a source whose rules are known and do not have them: the rule was changed.
    pub(super) fn withdraw_open(&mut self, source: &Arc<str>, now: Timestamp) {
        for place in self.by_source.get(source).cloned().unwrap_or_default().iter() {
            let key = self.subject(*place).key.clone();
            self.withdraw_open_of(&key, None, now);
        }
    }

    /// Withdraws the incidents of a subject that its state does not have. `channels` know of them; `None`: all may.
    fn withdraw_open_of(
        &mut self,
        key: &SubjectKey,
        channels: Option<&[Arc<str>]>,
        now: Timestamp,
    ) {
        let Some(sharing) = &self.shared else { return };
        let own = self.place_of(key).and_then(|place| self.subject(place).monitor.incident());
        let own = own.map(|incident| incident.id);
        let open =
            sharing.open.values().filter(|open| open.subject == *key && Some(open.id) != own);
        let open: Vec<Arc<Incident>> = open.cloned().collect();
        let all = self.settings.channels.clone();
        for incident in open {
            self.note_epoch(key.source.as_ref());
            self.withdraw_saved(&incident, channels.unwrap_or(&all), now);
        }
    }

    /// Withdraws what no running replica answers for: incidents of replicas that are gone, and of rules that no
    /// configuration has had for long.
    pub(super) fn withdraw_forsaken(&mut self, now: TimePoint) {
        let Some(sharing) = &mut self.shared else { return };
        let is_over = |since: &Duration, longest| now.boot.saturating_sub(*since) >= longest;
        let gone = sharing
            .others
            .iter()
            .filter(|(_, gone)| gone.as_ref().is_some_and(|gone| is_over(gone, GONE_AFTER)));
        let gone: Vec<Arc<str>> = gone.map(|(replica, _)| replica.clone()).collect();
        let is_first = sharing.live.first() == Some(&sharing.replica);
        let mut unknown = Vec::new();
        for (key, (_, since)) in &mut sharing.aside {
            let Some(source) = &key.source else { continue };
            let is_held = sharing.epochs.contains_key(source);
            if (is_held || sharing.unlisted.contains(source))
                && is_over(since.get_or_insert(now.boot), UNKNOWN_AFTER)
                && (is_held || is_first)
            {
                unknown.push(key.clone());
            }
        }
        for key in unknown {
            let row = self.shared.as_mut().and_then(|sharing| sharing.aside.remove(&key));
            let channels = row.map(|(row, _)| Subject::channels_in(&row.state)).unwrap_or_default();
            self.note_epoch(key.source.as_ref());
            self.effects.states.push((key.clone(), None));
            self.withdraw_open_of(&key, Some(&channels), now.wall);
        }
        if gone.is_empty() || !is_first || !self.is_active {
            return;
        }
        for place in self.places() {
            let subject = self.subject(place);
            let is_of_gone = subject.key.replica.as_ref().is_some_and(|of| gone.contains(of));
            if subject.is_held || !is_of_gone || subject.monitor.saved().is_none() {
                continue;
            }
            let (key, channels) = (subject.key.clone(), subject.announced.channels.clone());
            if let Some(incident) = subject.monitor.incident().cloned() {
                self.withdraw_saved(&incident, &channels, now.wall);
            }
            self.effects.states.push((key, None));
            self.apply_row(place, None, now.wall);
        }
        if let Some(sharing) = &mut self.shared {
            sharing.others.retain(|replica, _| !gone.contains(replica));
        }
    }

    /// Ends an incident of this process that the new holder of its source does not have: it began while the database
    /// was away.
    pub(super) fn end_lost(
        &mut self,
        place: Place,
        incident: &Arc<Incident>,
        channels: &[Arc<str>],
        now: Timestamp,
    ) {
        let current = self.subject(place).monitor.incident().map(|incident| incident.id);
        let has_ended = self.recent.iter().any(|ended| ended.id == incident.id);
        if current == Some(incident.id) || has_ended {
            return;
        }
        let reason = current.map_or(EndReason::Resolved, |_| EndReason::Duplicate);
        let ended = Some(Ended { at: now, reason });
        let incident = Arc::new(Incident { ended, ..Incident::clone(incident) });
        self.record_end(&incident, now);
        self.announce_withdrawal(&incident, channels, now);
    }
}
