//! State of all sources, without a clock of its own and without I/O.
//!
//! Its inputs are reports, new configurations and times. It returns whether a snapshot must be published, and
//! collects the changes to record. Each input begins with a look at the clocks: if the wall clock was set,
//! everything that was dated by it is dated anew first, so a report is applied by the present setting.

use jiff::{SignedDuration, Timestamp};

use super::event::{Change, Event, EventKind, Sample};
use super::report::{Report, SavedReading, SourceInfo};
use super::snapshot::{SourceView, State};
use super::source::Source;
use crate::kernel::clock::{StepDetector, TimePoint};

/// All sources in the order of the configuration.
#[derive(Debug)]
pub(super) struct Sources {
    sources: Vec<Source>,
    clock: StepDetector,
    /// Sum of all steps of the wall clock since the start.
    stepped: SignedDuration,
    /// Changes that have not been taken yet.
    changes: Vec<Change>,
}

impl Sources {
    /// Returns all sources in the state `waiting`.
    pub(super) fn new(sources: Vec<SourceInfo>, now: TimePoint) -> Sources {
        Sources {
            sources: sources.into_iter().map(Source::waiting).collect(),
            clock: StepDetector::new(now),
            stepped: SignedDuration::ZERO,
            changes: Vec::new(),
        }
    }

    /// Applies a new configuration. Sources with the same name and kind keep their values.
    pub(super) fn renew(&mut self, sources: Vec<SourceInfo>, now: TimePoint) {
        self.notice_step(now);
        let mut before = std::mem::take(&mut self.sources);
        for info in sources {
            let is_same = |source: &Source| {
                let view = source.view();
                view.name == info.name && view.kind == info.kind
            };
            let source = match before.iter().position(is_same) {
                None => Source::waiting(info),
                Some(at) => {
                    let (source, changes) = before.swap_remove(at).renewed(info, now.wall);
                    self.changes.extend(changes);
                    source
                }
            };
            self.sources.push(source);
        }
    }

    /// Restores readings from before a restart. Those of unknown sources are dropped.
    pub(super) fn restore(&mut self, saved: Vec<SavedReading>, now: TimePoint) {
        for saved in saved {
            let is_saved = |known: &&mut Source| {
                let view = known.view();
                view.name == saved.source && view.kind == saved.kind
            };
            if let Some(source) = self.sources.iter_mut().find(is_saved) {
                self.changes.extend(source.restore(saved, now.wall));
            }
        }
    }

    /// Restarts the trends from recorded samples, earliest first.
    pub(super) fn backfill(&mut self, past: &[Sample], now: TimePoint) {
        self.notice_step(now);
        for source in &mut self.sources {
            source.backfill(past, now.wall);
        }
    }

    /// Returns the changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Applies a report; returns false if its source is unknown.
    #[must_use]
    pub(super) fn apply(&mut self, report: Report, now: TimePoint) -> bool {
        self.notice_step(now);
        let is_reported = |source: &&mut Source| source.view().name == report.source;
        let Some(source) = self.sources.iter_mut().find(is_reported) else { return false };
        self.changes.extend(source.apply(report, now));
        true
    }

    /// Updates all states by the clocks. Returns true if a state has changed, or if times were
    /// dated anew because the wall clock was set.
    #[must_use]
    pub(super) fn expire(&mut self, now: TimePoint) -> bool {
        let mut changed = self.notice_step(now);
        for source in &mut self.sources {
            changed |= source.expire(now.wall, &mut self.changes);
        }
        changed
    }

    /// Returns the time when the next fresh source turns stale.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.sources
            .iter()
            .map(Source::view)
            .filter(|view| view.state == State::Fresh)
            .filter_map(|view| view.reading.as_ref())
            .map(|reading| reading.stale_at)
            .min()
    }

    /// Returns by how much the wall clock was set since the start.
    pub(super) fn stepped(&self) -> SignedDuration {
        self.stepped
    }

    /// Returns the state of all sources for a snapshot.
    pub(super) fn views(&self) -> Vec<SourceView> {
        self.sources.iter().map(|source| source.view().clone()).collect()
    }

    /// Dates everything anew if the wall clock was set since the last call. Returns true if it was.
    fn notice_step(&mut self, now: TimePoint) -> bool {
        let Some(step) = self.clock.step(now) else { return false };
        self.stepped = self.stepped.saturating_add(step);
        let direction = if step.is_negative() { "back" } else { "forward" };
        let detail = format!("{direction} by {:#}", step.abs());
        log::warn!(
            "the clock of this machine was set {detail}; times that were read from it are corrected, and all \
             sources are polled again"
        );
        self.changes.push(Change::ClockStepped(step));
        let kind = EventKind::ClockStepped;
        let event = Event { at: now.wall, kind, source: None, detail: detail.into() };
        self.changes.push(Change::Happened(event));
        for source in &mut self.sources {
            source.redate(step, now.wall);
        }
        true
    }
}

#[cfg(test)]
pub(super) mod tests;
