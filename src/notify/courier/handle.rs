//! Handles to a courier, and their other end in its thread.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::CourierSettings;
use super::attempt::Attempts;
use crate::alert::{Notice, NoticeKey};
use crate::kernel::clock::Clock;
use crate::notify::delivery::{Delivery, DeliveryError};
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
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    outbox: Outbox,
    renewal: Option<Attempts>,
    tests: VecDeque<Test>,
    /// Number of notices dropped for want of room that have not been logged.
    dropped: usize,
    has_ended: bool,
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

/// Returns a handle and the thread's end of it.
pub(super) fn connect(settings: &CourierSettings, clock: Clock) -> (CourierHandle, Inbox) {
    let (wake, woken) = bounded(1);
    let state = State {
        outbox: Outbox::new(settings.outbox, fastrand::Rng::new()),
        renewal: None,
        tests: VecDeque::new(),
        dropped: 0,
        has_ended: false,
    };
    let shared = Shared { channel: Arc::clone(&settings.name), clock, state: Mutex::new(state) };
    let shared = Arc::new(shared);
    (CourierHandle { shared: Arc::clone(&shared), wake }, Inbox { shared, woken })
}

impl CourierHandle {
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
        if state.has_ended {
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

    /// Sends what a failed attempt has left at once, not after its backoff.
    pub fn retry_now(&self) {
        self.shared.lock().outbox.retry_now();
        self.wake();
    }

    pub(super) fn renew(&self, outbox: OutboxSettings, attempts: Attempts) {
        let mut state = self.shared.lock();
        state.outbox.renew(outbox);
        state.renewal = Some(attempts);
        drop(state);
        self.wake();
    }

    fn wake(&self) {
        // If it is full, the thread has not received the previous wake-up yet.
        let _ = self.wake.try_send(());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's end. Dropping it refuses further tests.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
    woken: Receiver<()>,
}

impl Inbox {
    pub(super) const fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    pub(super) fn take_renewal(&self) -> Option<Attempts> {
        self.shared.lock().renewal.take()
    }

    /// Returns the next test whose client still waits.
    pub(super) fn take_test(&self) -> Option<Test> {
        let now = Instant::now();
        let mut state = self.shared.lock();
        state.tests.retain(|test| test.until > now);
        state.tests.pop_front()
    }

    /// Returns what to do, the notices to delete from the disk, and the number of notices dropped.
    pub(super) fn next(&self) -> (Next, Vec<NoticeKey>, usize) {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        let next = state.outbox.next(now);
        (next, state.outbox.take_done(), mem::take(&mut state.dropped))
    }

    pub(super) fn take_done(&self) -> Vec<NoticeKey> {
        self.shared.lock().outbox.take_done()
    }

    pub(super) fn sent(&self) {
        let now = self.shared.clock.now();
        self.shared.lock().outbox.sent(now);
    }

    pub(super) fn failed(&self, error: DeliveryError) -> Failed {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        match (state.outbox.failed(error, now), &state.renewal) {
            // The settings that have failed are not those of the next attempt.
            (Failed::Retry(_), Some(_)) => {
                state.outbox.retry_now();
                Failed::Retry(Duration::ZERO)
            }
            (failed, _) => failed,
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.has_ended = true;
        // Dropping the tests disconnects the clients that wait.
        state.tests.clear();
    }
}
