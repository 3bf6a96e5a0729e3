//! Setting of the wall clock by which the unwritten changes are dated.
//!
//! The board looks at the clocks every two seconds at least, and reports a step after the changes that it dated by
//! the earlier setting. In between, the recorder must not write: it would compare readings of 1970 with a clock
//! that is right already. It therefore knows the setting that the board reported last, and waits while the
//! clock has another one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::kernel::clock::TimePoint;

/// Longest wait for the report of a step. The board reports one within about two seconds, unless its thread is
/// stuck.
const MAX_AWAIT: Duration = Duration::from_secs(10);

/// Setting of the wall clock at the latest report.
#[derive(Debug)]
pub(super) struct ReportedSetting {
    /// A point in time by that setting; `None` after a step that was not reported in time.
    known: Option<TimePoint>,
    /// Time since boot at which the clock was first seen to have another setting.
    differs_since: Option<Duration>,
}

impl ReportedSetting {
    pub(super) const fn new(now: TimePoint) -> ReportedSetting {
        ReportedSetting { known: Some(now), differs_since: None }
    }

    /// Applies a step that the board reports.
    pub(super) fn report(&mut self, step: SignedDuration, now: TimePoint) {
        self.known = Some(match self.known {
            Some(known) => {
                let wall = known.wall.saturating_add(step).unwrap_or(Timestamp::MAX);
                TimePoint { wall, ..known }
            }
            None => now,
        });
        self.differs_since = None;
    }

    /// Returns by how much the wall clock was set without a report; `None` if it was not.
    pub(super) fn unreported(&self, now: TimePoint) -> Option<SignedDuration> {
        Some(now.step_since(self.known?)).filter(|step| !step.is_zero())
    }

    /// Returns true while the report of a step is awaited, which is [`MAX_AWAIT`] at most.
    pub(super) fn is_awaited(&mut self, now: TimePoint) -> bool {
        if self.unreported(now).is_none() {
            self.differs_since = None;
            return false;
        }
        let since = *self.differs_since.get_or_insert(now.boot);
        let is_awaited = now.boot.saturating_sub(since) < MAX_AWAIT;
        if !is_awaited {
            // The next report states the setting.
            (self.known, self.differs_since) = (None, None);
        }
        is_awaited
    }
}
