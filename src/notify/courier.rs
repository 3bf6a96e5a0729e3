//! The courier of a channel: a thread that sends what the channel's [`Outbox`](super::outbox::Outbox) decides to send.
//!
//! The outbox is behind a mutex that no thread holds while it waits for a disk or a network, so a
//! channel that hangs delays no thread that pushes notices or reads the status. A message is sent with a total
//! deadline. A stop ends the thread at once, unless a delivery is in progress: the thread is then left to end with
//! that delivery, and the message is sent again after the restart if it could not be marked as sent.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::select;

use super::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
use super::outbox::{Failed, Next, OutboxSettings};
use crate::alert::NoticeKey;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StillRunning, StopToken};

mod attempt;
mod handle;

pub use handle::{CourierHandle, TestError};

use attempt::Attempts;
use handle::{Inbox, Test};

/// Longest wait between two looks at the outbox: the clock may be set, or the machine suspended, meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Called with notices that are to be deleted from the disk. Must not block.
pub type OnDone = Box<dyn Fn(Vec<NoticeKey>) + Send + Sync>;

/// Settings of a courier.
#[derive(Debug, Clone)]
pub struct CourierSettings {
    /// Name of the channel.
    pub name: Arc<str>,
    /// Rules of its outbox.
    pub outbox: OutboxSettings,
    /// Total time of one delivery.
    pub timeout: Duration,
}

/// Owner of a channel's thread. Dropping it stops the thread without waiting for a delivery in progress.
#[derive(Debug)]
pub struct Courier {
    handle: CourierHandle,
    thread: Option<OwnedThread>,
}

impl Courier {
    /// Starts the thread `pw-notify-NUMBER`.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        number: usize,
        settings: CourierSettings,
        deliver: Box<dyn Deliver>,
        on_done: OnDone,
        clock: Clock,
    ) -> io::Result<Courier> {
        let (handle, inbox) = handle::connect(&settings, clock);
        let thread = CourierThread {
            channel: settings.name,
            inbox,
            attempts: Attempts::new(deliver, settings.timeout),
            on_done,
            failure: OnChange::new(),
        };
        let name = format!("{}{number}", threads::NOTIFY_PREFIX);
        let thread = OwnedThread::spawn(name, move |stop| thread.run(&stop))?;
        Ok(Courier { handle, thread: Some(thread) })
    }

    /// Returns a handle to the channel.
    pub fn handle(&self) -> CourierHandle {
        self.handle.clone()
    }

    /// Applies other settings after the delivery in progress. A message that was refused is sent again at once.
    pub fn renew(&self, outbox: OutboxSettings, timeout: Duration, deliver: Box<dyn Deliver>) {
        self.handle.renew(outbox, Attempts::new(deliver, timeout));
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
            if let Some(attempts) = self.inbox.take_renewal() {
                self.attempts = attempts;
            }
            if let Some(test) = self.inbox.take_test() {
                self.send_test(test);
                continue;
            }
            let (next, done, dropped) = self.inbox.next();
            self.report_done(done);
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
                    continue;
                }
                Next::Wait(wait) => wait.min(MAX_WAIT),
                Next::Idle => MAX_WAIT,
            };
            select! {
                recv(stop) -> _ => {}
                recv(self.inbox.woken()) -> _ => {}
                default(wait) => {}
            }
        }
        let done = self.inbox.take_done();
        self.report_done(done);
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
        let done = self.inbox.take_done();
        self.report_done(done);
    }

    fn report_failure(&mut self, error: &DeliveryError, failed: Failed) {
        let DeliveryError { fault, message, .. } = error;
        let is_new = self.failure.set((*fault, Arc::clone(message)));
        let channel = &self.channel;
        match failed {
            Failed::Dropped(count) => log::error!(
                "channel {channel}: a message of {count} notices is dropped, as it cannot be delivered: {message}"
            ),
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

    fn report_done(&self, done: Vec<NoticeKey>) {
        if !done.is_empty() {
            (self.on_done)(done);
        }
    }
}

fn is_stopped(stop: &StopToken) -> bool {
    stop.try_recv().is_err_and(|error| error.is_disconnected())
}

#[cfg(test)]
mod tests;
