//! Observations that a condition on a field needs beside the latest one.
//!
//! They are not part of the state: an observation that is late, stale, or outside of the hours of the rule enters them
//! too, as it would after a restart, when they are read from the history.

use std::time::Duration;

use jiff::Timestamp;

use super::run::Run;
use super::step::Step;
use super::window::{Sample, Window, millis, time};
use crate::board::{Datum, Finite};
use crate::config::FieldCondition;
use crate::units::Unit;

/// Observations that a condition needs beside the latest one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Memory {
    /// None are needed, or there are none yet.
    #[default]
    Empty,
    /// Step of the sensor, for the hysteresis of a threshold.
    Step(Step),
    /// Observations of a window.
    Window(Box<Window>),
    /// Run of equal values.
    Run(Box<Run>),
}

impl Memory {
    /// Adds an observation.
    ///
    /// Time after an observation counts up to `stale_after`.
    pub(super) fn push(
        &mut self,
        condition: &FieldCondition,
        at: Timestamp,
        value: &Datum,
        stale_after: Duration,
    ) {
        let at = time(at);
        match (condition, value) {
            (FieldCondition::Flat { .. }, _) => match self {
                Memory::Run(run) => run.push(at, value, millis(stale_after)),
                _ => *self = Memory::Run(Box::new(Run::new(at, value.clone(), false))),
            },
            (
                FieldCondition::Below { .. }
                | FieldCondition::Above { .. }
                | FieldCondition::Outside { .. },
                Datum::Number(number),
            ) => match self {
                Memory::Step(step) => step.push(at, number.get()),
                _ => *self = Memory::Step(Step::new(at, number.get())),
            },
            (
                FieldCondition::Falls { within, .. }
                | FieldCondition::Rises { within, .. }
                | FieldCondition::NoRise { within, .. },
                Datum::Number(number),
            ) => self.window_mut().push(Sample { at, number: number.get() }, *within),
            _ => {}
        }
    }

    /// Adds recorded observations, earliest first, before those that are there.
    pub(super) fn backfill(
        &mut self,
        condition: &FieldCondition,
        samples: impl Iterator<Item = (Timestamp, f64)>,
        stale_after: Duration,
    ) {
        let samples = samples.filter_map(|(at, number)| Some((at, Finite::new(number)?)));
        match condition {
            FieldCondition::Falls { within, .. }
            | FieldCondition::Rises { within, .. }
            | FieldCondition::NoRise { within, .. } => {
                let samples = samples.map(|(at, n)| Sample { at: time(at), number: n.get() });
                self.window_mut().backfill(samples, *within);
            }
            FieldCondition::Flat { .. } => match self {
                Memory::Run(run) => {
                    let samples = samples.map(|(at, n)| (time(at), Datum::Number(n)));
                    run.backfill(samples, millis(stale_after));
                }
                _ => samples.for_each(|(at, n)| {
                    self.push(condition, at, &Datum::Number(n), stale_after);
                }),
            },
            FieldCondition::Below { .. }
            | FieldCondition::Above { .. }
            | FieldCondition::Outside { .. }
            | FieldCondition::Equals(_)
            | FieldCondition::NotEquals(_)
            | FieldCondition::EmptyWithin { .. } => {}
        }
    }

    /// Drops the observations later than a time, which are no longer believed.
    pub(super) fn forget_after(&mut self, at: Timestamp) {
        let at = time(at);
        match self {
            Memory::Window(window) => window.forget_after(at),
            Memory::Step(step) => step.at = step.at.min(at),
            Memory::Run(run) if run.since > at => *self = Memory::Empty,
            Memory::Run(run) => run.latest = run.latest.min(at),
            Memory::Empty => {}
        }
    }

    /// Moves all observations by milliseconds.
    pub(super) fn redate(&mut self, step: i64) {
        match self {
            Memory::Window(window) => window.redate(step),
            Memory::Step(of) => of.at = of.at.saturating_add(step),
            Memory::Run(run) => {
                run.since = run.since.saturating_add(step);
                run.latest = run.latest.saturating_add(step);
            }
            Memory::Empty => {}
        }
    }

    /// Converts the numbers to another unit of the field, or drops them if they cannot be converted.
    pub(super) fn convert(&mut self, from: Option<Unit>, to: Option<Unit>) {
        match self {
            Memory::Window(window) => window.convert(from, to),
            Memory::Step(step) => {
                *self = step.converted(from, to).map_or(Memory::Empty, Memory::Step);
            }
            // Converted numbers are rounded, so equal ones cannot be distinguished from others.
            Memory::Run(_) => *self = Memory::Empty,
            Memory::Empty => {}
        }
    }

    /// Returns the step of the sensor, or 0 if it is not known.
    pub(super) fn step(&self) -> f64 {
        match self {
            Memory::Step(step) => step.get(),
            _ => 0.0,
        }
    }

    /// Returns the lowest value of the sensor, which is that of the latest observation or less.
    pub(super) fn lowest(&self) -> f64 {
        match self {
            Memory::Step(step) => step.lowest,
            _ => f64::NEG_INFINITY,
        }
    }

    /// Returns the highest value of the sensor.
    pub(super) fn highest(&self) -> f64 {
        match self {
            Memory::Step(step) => step.highest,
            _ => f64::INFINITY,
        }
    }

    fn window_mut(&mut self) -> &mut Window {
        if !matches!(self, Memory::Window(_)) {
            *self = Memory::Window(Box::default());
        }
        match self {
            Memory::Window(window) => window,
            _ => unreachable!("made above"),
        }
    }
}
