//! One connection's use of a lane: it waits for a permit, runs under it and yields it.
//!
//! A request that has held a permit for [`PERMIT_QUANTUM`] yields it if another client waits. The
//! streamed body of a heavy response is read under a permit of the same lane, and yields it to any
//! request that waits, also to one of the same client, because behind a proxy many people are one
//! client. A connection that waits for its client, to read or to write, holds no permit.

use std::time::Instant;

use super::deadline::Deadline;
use super::lanes::{Begun, Client, Permit};
use super::limits::{PERMIT_QUANTUM, Settings};
use super::message::Body;
use super::service::{HeavyWork, Lane};

/// Expensive work of the current request, and of the streamed response that it leads to.
#[derive(Default)]
pub(super) struct HeavyState {
    entered: Option<(Lane, Client)>,
    permit: Option<Permit>,
    /// Start of the current use of the permit.
    running_since: Option<Instant>,
    /// Deadline of the wait for the first permit, then of the whole work.
    deadline: Option<Deadline>,
    /// Deadline of the current wait, for work with a fallback.
    wait_deadline: Option<Deadline>,
    /// Set while the work has begun and has led to no response yet.
    begun: Option<Begun>,
    /// The response is a stream whose source is read under a permit.
    streaming: bool,
}

/// Decision on a piece of expensive work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may run now.
    Run,
    /// It waits for the permit that it has requested.
    Wait,
    /// It must enter the lane, for a new permit.
    Enter,
    /// It has waited, or lasted, for too long.
    Expired,
}

impl HeavyState {
    /// Decides on the next piece of work. `queue_timeout` bounds the wait for the first permit, and
    /// `write_timeout` the whole work from then on. The `max_wait` of a fallback bounds each wait.
    pub(super) fn admit(
        &mut self,
        work: &HeavyWork,
        client: Client,
        settings: &Settings,
        now: Instant,
    ) -> Admission {
        if self.entered.replace((work.lane, client)) != Some((work.lane, client)) {
            // A permit of another lane is of no use.
            self.pause();
        }
        self.deadline.get_or_insert(Deadline::of(now, settings.queue_timeout));
        if let Some(fallback) = &work.fallback {
            self.wait_deadline.get_or_insert(Deadline::of(now, fallback.max_wait));
        }
        if self.deadline().is_some_and(|deadline| deadline.passed(now)) {
            return Admission::Expired;
        }
        let admission = self.use_permit(now);
        if admission == Admission::Run {
            self.wait_deadline = None;
            if self.begun.is_none() {
                self.begun = self.permit.as_ref().map(Permit::begin);
                self.deadline = Some(Deadline::of(now, settings.write_timeout));
            }
        }
        admission
    }

    /// Decides on the next read of a streamed body's source.
    pub(super) fn admit_read(&mut self, now: Instant) -> Admission {
        if self.streaming { self.use_permit(now) } else { Admission::Run }
    }

    fn use_permit(&mut self, now: Instant) -> Admission {
        match &self.permit {
            None => Admission::Enter,
            Some(permit) if !permit.is_granted() => Admission::Wait,
            Some(permit) => {
                let since = *self.running_since.get_or_insert(now);
                // A stream yields to any other request. Work that has begun holds its earlier
                // results, so it yields to other clients only, and to a limited number of them.
                let is_due = || match &self.begun {
                    Some(begun) => permit.is_wanted_by_others() && begun.may_pause(),
                    None => permit.is_wanted(),
                };
                if now.duration_since(since) >= PERMIT_QUANTUM && is_due() {
                    self.pause();
                    return Admission::Enter;
                }
                Admission::Run
            }
        }
    }

    /// Returns the lane to enter, and the client that enters it.
    pub(super) fn entry(&self) -> Option<(Lane, Client)> {
        self.entered
    }

    pub(super) fn set_permit(&mut self, permit: Permit) {
        self.permit = Some(permit);
        self.running_since = None;
    }

    /// Returns true if it waits for a permit.
    pub(super) fn is_waiting(&self) -> bool {
        self.permit.as_ref().is_some_and(|permit| !permit.is_granted())
    }

    /// Returns the deadline of the wait or of the work, or `None` while a response is sent.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline.into_iter().chain(self.wait_deadline).min()
    }

    /// Frees the permit while the client is awaited. The work continues under another one.
    pub(super) fn pause(&mut self) {
        self.permit = None;
        self.running_since = None;
    }

    /// Records the response that the work has led to, with the body that is sent.
    pub(super) fn respond(&mut self, body: Option<&Body>) {
        self.deadline = None;
        self.wait_deadline = None;
        self.begun = None;
        self.streaming = self.entered.is_some() && matches!(body, Some(Body::Stream(_)));
        if !self.streaming {
            self.leave();
        }
    }

    /// Frees the permit, because the expensive work is over.
    pub(super) fn leave(&mut self) {
        *self = HeavyState::default();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::client_net::ClientNet;
    use super::super::lanes::Lanes;
    use super::*;

    fn client(number: u8) -> Client {
        Some(ClientNet::of([192, 0, 2, number].into()))
    }

    /// A stream of client 1 that holds the only permit, and the time of its first read.
    fn stream(lanes: &Lanes) -> (HeavyState, Instant) {
        let mut state = HeavyState { entered: Some((Lane::Bulk, client(1))), ..Default::default() };
        state.set_permit(lanes.enter(Lane::Bulk, client(1), Box::new(|| {})));
        state.respond(Some(&Body::Stream(Box::new(io::repeat(b'x')))));
        let now = Instant::now();
        assert_eq!(state.admit_read(now), Admission::Run);
        (state, now)
    }

    #[test]
    fn stream_keeps_its_permit_while_no_request_waits() {
        let lanes = Lanes::new(1);
        let (mut stream, begun) = stream(&lanes);
        assert_eq!(stream.admit_read(begun + 9 * PERMIT_QUANTUM), Admission::Run);
    }

    #[test]
    fn stream_passes_its_permit_on_to_any_client_and_to_its_own() {
        for waiting in [1, 2] {
            let lanes = Lanes::new(1);
            let (mut stream, begun) = stream(&lanes);
            let other = lanes.enter(Lane::Bulk, client(waiting), Box::new(|| {}));
            assert_eq!(stream.admit_read(begun + PERMIT_QUANTUM / 2), Admission::Run);
            assert_eq!(stream.admit_read(begun + PERMIT_QUANTUM), Admission::Enter);
            assert!(other.is_granted(), "client {waiting}");
        }
    }
}
