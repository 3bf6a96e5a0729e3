//! Handles to a courier, and their other end in its thread.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::attempt::Attempts;
use crate::alert::store::{Claim, Claims};
use crate::alert::{Notice, NoticeKey};
use crate::kernel::clock::Clock;
use crate::notify::delivery::{Delivery, DeliveryError, DeliveryFault};
use crate::notify::outbox::{Failed, Next, Outbox, OutboxSettings, OutboxStatus};

/// Most tests that wait. Each one is of a person, or of a script in a loop.
const MAX_TESTS: usize = 4;

/// Handle to a channel. Cheap to clone; no call waits for a disk or a network, except
/// [`CourierHandle::send_test`].
#[derive(Debug, Clone)]
pub struct CourierHandle {
    shared: Arc<Shared>,
    wake: Sender<()>,
}

/// State that the handles share with the thread.
#[derive(Debug)]
struct Shared {
    channel: Arc<str>,
    clock: Clock,
    claim: Claim,
    state: Mutex<State>,
    woken: Receiver<()>,
}

#[derive(Debug)]
struct State {
    outbox: Outbox,
    renewal: Option<Renewal>,
    tests: VecDeque<Test>,
    /// Number of notices dropped for want of room that have not been logged.
    dropped: usize,
    /// False without a thread.
    is_running: bool,
}

/// A new configuration for the thread.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) attempts: Attempts,
    /// True if the settings of the channel are other ones.
    pub(super) is_changed: bool,
}

/// A test message, and where its outcome is sent.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) delivery: Delivery,
    pub(super) reply: Sender<Result<(), DeliveryError>>,
    /// Time until which its client waits.
    pub(super) until: Instant,
}

/// A test message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The channel did not take it.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The channel is still busy with another message.
    #[error("the channel is busy with another message; retry in a minute")]
    Busy,
    /// The channel was removed, or the server stops.
    #[error("the channel has stopped")]
    Stopped,
}

impl CourierHandle {
    /// Returns a handle to a channel without a thread.
    pub(super) fn new(
        channel: Arc<str>,
        outbox: OutboxSettings,
        clock: Clock,
        claim: Claim,
    ) -> CourierHandle {
        let (wake, woken) = bounded(1);
        let state = State {
            outbox: Outbox::new(outbox, fastrand::Rng::new()),
            renewal: None,
            tests: VecDeque::new(),
            dropped: 0,
            is_running: false,
        };
        let shared = Shared { channel, clock, claim, state: Mutex::new(state), woken };
        CourierHandle { shared: Arc::new(shared), wake }
    }

    /// Returns the end of a new thread. The message that an earlier one was sending waits again.
    pub(super) fn inbox(&self, settings: OutboxSettings) -> Inbox {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.is_running = true;
        state.renewal = None;
        state.outbox.interrupted(now);
        state.outbox.renew(settings);
        drop(state);
        Inbox { shared: Arc::clone(&self.shared) }
    }

    /// Returns true if the channel has a thread.
    pub fn is_running(&self) -> bool {
        self.shared.lock().is_running
    }

    /// Returns the name of the channel.
    pub fn channel(&self) -> &Arc<str> {
        &self.shared.channel
    }

    /// Adds notices. They are to be given to the store first, or the store would save them after they were marked
    /// as sent.
    pub fn push(&self, notices: impl IntoIterator<Item = Arc<Notice>>) {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.dropped += state.outbox.push(notices, now);
        drop(state);
        self.wake();
    }

    /// Adds notices that were read from the disk.
    pub fn restore(&self, notices: impl IntoIterator<Item = Arc<Notice>>) {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.dropped += state.outbox.restore(notices, now);
        drop(state);
        self.wake();
    }

    /// Marks notices as saved. Ignores those of other channels.
    pub fn saved(&self, keys: &[NoticeKey]) {
        let own = keys.iter().filter(|key| key.channel == self.shared.channel);
        self.shared.lock().outbox.saved(own);
        self.wake();
    }

    /// Adds the notices of the channel to the claims.
    pub fn add_claims(&self, claims: &mut Claims) {
        self.shared.lock().outbox.add_claims(claims);
    }

    /// Removes notices that another replica sends. Ignores those of other channels.
    pub fn taken(&self, keys: &[NoticeKey]) {
        self.shared.lock().outbox.taken(&keys.iter().collect());
    }

    /// Returns the notices that are not sent yet, to save them in a new file.
    pub fn notices(&self) -> Vec<Arc<Notice>> {
        self.shared.lock().outbox.notices()
    }

    /// Returns the present state of the channel.
    pub fn status(&self) -> OutboxStatus {
        let now = self.shared.clock.now();
        self.shared.lock().outbox.status(now)
    }

    /// Sends a notice at once, as a message of its own, and waits at most `wait` for the outcome. Neither the
    /// outbox nor the quota is involved.
    ///
    /// # Errors
    /// The message was not sent.
    pub fn send_test(&self, notice: Arc<Notice>, wait: Duration) -> Result<(), TestError> {
        let delivery = Delivery {
            key: format!("test-{:016x}", fastrand::u64(..)).into(),
            notices: vec![notice],
            dropped: 0,
            unsaved: false,
            now: self.shared.clock.now().wall,
        };
        let (reply, outcome) = bounded(1);
        let until = Instant::now() + wait;
        let mut state = self.shared.lock();
        if !state.is_running {
            return Err(TestError::Stopped);
        }
        let now = Instant::now();
        state.tests.retain(|test| test.until > now);
        if state.tests.len() >= MAX_TESTS {
            return Err(TestError::Busy);
        }
        state.tests.push_back(Test { delivery, reply, until });
        drop(state);
        self.wake();
        match outcome.recv_deadline(until) {
            Ok(outcome) => Ok(outcome?),
            Err(error) if error.is_timeout() => Err(TestError::Busy),
            Err(_) => Err(TestError::Stopped),
        }
    }

    /// Returns the number of tests that wait.
    #[cfg(test)]
    pub(super) fn waiting_tests(&self) -> usize {
        self.shared.lock().tests.len()
    }

    /// Sends what a failed attempt has left at once, not after its backoff. A wait that the server has asked for is kept.
    pub fn retry_now(&self) {
        self.shared.lock().outbox.retry_now();
        self.wake();
    }

    pub(super) fn renew(&self, mut renewal: Renewal, changed: Option<OutboxSettings>) {
        let mut state = self.shared.lock();
        match changed {
            Some(settings) => state.outbox.renew(settings),
            None => state.outbox.retry_now(),
        }
        renewal.is_changed |= state.renewal.take().is_some_and(|earlier| earlier.is_changed);
        state.renewal = Some(renewal);
        drop(state);
        self.wake();
    }

    /// Lets the thread look at the outbox: the claim was extended.
    pub fn wake(&self) {
        // If it is full, the thread has not received the previous wake-up yet.
        let _ = self.wake.try_send(());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One turn of the thread.
pub(super) struct Turn {
    /// New configuration, which holds for `next` already.
    pub(super) renewal: Option<Renewal>,
    pub(super) next: Next,
    /// Number of notices dropped since the turn before.
    pub(super) dropped: usize,
}

/// The thread's end. Dropping it refuses further tests.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
}

impl Inbox {
    pub(super) fn woken(&self) -> &Receiver<()> {
        &self.shared.woken
    }

    /// Returns the next test whose client still waits, unless a new configuration has to be applied first.
    pub(super) fn take_test(&self) -> Option<Test> {
        let now = Instant::now();
        let mut state = self.shared.lock();
        if state.renewal.is_some() {
            return None;
        }
        state.tests.retain(|test| test.until > now);
        state.tests.pop_front()
    }

    /// Returns the next turn of the thread.
    pub(super) fn next(&self) -> Turn {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.outbox.claim(self.shared.claim.end());
        Turn {
            renewal: state.renewal.take(),
            next: state.outbox.next(now),
            dropped: mem::take(&mut state.dropped),
        }
    }

    /// Reports the notices that are done. A notice leaves the outbox at the moment in which the store learns of it, so
    /// that a claim which is looked for in both is found.
    pub(super) fn report_done(&self, on_done: impl FnOnce(Vec<NoticeKey>)) {
        let mut state = self.shared.lock();
        let done = state.outbox.take_done();
        if !done.is_empty() {
            on_done(done);
        }
    }

    pub(super) fn sent(&self) {
        let now = self.shared.clock.now();
        self.shared.lock().outbox.sent(now);
    }

    pub(super) fn failed(&self, mut error: DeliveryError) -> Failed {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        if !state.renewal.as_ref().is_some_and(|renewal| renewal.is_changed) {
            return state.outbox.failed(error, now);
        }
        // The settings that have failed are not those of the next attempt.
        error.fault = DeliveryFault::Transient;
        state.outbox.failed(error, now);
        state.outbox.begin_anew();
        Failed::Retry(Duration::ZERO)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_running = false;
        // Dropping the tests disconnects the clients that wait.
        state.tests.clear();
    }
}
