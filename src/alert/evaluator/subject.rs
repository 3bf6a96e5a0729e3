//! A subject of a rule: its state, and what the channels know of its incident.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::super::incident::SubjectKey;
use super::super::monitor::{Monitor, Phase};
use super::super::rule::Rule;
use super::super::settings::Settings;
use super::super::store::SavedState;
use super::super::view::{AlertState, SubjectView};
use crate::config::Alert;
use crate::json::deserialize_members;

/// A source, or the server, as the subject of a rule.
pub(super) struct Subject {
    pub(super) key: SubjectKey,
    /// Title of the source, or of the site.
    pub(super) title: Arc<str>,
    pub(super) monitor: Monitor,
    pub(super) announced: Announced,
    /// Channels that cannot carry a message about it at present.
    pub(super) unable: Vec<Arc<str>>,
    /// Time at which it is queued.
    pub(super) queued: Option<Timestamp>,
    /// True if this process evaluates it: always without other replicas.
    pub(super) is_held: bool,
    /// True from the loss of its source until the state of the replica is known that has it now.
    pub(super) is_lost: bool,
    /// False for a replica that does not run.
    pub(super) is_counted: bool,
}

/// Notices of the open incident that the channels got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Announced {
    /// Channels that got a notice of the fire. Empty: none has.
    pub(super) channels: Vec<Arc<str>>,
    /// Number of reminders so far.
    pub(super) reminders: u32,
    /// Time of the latest notice.
    pub(super) latest: Option<Timestamp>,
}

/// State of a subject in the file.
#[derive(Default, Serialize)]
struct Saved {
    monitor: String,
    channels: Vec<String>,
    reminders: u32,
    /// Seconds since 1970.
    latest: Option<i64>,
}

deserialize_members!(Saved { monitor, channels, reminders, latest } required { monitor });

/// A state in the file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RestoreError(String);

impl Subject {
    pub(super) fn new(key: SubjectKey, title: Arc<str>) -> Subject {
        Subject {
            key,
            title,
            monitor: Monitor::new(),
            announced: Announced::default(),
            unable: Vec::new(),
            queued: None,
            is_held: true,
            is_lost: false,
            is_counted: true,
        }
    }

    /// Returns the state to save; `None` if there is nothing to save.
    pub(super) fn saved(&self, rule: &Rule) -> Option<SavedState> {
        let monitor = self.monitor.saved()?;
        let Announced { channels, reminders, latest } = &self.announced;
        let saved = Saved {
            monitor,
            channels: channels.iter().map(|channel| channel.as_ref().to_owned()).collect(),
            reminders: *reminders,
            latest: latest.map(Timestamp::as_second),
        };
        let state = serde_json::to_string(&saved).expect("strings and numbers are valid JSON");
        Some(SavedState { fingerprint: rule.fingerprint(), state })
    }

    /// Takes over the state of the replica that evaluates the subject; `None`: it is inactive. Observations that this
    /// process has seen stay where that one has none.
    pub(super) fn follow(&mut self, saved: Option<&str>) -> Result<(), RestoreError> {
        let mut other = Subject::new(self.key.clone(), self.title.clone());
        if let Some(saved) = saved {
            other.restore(saved)?;
        }
        self.monitor.follow(other.monitor);
        self.announced = other.announced;
        Ok(())
    }

    /// Replaces the state by a saved one.
    pub(super) fn restore(&mut self, saved: &str) -> Result<(), RestoreError> {
        let Saved { monitor, channels, reminders, latest } =
            crate::json::from_text(saved).map_err(|error| RestoreError(error.to_string()))?;
        let monitor =
            Monitor::restore(&monitor).map_err(|error| RestoreError(error.to_string()))?;
        // One in memory may have its observations from the history already.
        let is_known = matches!(monitor.state(), Phase::Inactive) && self.monitor != Monitor::new();
        if !is_known {
            self.monitor = monitor;
        }
        self.announced = Announced {
            channels: channels.into_iter().map(Arc::from).collect(),
            reminders,
            latest: latest.and_then(|second| Timestamp::from_second(second).ok()),
        };
        Ok(())
    }

    /// Returns the channels that know of the incident of a saved state; none if it cannot be read.
    pub(super) fn channels_in(saved: &str) -> Vec<Arc<str>> {
        let saved = crate::json::from_text(saved).map(|Saved { channels, .. }| channels);
        saved.unwrap_or_default().into_iter().map(Arc::from).collect()
    }

    /// Returns true while the rule fires.
    pub(super) fn is_firing(&self) -> bool {
        matches!(self.monitor.state(), Phase::Firing)
    }

    /// Returns true for one of those that are inactive, of a source or a server that exists.
    pub(super) fn is_inactive(&self) -> bool {
        self.is_counted && matches!(self.monitor.state(), Phase::Inactive)
    }

    /// Moves the times that were read from the clock of this machine, after it was set by `step`.
    pub(super) fn redate(&mut self, step: SignedDuration) {
        self.monitor.redate(step);
        let moved = |at: Timestamp| at.saturating_add(step).unwrap_or(at);
        self.announced.latest = self.announced.latest.map(moved);
    }

    /// Returns the state as people see it.
    pub(super) fn state(&self, is_silenced: bool) -> AlertState {
        match (self.monitor.state(), self.monitor.incident()) {
            (Phase::Inactive, _) => AlertState::Inactive,
            (Phase::Pending { .. }, _) => AlertState::Pending,
            (Phase::Firing, _) if is_silenced => AlertState::Silenced,
            (Phase::Firing, Some(incident)) if incident.acknowledged.is_some() => {
                AlertState::Acknowledged
            }
            (Phase::Firing, _) => AlertState::Firing,
        }
    }

    /// Returns the view of a subject that is not inactive.
    pub(super) fn view(&self, is_silenced: bool) -> Option<SubjectView> {
        let incident = self.monitor.incident().cloned();
        let since = match self.monitor.state() {
            Phase::Inactive => return None,
            Phase::Pending { since } => since,
            Phase::Firing => incident.as_ref()?.since,
        };
        Some(SubjectView {
            key: self.key.clone(),
            state: self.state(is_silenced),
            since,
            evidence: self.monitor.evidence().cloned().unwrap_or_default(),
            incident,
            announced: self.announced.channels.clone(),
        })
    }
}

/// Returns the subjects of a rule on the server: the server, or all replicas.
pub(super) fn servers(alert: &Alert, settings: &Settings, replicas: &[Arc<str>]) -> Vec<Subject> {
    let key = |replica| SubjectKey { alert: alert.name.clone(), source: None, replica };
    if replicas.is_empty() {
        return vec![Subject::new(key(None), settings.title.clone())];
    }
    let of_replica = |replica: &Arc<str>| {
        let title = format!("{} (replica {replica})", settings.title);
        Subject::new(key(Some(replica.clone())), title.into())
    };
    replicas.iter().map(of_replica).collect()
}
