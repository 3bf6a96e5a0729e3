//! Steps of the wall clock, which NTP or an administrator sets forward or back.

use std::time::Duration;

use super::Evaluator;
use crate::board::Snapshot;
use crate::kernel::clock::TimePoint;

/// Longest wait for a snapshot whose times are by the present setting of the clock.
const MAX_REDATING: Duration = Duration::from_secs(10);

impl Evaluator {
    /// Moves the times that were read from the clock of this machine, if it was set since the last call.
    pub(super) fn notice_step(&mut self, now: TimePoint) {
        let Some(step) = self.clock.step(now) else { return };
        self.started_at = self.started_at.saturating_add(step).unwrap_or(self.started_at);
        for place in self.places() {
            self.subject_mut(place).redate(step);
            self.requeue(place);
        }
        for state in &mut self.rules {
            state.view = None;
            let Some(until) = &mut state.silenced_until else { continue };
            *until = until.saturating_add(step).unwrap_or(*until);
            if self.is_active && self.shared.is_none() {
                let name = state.rule.alert().name.clone();
                self.effects.silences.push((name, state.silenced_until));
            }
        }
        if let Some(sharing) = &mut self.shared {
            for silence in sharing.silences.values_mut() {
                silence.until = silence.until.saturating_add(step).unwrap_or(silence.until);
            }
        }
        self.dated_before = self.dated_by.map(|dated_by| (dated_by, now.boot + MAX_REDATING));
    }

    /// Returns true if the times of a snapshot are by the setting of the clock before its latest step. The board notices
    /// the step on its own, soon.
    pub(super) fn is_dated_before_step(&mut self, snapshot: &Snapshot, now: TimePoint) -> bool {
        let dated_by = snapshot.service.started_at;
        if let Some((before, until)) = self.dated_before
            && before == dated_by
            && now.boot < until
        {
            return true;
        }
        self.dated_before = None;
        self.dated_by = Some(dated_by);
        false
    }
}
