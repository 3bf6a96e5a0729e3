//! The courier of a channel: a thread that sends what the channel's [`Outbox`](super::outbox::Outbox) decides to send.
//!
//! The outbox is behind a mutex that no thread holds while it waits for a disk or a network, so a
//! channel that hangs delays no thread that pushes notices or reads the status. A message is sent with a total
//! deadline. A stop ends the thread at once, unless a delivery is in progress: the thread is then left to end with
//! that delivery, and the message is sent again after the restart if it could not be marked as sent.
//!
//! A courier without a thread, which could not be created or has ended by a panic, keeps the notices of its channel and
//! reports it as failing. The next reload starts a thread.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::select;

use super::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
use super::outbox::{Failed, MAX_REJECTED, Next, OutboxSettings};
use crate::alert::NoticeKey;
use crate::alert::store::Claim;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StillRunning, StopToken};

mod attempt;
mod handle;

pub use handle::{CourierHandle, TestError};

use attempt::Attempts;
use handle::{Inbox, Renewal, Test, Turn};

/// Longest wait between two looks at the outbox: the clock may be set, or the machine suspended, meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Called with notices that are to be deleted from the disk. Must not block, nor call the channel.
pub type OnDone = Box<dyn Fn(Vec<NoticeKey>) + Send + Sync>;

/// Owner of a channel's thread. Dropping it stops the thread without waiting for a delivery in progress.
#[derive(Debug)]
pub struct Courier {
    handle: CourierHandle,
    thread: Option<OwnedThread>,
}

impl Courier {
    /// Returns the courier of the channel of that name. It has no thread yet. Before each message it asks whether the
    /// claim on saved notices still holds.
    pub fn new(channel: Arc<str>, outbox: OutboxSettings, clock: Clock, claim: Claim) -> Courier {
        Courier { handle: CourierHandle::new(channel, outbox, clock, claim), thread: None }
    }

    /// Returns true if it has a thread.
    pub fn is_running(&self) -> bool {
        self.handle.is_running()
    }

    /// Starts the thread `pw-notify-NUMBER`.
    ///
    /// # Errors
    /// The thread cannot be created. Notices are kept until it is.
    pub fn run(
        &mut self,
        number: usize,
        outbox: OutboxSettings,
        deliver: Box<dyn Deliver>,
        timeout: Duration,
        on_done: OnDone,
    ) -> io::Result<()> {
        let thread = CourierThread {
            channel: self.handle.channel().clone(),
            inbox: self.handle.inbox(outbox),
            attempts: Attempts::new(deliver, timeout),
            on_done,
            failure: OnChange::new(),
        };
        let name = format!("{}{number}", threads::NOTIFY_PREFIX);
        self.thread = Some(OwnedThread::spawn(name, move |stop| thread.run(&stop))?);
        Ok(())
    }

    /// Returns a handle to the channel.
    pub fn handle(&self) -> CourierHandle {
        self.handle.clone()
    }

    /// Applies a new configuration after the delivery in progress; `changed` are the settings of the channel if they
    /// are other ones. What was not taken is sent again at once. With the same settings, a wait that the server has
    /// asked for is kept.
    pub fn renew(
        &self,
        changed: Option<OutboxSettings>,
        timeout: Duration,
        deliver: Box<dyn Deliver>,
    ) {
        let attempts = Attempts::new(deliver, timeout);
        self.handle.renew(Renewal { attempts, is_changed: changed.is_some() }, changed);
    }

    /// Signals the thread to stop, without waiting for it.
    pub fn begin_stop(&mut self) {
        if let Some(thread) = &mut self.thread {
            thread.stop();
        }
    }

    /// Stops the thread, and waits until `deadline` for the end of a delivery in progress, so that it can be marked
    /// as sent.
    ///
    /// # Errors
    /// The delivery is still in progress. Its thread ends with it.
    pub fn stop(mut self, deadline: Instant) -> Result<(), StillRunning> {
        self.thread.take().map_or(Ok(()), |thread| thread.join_deadline(deadline))
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.detach();
        }
    }
}

/// State of the thread.
struct CourierThread {
    channel: Arc<str>,
    inbox: Inbox,
    attempts: Attempts,
    on_done: OnDone,
    /// Failure of the latest attempt.
    failure: OnChange<(DeliveryFault, Arc<str>)>,
}

impl CourierThread {
    fn run(mut self, stop: &StopToken) {
        while !is_stopped(stop) {
            let Turn { renewal, next, dropped } = self.inbox.next();
            if let Some(renewal) = renewal {
                self.attempts = renewal.attempts;
            }
            self.inbox.report_done(&self.on_done);
            if dropped > 0 {
                log::error!(
                    "channel {}: {dropped} messages are dropped, since more than {} wait",
                    self.channel,
                    super::outbox::MAX_WAITING
                );
            }
            let wait = match next {
                Next::Send(delivery) => {
                    self.send(&delivery);
                    None
                }
                Next::Wait(wait) => Some(wait.min(MAX_WAIT)),
                Next::Idle => Some(MAX_WAIT),
            };
            // After what is due, and one at a time: clients that test in a loop hold up no alarm.
            if let Some(test) = self.inbox.take_test() {
                self.send_test(test);
                continue;
            }
            let Some(wait) = wait else { continue };
            select! {
                recv(stop) -> _ => {}
                recv(self.inbox.woken()) -> _ => {}
                default(wait) => {}
            }
        }
        self.inbox.report_done(&self.on_done);
    }

    /// Sends a message and records the outcome.
    fn send(&mut self, delivery: &Delivery) {
        match self.attempts.attempt(delivery) {
            Ok(()) => {
                self.inbox.sent();
                if self.failure.clear() {
                    log::info!("channel {}: messages are sent again", self.channel);
                }
            }
            Err(error) => {
                let failed = self.inbox.failed(error.clone());
                self.report_failure(&error, failed);
            }
        }
        self.inbox.report_done(&self.on_done);
    }

    fn report_failure(&mut self, error: &DeliveryError, failed: Failed) {
        let DeliveryError { fault, message, .. } = error;
        let channel = &self.channel;
        // The rejection of one message is no failure of the channel.
        let is_new =
            matches!(failed, Failed::Retry(_)) && self.failure.set((*fault, Arc::clone(message)));
        match failed {
            Failed::Dropped(count) => log::error!(
                "channel {channel}: a message of {count} notices is dropped, as it was not taken for {} h while \
                 others were: {message}",
                MAX_REJECTED.as_secs() / 3600
            ),
            Failed::SetAside { count, wait, is_first: true } => log::error!(
                "channel {channel}: a message of {count} notices is not taken: {message}; it is sent again in {} s, \
                 and others meanwhile",
                wait.as_secs_f64().ceil()
            ),
            Failed::SetAside { .. } => {}
            Failed::Retry(wait) if is_new => {
                let seconds = wait.as_secs_f64().ceil();
                log::warn!(
                    "channel {channel}: cannot send: {message}; next attempt in {seconds} s"
                );
            }
            Failed::Sent if is_new => {
                log::warn!("channel {channel}: a message is sent, but not to all: {message}");
            }
            Failed::Retry(_) | Failed::Sent => {}
        }
    }

    fn send_test(&mut self, test: Test) {
        let outcome = self.attempts.attempt(&test.delivery);
        // The client may have gone.
        let _ = test.reply.try_send(outcome);
    }
}

fn is_stopped(stop: &StopToken) -> bool {
    stop.try_recv().is_err_and(|error| error.is_disconnected())
}

#[cfg(test)]
mod tests;
