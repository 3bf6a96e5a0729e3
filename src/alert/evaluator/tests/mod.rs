//! Tests of the evaluator: a world with a file of states, whose server can be killed at any step.

mod announcements;
mod commands;
mod hostile_world;
mod replicas;
mod restarts;
mod server_rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::alert::store::{Loaded, SavedState};
use crate::alert::{Notice, NoticeKey, NoticeKind, SourceFacts, SubjectKey};
use crate::board::{
    LastReading, Observed, OverTimes, Reading, ServiceInfo, SourceView, State, Value,
};
use crate::config::{
    Alert, FieldCondition, Limit, ServerCondition, Severity, SourceCondition, SourceSelection,
};
use crate::kernel::clock::tests::time_point;
use crate::units::Unit;

const STALE_AFTER: Duration = Duration::from_secs(900);

/// Returns the time `minutes` after midnight of 2 February 2026.
pub(super) fn t(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-02-02T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

/// Returns a rule that fires below 300 gallons on a selection of sources, and ends from 350 on.
pub(super) fn low(sources: SourceSelection) -> Alert {
    let gallons = |number| Limit { number, unit: Some(Unit::UsGallon) };
    let condition =
        FieldCondition::Below { threshold: gallons(300.0), clear: Some(gallons(350.0)) };
    Alert::new(
        "tank_low",
        Severity::Warning,
        AlertRule::Field { sources, field: "volume".into(), condition },
    )
}

pub(super) fn one(source: &str) -> SourceSelection {
    SourceSelection::One(source.into())
}

/// Returns a rule on stale sources.
pub(super) fn stale(sources: SourceSelection) -> Alert {
    let rule = AlertRule::Source { sources, condition: SourceCondition::Stale };
    Alert { name: "silent".into(), rule, ..low(SourceSelection::All) }
}

/// Returns settings of two sources and two channels.
pub(super) fn settings(alerts: Vec<Alert>) -> Settings {
    let facts = |name: &str| SourceFacts {
        name: name.into(),
        title: name.to_uppercase().into(),
        group: Some("north".into()),
        stale_after: STALE_AFTER,
        over_times: OverTimes::default(),
    };
    Settings {
        alerts: alerts.into_iter().map(Arc::new).collect(),
        channels: vec!["phone".into(), "mail".into()],
        sources: vec![facts("a"), facts("b")],
        title: "Site".into(),
        zone: TimeZone::UTC,
    }
}

/// A server with the file of its states, and the notices that it has queued.
pub(super) struct World {
    pub(super) evaluator: Evaluator,
    pub(super) minute: i64,
    boot: i64,
    /// Minutes by which the board knows that the clock was set.
    stepped: i64,
    version: u64,
    views: BTreeMap<&'static str, SourceView>,
    pub(super) states: BTreeMap<SubjectKey, SavedState>,
    pub(super) incidents: BTreeMap<IncidentId, Arc<Incident>>,
    silences: BTreeMap<Arc<str>, Timestamp>,
    pub(super) notices: Vec<Arc<Notice>>,
    pub(super) events: Vec<Event>,
    next_id: u64,
}

impl World {
    /// Starts a server without a file.
    pub(super) fn new(alerts: Vec<Alert>) -> World {
        let mut world = World {
            evaluator: Evaluator::new(settings(Vec::new()), t(0), time_point(t(0), 0), ids(0)),
            minute: 0,
            boot: 0,
            stepped: 0,
            version: 0,
            views: BTreeMap::new(),
            states: BTreeMap::new(),
            incidents: BTreeMap::new(),
            silences: BTreeMap::new(),
            notices: Vec::new(),
            events: Vec::new(),
            next_id: 0,
        };
        world.restart(alerts);
        world
    }

    pub(super) fn now(&self) -> TimePoint {
        time_point(t(self.minute), self.boot * 60)
    }

    /// Kills the server, and starts it with these rules and the file.
    pub(super) fn restart(&mut self, alerts: Vec<Alert>) {
        self.start_in_standby(alerts);
        self.take_over();
    }

    pub(super) fn start_in_standby(&mut self, alerts: Vec<Alert>) {
        self.next_id += 1_000_000;
        let ids = ids(self.next_id);
        self.evaluator = Evaluator::new(settings(alerts), self.now().wall, self.now(), ids);
    }

    /// Reads the file.
    pub(super) fn take_over(&mut self) {
        let incidents = self.incidents.values().map(|incident| (**incident).clone());
        let (open, mut recent): (Vec<_>, Vec<_>) =
            incidents.partition(|incident| incident.ended.is_none());
        recent.reverse();
        let loaded = Loaded {
            states: self.states.clone().into_iter().collect(),
            open,
            recent,
            silences: self.silences.clone().into_iter().collect(),
            notices: Vec::new(),
        };
        self.evaluator.activate(loaded, self.now());
        self.save();
    }

    /// Saves what follows, as the store does.
    pub(super) fn save(&mut self) {
        let effects = self.evaluator.take_effects();
        for (key, state) in effects.states {
            match state {
                Some(state) => drop(self.states.insert(key, state)),
                None => drop(self.states.remove(&key)),
            }
        }
        for incident in effects.incidents {
            self.incidents.insert(incident.id, incident);
        }
        for (alert, until) in effects.silences {
            match until {
                Some(until) => drop(self.silences.insert(alert, until)),
                None => drop(self.silences.remove(&alert)),
            }
        }
        self.notices.extend(effects.notices);
        self.events.extend(effects.events);
    }

    /// Lets time pass without a report.
    pub(super) fn pass(&mut self, minutes: i64) {
        self.boot += minutes.max(0);
        self.minute += minutes;
        self.look();
    }

    /// Lets time pass while the server does not run.
    pub(super) fn stop_for(&mut self, minutes: i64) {
        self.boot += minutes;
        self.minute += minutes;
    }

    /// Sets the clock of the machine.
    pub(super) fn set_clock(&mut self, minutes: i64) {
        self.minute += minutes;
        self.stepped += minutes;
        self.look();
    }

    /// Sets the clock of the machine, and the board has not noticed yet.
    pub(super) fn set_clock_before_board(&mut self, minutes: i64) {
        self.minute += minutes;
        self.look();
    }

    /// Lets the board notice that the clock was set: it moves the times that this machine has read.
    pub(super) fn redate_board(&mut self, minutes: i64) {
        self.stepped += minutes;
        for view in self.views.values_mut() {
            let Some(reading) = &mut view.reading else { continue };
            let step = SignedDuration::from_mins(minutes);
            reading.observed.at += step;
            reading.stale_at += step;
            self.version += 1;
            view.version = self.version;
        }
    }

    /// Reports an observation of the volume of a source at the present; `None`: null.
    pub(super) fn report(&mut self, source: &'static str, gallons: impl Into<Option<f64>>) {
        self.report_at(source, self.minute, gallons);
    }

    /// Reports an observation at a minute.
    pub(super) fn report_at(
        &mut self,
        source: &'static str,
        minute: i64,
        gallons: impl Into<Option<f64>>,
    ) {
        let value = match gallons.into() {
            Some(gallons) => Value::number(gallons, Unit::UsGallon),
            None => Value::missing(Some(Unit::UsGallon), "null"),
        };
        self.report_value(source, minute, value);
    }

    /// Reports a value of the volume of a source.
    pub(super) fn report_value(&mut self, source: &'static str, minute: i64, value: Value) {
        let reading = Reading {
            observed: Observed::absolute(t(minute)),
            values: vec![("volume".into(), value)],
        };
        let reading = LastReading::new(reading, self.now().wall, STALE_AFTER);
        self.version += 1;
        let view = view(source, State::Fresh, Some(reading), self.version);
        self.views.insert(source, view);
        self.look();
    }

    /// Looks at the present snapshot, as the thread does.
    pub(super) fn look(&mut self) {
        self.see();
        self.save();
    }

    /// Looks at the present snapshot; what follows is not saved yet.
    pub(super) fn see(&mut self) {
        let (snapshot, now) = (self.snapshot(), self.now());
        self.evaluator.look(&snapshot, now);
    }

    /// Returns the present snapshot.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let now = self.now();
        for view in self.views.values_mut() {
            let stale_at = view.reading.as_ref().map(|reading| reading.stale_at);
            let state = match stale_at {
                Some(stale_at) if stale_at <= now.wall => State::Stale,
                Some(_) => State::Fresh,
                None => State::Waiting,
            };
            if view.state != state {
                self.version += 1;
                (view.state, view.version) = (state, self.version);
            }
        }
        self.version += 1;
        let absent = ["a", "b"].into_iter().filter(|name| !self.views.contains_key(name));
        let absent: Vec<SourceView> =
            absent.map(|name| view(name, State::Waiting, None, 1)).collect();
        let views = self.views.values().cloned().chain(absent);
        Snapshot {
            version: self.version,
            service: ServiceInfo { name: "test", version: "0", started_at: t(self.stepped) },
            sources: views.collect(),
            published_at: now.wall,
            next_due: None,
        }
    }

    /// Returns kind, incident and minute of the notices of a channel since the last call.
    pub(super) fn sent(&mut self, channel: &str) -> Vec<(NoticeKind, u64, i64)> {
        let all = std::mem::take(&mut self.notices);
        let of_channel = all.iter().filter(|notice| *notice.key.channel == *channel);
        of_channel
            .map(|notice| {
                let NoticeKey { kind, incident, .. } = notice.key;
                (kind, incident.0 % 1_000_000, minute(notice.due))
            })
            .collect()
    }

    /// Returns the states of the subjects that are not inactive.
    pub(super) fn shown(&mut self) -> Vec<(String, &'static str)> {
        self.evaluator.rules.iter_mut().for_each(|rule| rule.view = None);
        let view = self.evaluator.publish().unwrap();
        let subjects = view.alerts.iter().flat_map(|alert| alert.subjects.clone());
        subjects
            .map(|subject| {
                let source = subject.key.source.as_deref().unwrap_or("server").to_owned();
                (source, subject.state.as_str())
            })
            .collect()
    }
}

fn view(name: &str, state: State, reading: Option<LastReading>, version: u64) -> SourceView {
    SourceView {
        name: name.into(),
        title: name.to_uppercase().into(),
        group: Some("north".into()),
        kind: "json",
        show: [].into(),
        state,
        reading,
        interval: Duration::from_secs(60),
        next_poll_at: None,
        error: None,
        configuration: 0,
        version,
        is_held: true,
        is_stale_announced: false,
        changed_at: t(0),
    }
}

fn minute(at: Timestamp) -> i64 {
    at.duration_since(t(0)).as_mins()
}

/// Returns ids that count from a number on.
fn ids(first: u64) -> Ids {
    let mut next = first;
    Box::new(move || {
        next += 1;
        IncidentId(next)
    })
}
