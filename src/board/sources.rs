//! State of all sources, without a clock of its own and without I/O.
//!
//! Its inputs are reports, new configurations and times. It collects the changes to record, and the positions of
//! the views that changed since the last snapshot. Each input begins with a look at the clocks: if the wall clock
//! was set, everything that was dated by it is dated anew first, so a report is applied by the present setting.
//!
//! A report costs the same with one source as with thousands: its source is found by name, and a queue orders the
//! times at which sources change by the clock alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::event::{Change, Event, EventKind, Sample};
use super::report::{Report, SavedReading, SourceInfo};
use super::shared::Followed;
use super::source::Source;
use super::source_views::{Roster, SourceViews};
use crate::kernel::clock::{StepDetector, TimePoint};
use crate::threads::{self, divide, map_shared};

/// Number of sources that a thread restores at a time, which takes about a millisecond.
const RESTORED: usize = 128;

/// All sources in the order of the configuration.
#[derive(Debug)]
pub(super) struct Sources {
    sources: Vec<Source>,
    roster: Arc<Roster>,
    /// Time at which each source changes by the clock, with its position.
    due: BTreeSet<(Timestamp, usize)>,
    /// Views as of the last snapshot.
    published: SourceViews,
    /// Positions of the views that changed since.
    changed: Changed,
    clock: StepDetector,
    /// Sum of all steps of the wall clock since the start.
    stepped: SignedDuration,
    /// Changes that have not been taken yet.
    changes: Vec<Change>,
    /// True if a new source is held at once: no other machine polls it.
    is_alone: bool,
}

/// Views that changed since the last snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    /// These positions, each perhaps several times.
    Some(Vec<usize>),
    /// The list itself, or every view.
    All,
}

impl Sources {
    /// Returns all sources in the state `waiting`. This machine is alone and holds them, or else it holds none yet.
    pub(super) fn new(sources: Vec<SourceInfo>, is_alone: bool, now: TimePoint) -> Sources {
        let waiting = |info| Source::waiting(info, is_alone);
        let sources: Vec<Source> = sources.into_iter().map(waiting).collect();
        Sources {
            roster: roster(&sources),
            sources,
            due: BTreeSet::new(),
            published: SourceViews::default(),
            changed: Changed::All,
            clock: StepDetector::new(now),
            stepped: SignedDuration::ZERO,
            changes: Vec::new(),
            is_alone,
        }
    }

    /// Applies a new configuration. Sources with the same name and kind keep their values, and those with the same
    /// settings are not touched.
    pub(super) fn renew(&mut self, sources: Vec<SourceInfo>, now: TimePoint) {
        self.notice_step(now);
        let mut before: Vec<Option<Source>> =
            std::mem::take(&mut self.sources).into_iter().map(Some).collect();
        for info in sources {
            let same = self.roster.position(&info.name).and_then(|at| before[at].take());
            let source = match same {
                Some(source) if source.has_settings(&info) => source,
                Some(source) if source.view().kind == info.kind => {
                    let (source, changes) = source.renewed(info, now.wall);
                    self.changes.extend(changes);
                    source
                }
                Some(source) => Source::waiting(info, source.view().is_held),
                None => Source::waiting(info, self.is_alone),
            };
            self.sources.push(source);
        }
        self.roster = roster(&self.sources);
        self.changed = Changed::All;
        self.requeue();
    }

    /// Restores readings from before a restart. Those of unknown sources are dropped.
    pub(super) fn restore(&mut self, saved: Vec<SavedReading>, now: TimePoint) {
        let mut readings: Vec<Option<SavedReading>> = Vec::new();
        readings.resize_with(self.sources.len(), || None);
        for saved in saved {
            if let Some(position) = self.roster.position(&saved.source) {
                readings[position] = Some(saved);
            }
        }
        let parts = self.sources.chunks_mut(RESTORED).zip(divide(readings, RESTORED)).collect();
        let restored = map_shared(threads::RESTORE, parts, |(sources, saved)| {
            let pairs = sources.iter_mut().zip(saved);
            let restore = |(source, saved): (&mut Source, Option<SavedReading>)| {
                let saved = saved.filter(|saved| saved.kind == source.view().kind)?;
                Some(source.restore(saved, now.wall))
            };
            pairs.filter_map(restore).flatten().collect::<Vec<Change>>()
        });
        self.changes.extend(restored.into_iter().flatten());
        self.changed = Changed::All;
        self.requeue();
    }

    /// Restarts the trends of the sources that have recorded samples among `past`. The samples of a source are
    /// those of one call, earliest first.
    pub(super) fn backfill(&mut self, past: &[Sample], now: TimePoint) {
        self.notice_step(now);
        let mut by_source: HashMap<&str, Vec<&Sample>> = HashMap::new();
        for sample in past {
            by_source.entry(&sample.source).or_default().push(sample);
        }
        for (name, samples) in by_source {
            let Some(position) = self.roster.position(name) else { continue };
            self.update(position, |source| {
                source.backfill(&samples, now.wall);
                Vec::new()
            });
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
        let Some(position) = self.roster.position(&report.source) else { return false };
        self.update(position, |source| source.apply(report, now));
        true
    }

    /// Shows the states of sources that other replicas have published. Those of sources that are held here, earlier ones,
    /// those of the future and those of unknown sources or of another kind are ignored. Returns true if one is shown.
    #[must_use]
    pub(super) fn follow(&mut self, followed: Vec<Followed>, now: TimePoint) -> bool {
        let mut has_changed = self.notice_step(now);
        for followed in followed {
            let position = self.roster.position(&followed.state.source);
            let accepts = |at: &usize| self.sources[*at].accepts(&followed, now.wall);
            let Some(position) = position.filter(accepts) else { continue };
            self.update(position, |source| {
                source.follow(followed, now.wall);
                Vec::new()
            });
            has_changed = true;
        }
        has_changed
    }

    /// Holds the named sources from now on, or leaves them to another replica. Returns true if one has changed.
    #[must_use]
    pub(super) fn set_held(&mut self, names: &[Arc<str>], is_held: bool, now: TimePoint) -> bool {
        let mut has_changed = self.notice_step(now);
        for name in names {
            let position = self.roster.position(name);
            let changes = |at: &usize| self.sources[*at].view().is_held != is_held;
            let Some(position) = position.filter(changes) else { continue };
            self.update(position, |source| source.set_held(is_held, now.wall));
            has_changed = true;
        }
        has_changed
    }

    /// Updates the states that have changed by the clocks. Returns true if one has, or if times were dated anew
    /// because the wall clock was set.
    #[must_use]
    pub(super) fn expire(&mut self, now: TimePoint) -> bool {
        let mut has_changed = self.notice_step(now);
        while let Some(&(at, position)) = self.due.first()
            && at <= now.wall
        {
            self.update(position, |source| source.expire(now.wall));
            has_changed = true;
        }
        has_changed
    }

    /// Returns the time when the next source changes by the clock.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Returns by how much the wall clock was set since the start.
    pub(super) fn stepped(&self) -> SignedDuration {
        self.stepped
    }

    /// Returns the views of all sources for the snapshot of that version and time.
    pub(super) fn publish(&mut self, version: u64, now: Timestamp) -> SourceViews {
        match std::mem::replace(&mut self.changed, Changed::Some(Vec::new())) {
            Changed::All => {
                let views = self.sources.iter_mut().map(|source| source.published(version, now));
                self.published = SourceViews::new(self.roster.clone(), views);
            }
            Changed::Some(positions) => {
                for position in positions {
                    self.published
                        .replace(position, self.sources[position].published(version, now));
                }
            }
        }
        self.published.clone()
    }

    /// Changes a source: collects its changes, and queues it by its next time.
    fn update(&mut self, position: usize, change: impl FnOnce(&mut Source) -> Vec<Change>) {
        let source = &mut self.sources[position];
        let before = source.due_at();
        self.changes.extend(change(source));
        let after = source.due_at();
        if before != after {
            before.map(|at| self.due.remove(&(at, position)));
            self.due.extend(after.map(|at| (at, position)));
        }
        if let Changed::Some(positions) = &mut self.changed {
            positions.push(position);
        }
    }

    /// Queues all sources by their next times.
    fn requeue(&mut self) {
        let due = (0..).zip(&self.sources);
        self.due.clear();
        self.due.extend(due.filter_map(|(position, source)| Some((source.due_at()?, position))));
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
            self.changes.extend(source.expire(now.wall));
        }
        self.changed = Changed::All;
        self.requeue();
        true
    }
}

fn roster(sources: &[Source]) -> Arc<Roster> {
    Arc::new(Roster::new(sources.iter().map(|source| &source.view().name)))
}

#[cfg(test)]
pub(super) mod tests;
