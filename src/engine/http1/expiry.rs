//! Deadlines of a connection, and the state that the metrics show.

use super::action::Action;
use super::connection::Connection;
use super::head::Head;
use super::phase::{PendingBody, Phase};
use crate::deadline::Deadline;
use crate::refusal::Refusal;
use crate::stats::{CloseReason, ConnectionState};

impl Connection {
    /// Returns the deadline of the write under way, else that of the phase.
    pub(crate) fn deadline(&self) -> Deadline {
        self.write_deadline.unwrap_or(self.deadline)
    }

    /// Acts on the deadline that has passed: refuses an incomplete request with 408, and closes the
    /// connection otherwise.
    pub(crate) fn expire(&mut self) -> Action {
        let reason = self.expiry_reason();
        if reason == CloseReason::WriteTimeout {
            return self.close(reason, false);
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Head if !self.input.is_empty() => Action::Refuse(Refusal::Timeout.into()),
            Phase::Body(receiving) => {
                let head = Head::from(*receiving.request);
                Action::Refuse(self.refused(Refusal::Timeout, head))
            }
            Phase::Discard(discarding) => {
                self.phase = Phase::Handling(discarding.context, PendingBody::NONE);
                Action::Refuse(Refusal::Timeout.into())
            }
            // An empty line may have followed a response.
            Phase::Head => self.close(reason, self.has_answered),
            Phase::Idle | Phase::Handling(..) => self.close(reason, true),
        }
    }

    /// Returns the reason for which the current deadline closes the connection.
    pub(crate) fn expiry_reason(&self) -> CloseReason {
        match (self.write_deadline, &self.phase) {
            (Some(_), _) => CloseReason::WriteTimeout,
            (None, Phase::Idle | Phase::Handling(..)) => CloseReason::KeepAlive,
            (None, Phase::Head) => CloseReason::HeaderTimeout,
            (None, Phase::Body(_) | Phase::Discard(_)) => CloseReason::BodyTimeout,
        }
    }

    /// Returns the state of the connection as the metrics name it.
    pub(crate) fn state(&self) -> ConnectionState {
        match (self.write_deadline, &self.phase) {
            (Some(_), _) => ConnectionState::Writing,
            (None, Phase::Idle) => ConnectionState::Idle,
            (None, Phase::Handling(..)) => ConnectionState::Active,
            (None, Phase::Head | Phase::Body(_) | Phase::Discard(_)) => ConnectionState::Reading,
        }
    }
}
