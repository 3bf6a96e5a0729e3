//! State of a monitor as JSON, for the file of states.
//!
//! The observations of a window are saved with a pending or firing state only: otherwise a backfill reads them from the
//! history. Unknown members are ignored and missing ones have their defaults, so that an earlier or later version of the
//! program can read the state.

mod incident;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::incident::{SavedDatum, SavedEvidence, SavedIncident};
use self::text::{Number, Text, Time};
use super::super::memory::Memory;
use super::super::run::Run;
use super::super::step::Step;
use super::super::window::{Sample, Window};
use super::Monitor;
use super::clock::{Clock, Otherwise};
use super::status::{Firing, Pending, Status};
use crate::board::Finite;
use crate::json::deserialize_members;
use crate::units::Unit;

/// A text is not the state of a monitor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the saved state of an alert: {0}")]
pub struct RestoreError(String);

impl Monitor {
    /// Returns the state as JSON; `None` if there is nothing to save.
    pub fn saved(&self) -> Option<String> {
        let saved = Saved::of(self);
        (saved != Saved::default())
            .then(|| serde_json::to_string(&saved).expect("texts and finite numbers are JSON"))
    }

    /// Restores a state from JSON.
    ///
    /// # Errors
    /// The text is not a saved state.
    pub fn restore(text: &str) -> Result<Monitor, RestoreError> {
        let saved: Saved =
            crate::json::from_text(text).map_err(|error| RestoreError(error.to_string()))?;
        Ok(saved.into_monitor())
    }
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Saved {
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<Time>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_machine: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Text<Unit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<SavedStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<SavedRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Vec<(i64, Number)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<SavedClock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<SavedPending>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<SavedIncident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours_end: Option<Time>,
}

deserialize_members!(Saved {
    latest,
    by_machine,
    unit,
    step,
    run,
    window,
    clock,
    pending,
    incident,
    hours_end
});

#[derive(Debug, Default, PartialEq, Serialize)]
struct SavedStep {
    at: i64,
    latest: Number,
    smallest: Number,
    differences: u16,
    lowest: Number,
    highest: Number,
}

deserialize_members!(SavedStep { at, latest, smallest, differences, lowest, highest } required { at, latest, smallest, differences, lowest, highest });

#[derive(Debug, Default, PartialEq, Serialize)]
struct SavedRun {
    value: SavedDatum,
    since: i64,
    latest: i64,
    observations: u32,
    after_change: bool,
}

deserialize_members!(SavedRun { value, since, latest, observations, after_change } required { value, since, latest, observations, after_change });

#[derive(Debug, Default, PartialEq, Serialize)]
struct SavedClock {
    from: Option<Time>,
    since: Option<Time>,
    otherwise: SavedOtherwise,
    by_machine: bool,
    looked_at: Time,
    evidence: SavedEvidence,
}

deserialize_members!(SavedClock { from, since, otherwise, by_machine, looked_at, evidence } required { otherwise, by_machine, looked_at, evidence });

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedOtherwise {
    #[default]
    Clear,
    Unknown,
    ClearBySuccess(Option<Time>),
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct SavedPending {
    since: Time,
    held_from: Time,
    evidence: SavedEvidence,
}

deserialize_members!(SavedPending { since, held_from, evidence } required { since, held_from, evidence });

impl Saved {
    fn of(monitor: &Monitor) -> Saved {
        let mut saved = Saved {
            latest: monitor.latest.map(Text),
            by_machine: monitor.is_by_machine,
            ..Saved::default()
        };
        let is_active = monitor.status != Status::Inactive;
        match &monitor.memory {
            Memory::Step(step) => saved.step = SavedStep::of(step),
            Memory::Run(run) => saved.run = Some(SavedRun::of(run)),
            Memory::Window(window) if is_active => {
                let samples = window.samples().iter();
                saved.window =
                    Some(samples.filter_map(|s| Some((s.at, number(s.number)?))).collect());
            }
            Memory::Window(_) | Memory::Empty => {}
        }
        if saved.step.is_some() || saved.run.is_some() || saved.window.is_some() {
            saved.unit = monitor.unit.map(Text);
        }
        saved.clock = monitor.clock.as_deref().filter(|_| is_active).map(SavedClock::of);
        match &monitor.status {
            Status::Inactive => {}
            Status::Pending(pending) => {
                saved.pending = Some(SavedPending {
                    since: Text(pending.since),
                    held_from: Text(pending.held_from),
                    evidence: SavedEvidence::of(&pending.evidence),
                });
                saved.hours_end = pending.hours_end.map(Text);
            }
            Status::Firing(firing) => {
                saved.incident = Some(SavedIncident::of(&firing.incident));
                saved.hours_end = firing.hours_end.map(Text);
            }
        }
        saved
    }

    fn into_monitor(self) -> Monitor {
        let hours_end = self.hours_end.map(|at| at.0);
        let status = match (self.incident, self.pending) {
            (Some(incident), _) => {
                let incident = Arc::new(incident.into_incident());
                Status::Firing(Box::new(Firing { incident, hours_end }))
            }
            (None, Some(pending)) => Status::Pending(Box::new(Pending {
                since: pending.since.0,
                held_from: pending.held_from.0,
                evidence: pending.evidence.into_evidence(),
                hours_end,
            })),
            (None, None) => Status::Inactive,
        };
        let memory = match (self.step, self.run, self.window) {
            (Some(step), _, _) => Memory::Step(step.into_step()),
            (None, Some(run), _) => Memory::Run(Box::new(run.into_run())),
            (None, None, Some(samples)) => {
                let samples = samples.into_iter();
                let samples = samples.map(|(at, number)| Sample { at, number: number.0.get() });
                Memory::Window(Box::new(Window::restored(samples.collect())))
            }
            (None, None, None) => Memory::Empty,
        };
        Monitor {
            latest: self.latest.map(|at| at.0),
            is_by_machine: self.by_machine,
            unit: self.unit.map(|unit| unit.0),
            memory,
            clock: self.clock.map(|clock| Box::new(clock.into_clock())),
            status,
            fault: None,
        }
    }
}

impl SavedStep {
    fn of(step: &Step) -> Option<SavedStep> {
        Some(SavedStep {
            at: step.at,
            latest: number(step.latest)?,
            smallest: number(step.smallest)?,
            differences: step.differences,
            lowest: number(step.lowest)?,
            highest: number(step.highest)?,
        })
    }

    fn into_step(self) -> Step {
        Step {
            at: self.at,
            latest: self.latest.0.get(),
            smallest: self.smallest.0.get(),
            differences: self.differences,
            lowest: self.lowest.0.get(),
            highest: self.highest.0.get(),
        }
    }
}

impl SavedRun {
    fn of(run: &Run) -> SavedRun {
        SavedRun {
            value: SavedDatum::of(&run.value),
            since: run.since,
            latest: run.latest,
            observations: run.observations,
            after_change: run.is_after_change,
        }
    }

    fn into_run(self) -> Run {
        Run {
            value: self.value.into_datum(),
            since: self.since,
            latest: self.latest,
            observations: self.observations,
            is_after_change: self.after_change,
        }
    }
}

impl SavedClock {
    fn of(clock: &Clock) -> SavedClock {
        SavedClock {
            from: clock.from.map(Text),
            since: clock.since.map(Text),
            otherwise: match clock.otherwise {
                Otherwise::Clear => SavedOtherwise::Clear,
                Otherwise::Unknown => SavedOtherwise::Unknown,
                Otherwise::ClearBySuccess(at) => SavedOtherwise::ClearBySuccess(at.map(Text)),
            },
            by_machine: clock.is_by_machine,
            looked_at: Text(clock.looked_at),
            evidence: SavedEvidence::of(&clock.evidence),
        }
    }

    fn into_clock(self) -> Clock {
        Clock {
            from: self.from.map(|at| at.0),
            since: self.since.map(|at| at.0),
            otherwise: match self.otherwise {
                SavedOtherwise::Clear => Otherwise::Clear,
                SavedOtherwise::Unknown => Otherwise::Unknown,
                SavedOtherwise::ClearBySuccess(at) => Otherwise::ClearBySuccess(at.map(|at| at.0)),
            },
            is_by_machine: self.by_machine,
            looked_at: self.looked_at.0,
            evidence: self.evidence.into_evidence(),
        }
    }
}

fn number(number: f64) -> Option<Number> {
    Finite::new(number).map(Text)
}
