//! New configurations, and states of an earlier run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::super::incident::{EndReason, Ended, Incident, IncidentId, SubjectKey};
use super::super::monitor::{Monitor, Phase, Transition};
use super::super::rule::Rule;
use super::super::settings::Settings;
use super::super::store::{Loaded, SavedState};
use super::super::windows::WindowSamples;
use super::place::Place;
use super::subject::{Subject, servers};
use super::{Evaluator, MAX_RECENT, RuleState};
use crate::config::{Alert, AlertRule};
use crate::kernel::clock::TimePoint;

impl Evaluator {
    /// Applies a new configuration. A rule that has not changed keeps its states; an incident of one that was
    /// changed or removed, or whose source was, is withdrawn. One of which no present channel knows is announced anew.
    pub fn renew(&mut self, settings: Settings, now: TimePoint) {
        self.notice_step(now);
        let (point, now) = (now, now.wall);
        let new = settings.alerts.iter().map(|alert| Rule::new(alert.clone()));
        let replicas = self.shared.as_ref().map_or_else(Vec::new, |sharing| sharing.replicas());
        let new: Vec<(Rule, Vec<Subject>)> = new
            .map(|rule| {
                let subjects = subjects(rule.alert(), &settings, &replicas);
                (rule, subjects)
            })
            .collect();
        self.withdraw_changed(&new, now);
        let mut before: HashMap<SubjectKey, Subject> = HashMap::new();
        let mut silences: HashMap<Arc<str>, Option<Timestamp>> = HashMap::new();
        for state in std::mem::take(&mut self.rules) {
            silences.insert(state.rule.alert().name.clone(), state.silenced_until);
            let kept = state.subjects.into_iter();
            before.extend(kept.map(|subject| (subject.key.clone(), subject)));
        }
        self.facts = (settings.sources.iter().map(|facts| facts.name.clone())).zip(0..).collect();
        self.settings = settings;
        self.rules = new
            .into_iter()
            .map(|(rule, subjects)| {
                let kept = |subject: Subject| match before.remove(&subject.key) {
                    Some(earlier) => Subject { title: subject.title, queued: None, ..earlier },
                    // It is taken over below, if this process holds it.
                    None => Subject { is_held: self.shared.is_none(), ..subject },
                };
                let silenced_until = silences.remove(&rule.alert().name).flatten();
                let subjects = subjects.into_iter().map(kept).collect();
                RuleState { rule, silenced_until, subjects, view: None }
            })
            .collect();
        for (name, until) in silences {
            if until.is_some() && self.is_active && self.shared.is_none() {
                self.effects.silences.push((name, None));
            }
        }
        self.index();
        if self.shared.is_some() {
            self.renew_shared(point);
        }
        self.announce_to_present_channels(now);
        // The result of the rules is not known yet.
        self.seen = 0;
    }

    /// Takes over the states of an earlier run, or of the process that had the lock until now: they replace those in
    /// memory. From now on incidents are announced and saved.
    pub fn activate(&mut self, loaded: Loaded, now: TimePoint) {
        self.notice_step(now);
        let now = now.wall;
        let was_active = std::mem::replace(&mut self.is_active, true);
        let Loaded { states, open, recent, silences, notices: _ } = loaded;
        let places: HashMap<SubjectKey, Place> = self
            .places()
            .into_iter()
            .map(|place| (self.subject(place).key.clone(), place))
            .collect();
        self.recent.extend(recent.into_iter().map(Arc::new));
        self.recent.truncate(MAX_RECENT);
        let all = self.settings.channels.clone();
        let open: HashMap<IncidentId, Incident> =
            open.into_iter().map(|incident| (incident.id, incident)).collect();
        let mut known: HashMap<SubjectKey, Vec<Arc<str>>> = HashMap::new();
        for (key, saved) in states {
            let place = places.get(&key).copied();
            let is_restored = place.is_some_and(|place| match was_active {
                true => self.restore_late(place, &saved, now),
                false => self.restore(place, &saved),
            });
            if !is_restored {
                known.insert(key.clone(), Subject::channels_in(&saved.state));
                if !place.is_some_and(|place| self.is_firing(place)) {
                    self.effects.states.push((key, None));
                }
            }
        }
        let firing = places.values().filter_map(|&place| self.subject(place).monitor.incident());
        let known_ids: HashSet<IncidentId> =
            firing.chain(&self.effects.incidents).map(|incident| incident.id).collect();
        for incident in open.into_values().filter(|incident| !known_ids.contains(&incident.id)) {
            let channels = known.get(&incident.subject).unwrap_or(&all);
            self.withdraw_saved(&incident, channels, now);
        }
        for (name, until) in silences {
            match self.rules.iter_mut().find(|state| state.rule.alert().name == name) {
                Some(state) => state.silenced_until = Some(until),
                None => self.effects.silences.push((name, None)),
            }
        }
        for place in self.places() {
            self.rules[place.rule].view = None;
            if self.is_firing(place) {
                self.announce_unknown(place, now);
            }
            self.requeue(place);
        }
        self.announce_to_present_channels(now);
        self.seen = 0;
    }

    /// Starts windows from recorded observations. Subjects that exist no more are ignored.
    pub fn backfill(&mut self, samples: Vec<WindowSamples>) {
        for WindowSamples { key, unit, samples } in samples {
            let Some(source) = &key.source else { continue };
            let (Some(places), Some(&facts)) = (self.by_source.get(source), self.facts.get(source))
            else {
                continue;
            };
            let is_own = |place: &&Place| self.subject(**place).key.alert == key.alert;
            let Some(&place) = places.iter().find(is_own) else { continue };
            let stale_after = self.settings.sources[facts].stale_after;
            let RuleState { rule, subjects, .. } = &mut self.rules[place.rule];
            let samples = samples.into_iter();
            subjects[place.subject].monitor.backfill(rule, samples, unit, stale_after);
        }
    }

    /// Saves all states once more, after the file was replaced by a new one.
    pub fn save_all(&mut self) {
        for place in self.places() {
            let Some(incident) = self.subject(place).monitor.incident().cloned() else { continue };
            self.effects.incidents.push(incident);
            self.save(place);
        }
        let silences = self.rules.iter().filter(|rule| rule.silenced_until.is_some());
        let silences = silences.map(|rule| (rule.rule.alert().name.clone(), rule.silenced_until));
        self.effects.silences.extend(silences);
        self.effects.incidents.extend(self.recent.iter().cloned());
    }

    /// Returns true if states are saved and incidents announced.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// Stops to announce and to save: another process does.
    pub fn stand_by(&mut self) {
        self.is_active = false;
    }

    /// Begins to follow the subjects that are new, or to evaluate them, from the rows that were kept aside.
    fn renew_shared(&mut self, now: TimePoint) {
        for rule in 0..self.rules.len() {
            let name = self.rules[rule].rule.alert().name.clone();
            self.rules[rule].silenced_until = self.shared_silence(&name, now.wall);
        }
        for place in self.places() {
            let subject = self.subject(place);
            match self.holds(&subject.key) {
                true if !subject.is_held => self.take_over(place, now),
                true => {}
                false => self.use_aside(place, now),
            }
        }
    }

    /// Announces an incident that began in standby.
    pub(super) fn announce_unknown(&mut self, place: Place, now: Timestamp) {
        let subject = self.subject(place);
        let is_known = subject.announced.latest.is_some() || !subject.is_held;
        if let Some(incident) = subject.monitor.incident().cloned().filter(|_| !is_known) {
            self.record(crate::board::EventKind::AlertFired, &incident, incident.fired_at);
            self.effects.incidents.push(incident);
            self.announce(place, now);
            self.save(place);
        }
    }

    /// Replaces the state of a subject by a saved one. Returns false if that is of another rule, or not readable.
    pub(super) fn restore(&mut self, place: Place, saved: &SavedState) -> bool {
        let RuleState { rule, subjects, .. } = &mut self.rules[place.rule];
        let subject = &mut subjects[place.subject];
        if saved.fingerprint != rule.fingerprint() {
            return false;
        }
        let restored = subject.restore(&saved.state);
        if let Err(error) = &restored {
            let name = &subject.key.alert;
            log::error!("cannot read the saved state of the alert {name}: {error}; it starts anew");
        }
        restored.is_ok()
    }

    /// Replaces the state of a subject by a saved one that was read after the rules had begun without it. An incident
    /// that fires in both has the id of the saved one; the one in memory ends, if it is another one. Returns false if
    /// the state in memory stays.
    pub(super) fn restore_late(
        &mut self,
        place: Place,
        saved: &SavedState,
        now: Timestamp,
    ) -> bool {
        let RuleState { rule, subjects, .. } = &mut self.rules[place.rule];
        let subject = &mut subjects[place.subject];
        if !matches!(subject.monitor.state(), Phase::Firing) {
            return self.restore(place, saved);
        }
        let mut earlier = Subject::new(subject.key.clone(), subject.title.clone());
        let is_same_rule = saved.fingerprint == rule.fingerprint();
        if !is_same_rule || earlier.restore(&saved.state).is_err() || !earlier.is_firing() {
            return false;
        }
        let Subject { monitor, announced, .. } = earlier;
        let id = |of: &Monitor| of.incident().map(|incident| incident.id);
        if id(&monitor) == id(&subject.monitor) {
            if announced.latest > subject.announced.latest {
                subject.announced = announced;
            }
            self.save(place);
            return true;
        }
        let ended = subject.monitor.end_as_duplicate(now);
        if let Some(Transition::Ended(incident)) = ended {
            self.end(place, incident, now);
        }
        let subject = self.subject_mut(place);
        (subject.monitor, subject.announced) = (monitor, announced);
        self.save(place);
        true
    }

    /// Ends an incident in the file whose rule or source is not the same any more. `channels` know of it.
    pub(super) fn withdraw_saved(
        &mut self,
        incident: &Incident,
        channels: &[Arc<str>],
        now: Timestamp,
    ) {
        let ended = Some(Ended { at: now, reason: EndReason::Withdrawn });
        let incident = Arc::new(Incident { ended, ..incident.clone() });
        self.record_end(&incident, now);
        self.announce_withdrawal(&incident, channels, now);
    }

    pub(super) fn is_firing(&self, place: Place) -> bool {
        self.subject(place).is_firing()
    }

    /// Withdraws the incidents of rules and sources that are gone or were changed, and drops their states.
    fn withdraw_changed(&mut self, new: &[(Rule, Vec<Subject>)], now: Timestamp) {
        let kept: HashSet<(u64, &SubjectKey)> = new
            .iter()
            .flat_map(|(rule, subjects)| subjects.iter().map(|s| (rule.fingerprint(), &s.key)))
            .collect();
        for place in self.places() {
            let fingerprint = self.rules[place.rule].rule.fingerprint();
            if kept.contains(&(fingerprint, &self.subject(place).key)) {
                continue;
            }
            if !self.subject(place).is_held {
                self.put_aside(place);
                continue;
            }
            let subject = self.subject_mut(place);
            let had_state = subject.monitor.saved().is_some();
            match subject.monitor.withdraw(now) {
                Some(Transition::Ended(incident)) => self.end(place, incident, now),
                _ if had_state => {}
                _ => continue,
            }
            let key = self.subject(place).key.clone();
            if self.is_active {
                self.note_epoch(key.source.as_ref());
                self.effects.states.push((key, None));
            }
            // A changed rule of that name starts anew.
            let title = self.subject(place).title.clone();
            *self.subject_mut(place) = Subject::new(self.subject(place).key.clone(), title);
        }
    }

    /// Keeps the row of a rule that this configuration does not have, and another replica evaluates.
    fn put_aside(&mut self, place: Place) {
        let RuleState { rule, subjects, .. } = &mut self.rules[place.rule];
        let subject = &mut subjects[place.subject];
        let saved = subject.saved(rule);
        // A changed rule of that name starts anew.
        let new = Subject::new(subject.key.clone(), subject.title.clone());
        let Subject { key, .. } = std::mem::replace(subject, Subject { is_held: false, ..new });
        if let (Some(sharing), Some(saved)) = (&mut self.shared, saved) {
            // A row that is there already is that of the rule of another configuration.
            sharing.aside.entry(key).or_insert((saved, None));
        }
    }

    /// Finds the places of all subjects, and queues them.
    pub(super) fn index(&mut self) {
        self.due.clear();
        let mut by_source: HashMap<Arc<str>, Vec<Place>> = HashMap::new();
        for place in self.places() {
            if self.shared.is_some() && self.subject(place).key.source.is_none() {
                let is_held = self.holds(&self.subject(place).key);
                self.subject_mut(place).is_held = is_held;
            }
            if let Some(source) = self.subject(place).key.source.clone() {
                by_source.entry(source).or_default().push(place);
            }
            self.subject_mut(place).queued = None;
            self.requeue(place);
        }
        let shared = by_source.into_iter();
        self.by_source = shared.map(|(source, places)| (source, places.into())).collect();
    }
}

/// Returns the subjects of a rule.
fn subjects(alert: &Alert, settings: &Settings, replicas: &[Arc<str>]) -> Vec<Subject> {
    let sources = match &alert.rule {
        AlertRule::Server(_) => {
            return servers(alert, settings, replicas);
        }
        AlertRule::Field { sources, .. } | AlertRule::Source { sources, .. } => sources,
    };
    let selected = settings
        .sources
        .iter()
        .filter(|facts| sources.selects(&facts.name, facts.group.as_deref()));
    selected
        .map(|facts| {
            let key = SubjectKey {
                alert: alert.name.clone(),
                source: Some(facts.name.clone()),
                replica: None,
            };
            Subject::new(key, facts.title.clone())
        })
        .collect()
}
