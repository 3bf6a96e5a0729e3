//! A notice in the outbox, and the time from which it can be sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::rejection::Rejection;
use crate::alert::store::CLAIM_GRACE;
use crate::alert::{Notice, NoticeKey, NoticeKind};
use crate::config::Severity;
use crate::kernel::clock::TimePoint;

/// Time after which a notice is sent although the disk has not taken it.
pub const UNSAVED_AFTER: Duration = Duration::from_secs(2);

/// Longest time by which a notice can be deferred. Quiet hours are shorter than a day.
pub const MAX_DEFERRAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Time after a reminder was due at which it is dropped.
pub const MAX_REMINDER_AGE: SignedDuration = SignedDuration::from_hours(1);

/// A notice in the outbox.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) notice: Arc<Notice>,
    /// True once it is on the disk.
    pub(super) is_saved: bool,
    /// Time since boot at which it was pushed or restored.
    pub(super) pushed_at: Duration,
    /// Rejections of the message of its incident.
    pub(super) rejection: Option<Rejection>,
}

impl Entry {
    pub(super) fn into_key(self) -> NoticeKey {
        self.notice.key.clone()
    }

    /// Returns the time until it can be sent: zero if it can.
    pub(super) fn wait(&self, now: TimePoint, claimed_until: Option<Duration>) -> Duration {
        let rejected = self.rejection.map_or(Duration::ZERO, |rejection| rejection.wait(now));
        self.until_due(now).max(self.until_claimed(now, claimed_until)).max(rejected)
    }

    /// Returns the time for which it has been due in this process. By a clock that was set back, it is not due yet, and
    /// by one that was set forward it was before it was made.
    pub(super) fn waited(&self, now: TimePoint) -> Duration {
        let Notice { at, due, .. } = &*self.notice;
        let known = now.boot.saturating_sub(self.pushed_at);
        let deferral = positive(due.duration_since(*at)).min(MAX_DEFERRAL);
        match Duration::try_from(now.wall.duration_since(*due)) {
            Ok(by_wall) => known.min(by_wall),
            Err(_) => known.saturating_sub(deferral),
        }
    }

    /// Returns the time until it is due, by the wall clock or by the time since it was pushed.
    pub(super) fn until_due(&self, now: TimePoint) -> Duration {
        let Notice { at, due, .. } = &*self.notice;
        let by_wall = positive(due.duration_since(now.wall));
        let deferral = positive(due.duration_since(*at)).min(MAX_DEFERRAL);
        by_wall.min((self.pushed_at + deferral).saturating_sub(now.boot))
    }

    /// Returns the time until this process may send it: it is saved and claimed, or has waited for that for long enough.
    fn until_claimed(&self, now: TimePoint, claimed_until: Option<Duration>) -> Duration {
        if !self.is_saved {
            return (self.pushed_at + UNSAVED_AFTER).saturating_sub(now.boot);
        }
        match claimed_until {
            Some(end) if now.boot >= end => (end + CLAIM_GRACE).saturating_sub(now.boot),
            Some(_) | None => Duration::ZERO,
        }
    }

    /// Returns true for the fire of a critical alarm.
    pub(super) fn is_critical_fire(&self) -> bool {
        let Notice { key, incident, .. } = &*self.notice;
        key.kind == NoticeKind::Fired && incident.severity == Severity::Critical
    }

    /// Returns true for a reminder that is no longer worth sending.
    pub(super) fn is_old_reminder(&self, now: TimePoint) -> bool {
        self.notice.key.kind == NoticeKind::Reminder
            && now.wall.duration_since(self.notice.due) > MAX_REMINDER_AGE
    }
}

/// Returns a duration, or zero for a negative one.
fn positive(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}
