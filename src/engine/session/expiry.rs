//! Deadline of a session, and what happens once it has passed.

use std::time::Instant;

use super::stage::Stage;
use super::{DriveContext, Outcome, Session, Task};
use crate::deadline::Deadline;
use crate::http1::{Action, Closing};
use crate::stats::CloseReason;

impl Session {
    /// Returns the time at which the session must be driven, whatever its client does.
    pub(crate) fn deadline(&self) -> Deadline {
        match self.stage {
            Stage::Open if self.transport.is_handshaking() => {
                self.handshake_deadline.min(self.http.deadline())
            }
            Stage::Open => match self.heavy.deadline() {
                Some(deadline) if self.deferred.is_some() && !self.http.is_flushing() => deadline,
                _ => self.http.deadline(),
            },
            Stage::Finishing { deadline, .. } | Stage::Lingering { deadline, .. } => deadline,
        }
    }

    /// Acts on the deadline if it has passed. Returns `None` if the session is to be driven further.
    ///
    /// A task other than [`Task::Expire`] ends only responses that are late: their client may read
    /// without end, so no such task would come. A request that has arrived in time is served, however
    /// long it has waited for a worker since. A task to expire may be older than the session's latest
    /// turn, so the deadline is compared again.
    pub(super) fn expire_if_due(
        &mut self,
        task: Task,
        context: DriveContext<'_>,
        now: Instant,
    ) -> Option<Outcome> {
        let is_subject = task == Task::Expire || self.state().is_answered();
        if is_subject && self.deadline().passed(now) { self.expire(context, now) } else { None }
    }

    fn expire(&mut self, context: DriveContext<'_>, now: Instant) -> Option<Outcome> {
        match self.stage {
            Stage::Finishing { closing: Closing { reason, .. }, .. } => {
                self.transport.reset_on_close();
                Some(Outcome::Closed(reason))
            }
            Stage::Lingering { reason, .. } => Some(Outcome::Closed(reason)),
            Stage::Open if self.transport.is_handshaking() => {
                Some(Outcome::Closed(CloseReason::HandshakeTimeout))
            }
            Stage::Open => self.expire_open(context, now),
        }
    }

    fn expire_open(&mut self, context: DriveContext<'_>, now: Instant) -> Option<Outcome> {
        let reason = self.http.expiry_reason();
        let is_write_late = reason == CloseReason::WriteTimeout;
        if !is_write_late
            && let Some(call) = self.deferred.take_if(|_| self.heavy.deadline().is_some())
        {
            self.deferred = self.give_up(call, context, now);
            return None;
        }
        match self.http.expire() {
            Action::Refuse(refused) => {
                self.http.refuse(refused.render(context.service), reason, now);
                None
            }
            _ if is_write_late => {
                self.transport.reset_on_close();
                Some(Outcome::Closed(reason))
            }
            // The state machine closes with its next action.
            _ => None,
        }
    }
}
