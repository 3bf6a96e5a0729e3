//! All rules on all their subjects: pure, without threads, I/O or a clock of its own.
//!
//! Inputs are snapshots, states of the server, commands, configurations, and the times at which they come. A look
//! at a snapshot costs what has changed since the last one: sources have the version of their latest change, and a
//! queue orders the times at which rules change by the clock. What follows from an input is collected as
//! [`Effects`].
//!
//! # Announcements
//! An incident is announced once, when it fires, or when the silence that it fired in ends. Reminders follow while
//! no person acknowledges it. Its end is sent to the channels that got its fire, also during a silence: an alarm on
//! a phone must not stay there for ever. If none of these channels exists any more, such as one that was renamed, it is
//! announced to the present ones.
//!
//! # Standby
//! Until the states of the last run are known, and while another process has the lock on them, rules are applied
//! and shown, but nothing is announced or saved. At the takeover the saved states replace those in memory, and
//! incidents that were not announced are announced.
//!
//! # Replicas
//! Several evaluators that share a database hold a part of the sources each, and follow the others: see `tenure`.

mod announce;
mod clock_step;
mod command;
mod facts;
mod follow;
mod place;
mod publish;
mod reconcile;
mod renew;
mod server_state;
mod sharing;
mod sights;
mod subject;
mod tenure;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::place::Place;
use self::sharing::Sharing;
use self::sights::sight;
use self::subject::Subject;
use super::describe::describe;
use super::effects::Effects;
use super::fault::Fault;
use super::incident::{EndReason, Incident, IncidentId};
use super::monitor::{Names, Transition};
use super::rule::Rule;
use super::settings::Settings;
use super::shared::incident_id;
use super::sight::{ServerSight, Sight};
use super::view::{AlertView, MAX_RECENT};
use crate::board::{Event, EventKind, Snapshot, SourceView};
use crate::config::{AlertRule, ServerCondition};
use crate::kernel::clock::{StepDetector, TimePoint};

pub use self::server_state::ServerState;
pub use self::sharing::{GONE_AFTER, UNKNOWN_AFTER};
pub(super) use self::sights::time_to_empty;

/// Source of the ids of incidents.
pub type Ids = Box<dyn FnMut() -> IncidentId + Send>;

/// All rules with their states.
pub struct Evaluator {
    settings: Settings,
    rules: Vec<RuleState>,
    /// Subjects of each source, as the rules and subjects at these places.
    by_source: HashMap<Arc<str>, Arc<[Place]>>,
    /// Positions of the sources in the settings.
    facts: HashMap<Arc<str>, usize>,
    /// Times at which subjects are checked again.
    due: BTreeSet<(Timestamp, Place)>,
    /// Version of the latest snapshot that the rules were applied to.
    seen: u64,
    is_active: bool,
    clock: StepDetector,
    /// Start of the process, by the present setting of the clock.
    started_at: Timestamp,
    /// Start of the process in the latest snapshot. It identifies the setting of the clock by which its times are.
    dated_by: Option<Timestamp>,
    /// The same of snapshots from before a step of the clock, and the time since boot up to which those are ignored.
    dated_before: Option<(Timestamp, Duration)>,
    /// Latest incidents that have ended, newest first.
    recent: VecDeque<Arc<Incident>>,
    ids: Ids,
    effects: Effects,
    published: u64,
    /// True if the latest view was active; `None` before the first.
    published_active: Option<bool>,
    /// True if the latest incidents have changed since the last view, other than by a transition here.
    is_recent_changed: bool,
    /// Knowledge of other replicas; `None`: there are none.
    shared: Option<Box<Sharing>>,
}

/// A rule with the states of its subjects.
struct RuleState {
    rule: Rule,
    silenced_until: Option<Timestamp>,
    subjects: Vec<Subject>,
    /// View as of the latest change; `None`: it has changed since.
    view: Option<Arc<AlertView>>,
}

impl Evaluator {
    /// Returns an evaluator in standby, whose subjects are all inactive.
    pub fn new(settings: Settings, started_at: Timestamp, now: TimePoint, ids: Ids) -> Evaluator {
        let mut evaluator = Evaluator {
            settings: settings.clone(),
            rules: Vec::new(),
            by_source: HashMap::new(),
            facts: HashMap::new(),
            due: BTreeSet::new(),
            seen: 0,
            is_active: false,
            clock: StepDetector::new(now),
            started_at,
            dated_by: None,
            dated_before: None,
            recent: VecDeque::new(),
            ids,
            effects: Effects::default(),
            published: 0,
            published_active: None,
            is_recent_changed: false,
            shared: None,
        };
        evaluator.renew(settings, now);
        evaluator
    }

    /// Returns what followed from the inputs since the last call.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// Returns the time at which a subject changes by the clock.
    pub fn next_due(&self) -> Option<Timestamp> {
        let silences = self.rules.iter().filter_map(|rule| rule.silenced_until);
        self.due.first().map(|&(at, _)| at).into_iter().chain(silences).min()
    }

    /// Applies the rules to the sources that have changed since the last snapshot, and to those that are due.
    pub fn look(&mut self, snapshot: &Snapshot, now: TimePoint) {
        self.notice_step(now);
        if self.is_dated_before_step(snapshot, now) {
            return self.end_silences(now.wall);
        }
        let (point, now) = (now, now.wall);
        let seen = std::mem::replace(&mut self.seen, snapshot.version);
        for source in snapshot.sources.iter().filter(|source| source.version > seen) {
            let Some(places) = self.by_source.get(&source.name).cloned() else { continue };
            places.iter().for_each(|&place| self.observe(place, source, now));
        }
        while let Some((at, place)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            self.subject_mut(place).queued = None;
            self.look_again(place, snapshot, now);
        }
        self.end_silences(now);
        self.withdraw_forsaken(point);
    }

    /// Applies the server's own rules.
    pub fn look_at_server(
        &mut self,
        state: impl Fn(ServerCondition) -> ServerState,
        now: TimePoint,
    ) {
        self.notice_step(now);
        for at in 0..self.rules.len() {
            let AlertRule::Server(condition) = self.rules[at].rule.alert().rule else { continue };
            let state = state(condition);
            let sight = Sight::Server(ServerSight {
                is_met: state.is_met,
                since: state.since,
                value: state.value,
                unit: state.unit,
                threshold: state.threshold,
                detail: state.detail.as_deref(),
            });
            let place = Place { rule: at, subject: 0 };
            if state.is_met == Some(true) {
                self.subject_mut(place).unable.clone_from(&state.channels);
            }
            self.step(place, &sight, now.wall);
            self.announce_to_others(place, now.wall);
        }
    }

    fn observe(&mut self, place: Place, source: &SourceView, now: Timestamp) {
        let Some(&facts) = self.facts.get(&source.name) else { return };
        let rule = self.rules[place.rule].rule.alert().clone();
        let facts = &self.settings.sources[facts];
        let sight = sight(&rule.rule, source, facts, self.started_at, now);
        match sight {
            Some(sight) if self.subject(place).is_held => self.step(place, &sight, now),
            Some(Sight::Field(sight)) => {
                let RuleState { rule, subjects, view, .. } = &mut self.rules[place.rule];
                let monitor = &mut subjects[place.subject].monitor;
                let fault = monitor.fault();
                monitor.keep_warm(rule, &sight, now, &self.settings.zone);
                if fault != monitor.fault() {
                    *view = None;
                }
            }
            Some(_) | None => {}
        }
    }

    /// Looks at a subject that changes by the clock.
    fn look_again(&mut self, place: Place, snapshot: &Snapshot, now: Timestamp) {
        let source = self.subject(place).key.source.clone();
        if let Some(source) = source.and_then(|source| snapshot.sources.get(&source)) {
            self.observe(place, source, now);
        }
        let RuleState { rule, subjects, view, .. } = &mut self.rules[place.rule];
        let Subject { key, title, monitor, .. } = &mut subjects[place.subject];
        let names = names(rule, key, title);
        let zone = &self.settings.zone;
        if let Some(transition) = monitor.tick(rule, now, zone, &mut self.ids, &names) {
            *view = None;
            self.apply(place, transition, now);
        }
        self.remind(place, now);
        // One that is due already has just been checked. Times are rounded, so this bounds how often it is.
        self.requeue_from(place, now.saturating_add(MIN_WAIT).unwrap_or(now));
    }

    /// Shows a subject to its rule.
    fn step(&mut self, place: Place, sight: &Sight<'_>, now: Timestamp) {
        let RuleState { rule, subjects, view, .. } = &mut self.rules[place.rule];
        let Subject { key, title, monitor, .. } = &mut subjects[place.subject];
        let names = names(rule, key, title);
        let before = (monitor.evidence().cloned(), monitor.fault());
        let zone = &self.settings.zone;
        let transition = monitor.observe(rule, sight, now, zone, &mut self.ids, &names);
        if transition.is_some() || before.0.as_ref() != monitor.evidence() {
            *view = None;
        }
        let fault = monitor.fault();
        if before.1 != fault {
            *view = None;
            report_fault(key, fault);
        }
        let Some(transition) = transition else {
            let monitor = &self.subject(place).monitor;
            // Other replicas show the same evidence.
            if self.shared.is_some() && before.0.as_ref() != monitor.evidence() {
                self.save(place);
            }
            return self.requeue(place);
        };
        let is_at_end = match &transition {
            Transition::Cleared => true,
            Transition::Ended(incident) => {
                incident.ended.is_some_and(|ended| ended.reason == EndReason::OutsideHours)
            }
            Transition::Pending | Transition::Fired(_) => false,
        };
        self.apply(place, transition, now);
        // At the end of the hours of a rule, the sight may be one of the next hours.
        match is_at_end {
            true => self.step(place, sight, now),
            false => self.requeue(place),
        }
    }

    /// Draws the consequences of a transition.
    fn apply(&mut self, place: Place, transition: Transition, now: Timestamp) {
        match transition {
            Transition::Pending | Transition::Cleared => {}
            Transition::Fired(incident) => {
                let incident = self.identified(place).unwrap_or(incident);
                if self.acts(place) {
                    self.record(EventKind::AlertFired, &incident, incident.fired_at);
                    self.effects.incidents.push(incident);
                }
                self.announce(place, now);
            }
            Transition::Ended(incident) => self.end(place, incident, now),
        }
        self.save(place);
    }

    /// Announces and records the end of an incident.
    fn end(&mut self, place: Place, incident: Arc<Incident>, now: Timestamp) {
        if self.acts(place) {
            self.record_end(&incident, now);
        }
        self.announce_end(place, &incident, now);
    }

    /// Records the end of an incident.
    fn record_end(&mut self, incident: &Arc<Incident>, now: Timestamp) {
        let at = incident.ended.map_or(now, |ended| ended.at);
        self.record(EventKind::AlertEnded, incident, at);
        self.effects.incidents.push(incident.clone());
        self.note_epoch(incident.subject.source.as_ref());
        if let Some(sharing) = &mut self.shared {
            sharing.open.remove(&incident.id);
            sharing.acknowledgements.remove(&incident.id);
        }
        self.remember(incident.clone());
    }

    /// Gives an incident that has just fired the id that it has at all replicas. Returns it if that is another one.
    fn identified(&mut self, place: Place) -> Option<Arc<Incident>> {
        let RuleState { rule, subjects, .. } = &mut self.rules[place.rule];
        let Subject { key, monitor, .. } = &mut subjects[place.subject];
        self.shared.as_ref().filter(|_| key.source.is_some())?;
        let since = monitor.incident()?.since;
        let id = |attempt| incident_id(key, rule.fingerprint(), since, attempt);
        let is_free = |id: &IncidentId| self.recent.iter().all(|ended| ended.id != *id);
        let id = (0..).map(id).find(is_free)?;
        monitor.identify(id)
    }

    fn record(&mut self, kind: EventKind, incident: &Incident, at: Timestamp) {
        let source = incident.subject.source.clone();
        self.effects.events.push(Event { at, kind, source, detail: describe(incident).into() });
    }

    /// Saves the state of a subject.
    fn save(&mut self, place: Place) {
        if self.acts(place) {
            let RuleState { rule, subjects, .. } = &self.rules[place.rule];
            let subject = &subjects[place.subject];
            let source = subject.key.source.clone();
            self.effects.states.push((subject.key.clone(), subject.saved(rule)));
            self.note_epoch(source.as_ref());
        }
    }

    /// Queues a subject by the time at which it changes next.
    fn requeue(&mut self, place: Place) {
        self.requeue_from(place, Timestamp::MIN);
    }

    /// Queues a subject by the time at which it changes next, or by the time `soonest` if that is later.
    fn requeue_from(&mut self, place: Place, soonest: Timestamp) {
        let RuleState { rule, subjects, silenced_until, .. } = &mut self.rules[place.rule];
        let subject = &mut subjects[place.subject];
        let by_rule = subject.monitor.due(rule, &self.settings.zone);
        let reminder = announce::reminder_due(rule, subject, silenced_until.is_some());
        let next = by_rule.into_iter().chain(reminder).min().map(|at| at.max(soonest));
        let next = next.filter(|_| subject.is_held);
        if next == subject.queued {
            return;
        }
        subject.queued.map(|at| self.due.remove(&(at, place)));
        subject.queued = next;
        self.due.extend(next.map(|at| (at, place)));
    }

    /// Returns all places.
    fn places(&self) -> Vec<Place> {
        let subjects = |(rule, state): (usize, &RuleState)| {
            (0..state.subjects.len()).map(move |subject| Place { rule, subject })
        };
        self.rules.iter().enumerate().flat_map(subjects).collect()
    }

    fn subject(&self, place: Place) -> &Subject {
        &self.rules[place.rule].subjects[place.subject]
    }

    fn subject_mut(&mut self, place: Place) -> &mut Subject {
        &mut self.rules[place.rule].subjects[place.subject]
    }
}

/// Shortest time between two looks at a subject by the clock.
const MIN_WAIT: SignedDuration = SignedDuration::from_millis(100);

/// Logs that a rule cannot be applied to the value of a subject, or can again.
fn report_fault(key: &super::incident::SubjectKey, fault: Option<Fault>) {
    let source = key.source.as_deref().unwrap_or_default();
    match fault {
        Some(fault) => log::warn!("the alert {} cannot be applied to {source}: {fault}", key.alert),
        None => log::info!("the alert {} can be applied to {source} again", key.alert),
    }
}

fn names<'a>(
    rule: &'a Rule,
    key: &'a super::incident::SubjectKey,
    title: &'a Arc<str>,
) -> Names<'a> {
    let field = match &rule.alert().rule {
        AlertRule::Field { field, .. } => Some(field),
        _ => None,
    };
    Names { key, title, field }
}

#[cfg(test)]
mod tests;
