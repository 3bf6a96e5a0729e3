//! The thread `pw-scheduler`: starts each poll when it is due, and passes it to the poller threads.
//!
//! It never blocks but in its wait for the next event: it does no I/O, its messages have no bound that could block
//! a sender or itself, and a report that the board has no room for waits here. All messages together are at most a
//! few for each source, so their number needs no limit.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::crew::Crew;
use super::gate::{Gate, HeldSources, PERMIT_RETRY};
use super::max_polls::MaxPolls;
use super::poller::Poller;
use super::queue::{Key, Next, Queue, Source};
use super::stats::{HEARTBEAT_INTERVAL, SchedulerStats};
use crate::board::{Report, Reporter};
use crate::kernel::clock::SuspendDetector;
use crate::threads::{Limits, StopToken};

/// Wait before a report is sent again for which the board had no room.
const RESEND_WAIT: Duration = Duration::from_millis(10);

/// Most messages that are handled before polls that are due start.
const MAX_MESSAGES: usize = 256;

/// A message to the scheduler.
pub(super) enum Message {
    /// A poll has ended.
    Done(Done),
    /// A poll of a source was requested at this time.
    Request(Key, Instant),
    /// All sources are to be polled again.
    RepollAll,
    /// The sources of a new configuration.
    Change(Change),
    /// A source is polled from now on, next at this time.
    Hold(Arc<str>, Option<Instant>),
    /// A source is not polled any more.
    Release(Arc<str>),
}

/// The end of a poll.
pub(super) struct Done {
    pub(super) key: Key,
    pub(super) poller: Box<Poller>,
    pub(super) next: Next,
}

/// Difference between two configurations. Sources that are in neither list are not touched, and one that has
/// changed is in both.
pub(super) struct Change {
    pub(super) removed: Vec<Key>,
    pub(super) added: Vec<Added>,
    /// Most polls that may be in flight at one time.
    pub(super) max_polls: MaxPolls,
}

/// A source that is new or has changed.
pub(super) struct Added {
    pub(super) key: Key,
    pub(super) source: Source<Box<Poller>>,
}

/// State of the thread.
pub(super) struct Scheduler {
    queue: Queue<Box<Poller>>,
    crew: Crew<(Key, Box<Poller>), Done>,
    messages: Receiver<Message>,
    /// False once a repoll of all sources has begun.
    repoll_is_pending: Arc<AtomicBool>,
    /// Reports of polls that could not be started, until the board has room. Their polls count as in flight.
    unsent: VecDeque<(Done, Report)>,
    max_polls: MaxPolls,
    /// Limits on threads at the start, for errors.
    limits: Limits,
    reporter: Reporter,
    stats: Arc<SchedulerStats>,
    /// The sources that are held, if not all are.
    held: Option<HeldSources>,
}

impl Scheduler {
    pub(super) fn new(
        crew: Crew<(Key, Box<Poller>), Done>,
        messages: Receiver<Message>,
        repoll_is_pending: Arc<AtomicBool>,
        reporter: Reporter,
        stats: Arc<SchedulerStats>,
        gate: Option<Gate>,
    ) -> Scheduler {
        Scheduler {
            queue: Queue::default(),
            crew,
            messages,
            repoll_is_pending,
            unsent: VecDeque::new(),
            max_polls: MaxPolls::UNLIMITED,
            limits: Limits::of_this_process(),
            reporter,
            stats,
            held: gate.map(HeldSources::new),
        }
    }

    /// Starts polls until `stop` is disconnected.
    pub(super) fn run(mut self, stop: &StopToken) {
        let mut clock = SuspendDetector::new(self.reporter.now().boot, Instant::now());
        let messages = self.messages.clone();
        loop {
            self.stats.beat();
            let now = Instant::now();
            let suspended = clock.suspended(self.reporter.now().boot, now);
            if !suspended.is_zero() {
                self.queue.resume(suspended, now);
            }
            let is_permitted = self.start_polls(now);
            self.send_reports(now);
            let mut wake = now + HEARTBEAT_INTERVAL;
            let next_start = self.queue.next_start().filter(|_| is_permitted);
            wake = next_start.map_or(wake, |start| start.min(wake));
            if !is_permitted {
                wake = now + PERMIT_RETRY;
            }
            if !self.unsent.is_empty() {
                wake = wake.min(now + RESEND_WAIT);
            }
            select! {
                recv(stop) -> _ => return,
                recv(messages) -> message => match message {
                    Ok(message) => self.handle(message),
                    // Unreachable: the poller threads hold senders.
                    Err(_) => return,
                },
                recv(crossbeam_channel::at(wake)) -> _ => {}
            }
            for message in messages.try_iter().take(MAX_MESSAGES) {
                self.handle(message);
            }
        }
    }

    /// Starts the polls that are due. Returns false if a poll is due that may not start now.
    fn start_polls(&mut self, now: Instant) -> bool {
        while self.queue.next_start().is_some_and(|start| start <= now) {
            if self.held.as_ref().is_some_and(|held| !held.are_permitted()) {
                return false;
            }
            let Some((key, poller)) = self.queue.take(now) else { break };
            if poller.stats.is_held() {
                self.start(key, poller);
            } else {
                // Its release is on the way.
                self.queue.park(key);
                let next = Next { ended: now, due: now, may_advance: true };
                self.done(Done { key, poller, next }, now);
            }
        }
        true
    }

    fn handle(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::Done(done) => self.done(done, now),
            Message::Request(key, at) => {
                if let Some(poller) = self.queue.request(key, at) {
                    poller.on_demand.acted();
                }
            }
            Message::RepollAll => {
                self.repoll_is_pending.store(false, Ordering::Relaxed);
                self.queue.repoll_all(now);
            }
            Message::Change(Change { removed, added, max_polls }) => {
                self.max_polls = max_polls;
                for key in removed {
                    self.queue.remove(key);
                }
                for Added { key, source } in added {
                    match &mut self.held {
                        Some(held) => held.insert(&mut self.queue, key, source, now),
                        None => self.queue.insert(key, source, now),
                    }
                }
                self.queue.compact(now);
                if let Some(held) = &mut self.held {
                    held.compact(&self.queue);
                }
            }
            Message::Hold(source, next) => {
                if let Some(held) = &mut self.held {
                    held.hold(&mut self.queue, source, next, now);
                }
            }
            Message::Release(source) => {
                if let Some(held) = &mut self.held {
                    held.release(&mut self.queue, source);
                }
            }
        }
    }

    fn done(&mut self, Done { key, poller, next }: Done, now: Instant) {
        let (on_demand, source) = (Arc::clone(&poller.on_demand), Arc::clone(&poller.source));
        if self.queue.done(key, poller, next, now) {
            on_demand.acted();
        }
        if let Some(held) = &mut self.held {
            held.report_released(&self.queue, &source.name);
        }
    }

    /// Passes a poll to a thread. If the system lacks the resources, the poll fails and no other is delayed.
    fn start(&mut self, key: Key, poller: Box<Poller>) {
        if self.queue.in_flight() > self.max_polls.count {
            let message = self.max_polls.to_string();
            return self.refuse(key, poller, message);
        }
        if let Err(((key, poller), error)) = self.crew.assign((key, poller)) {
            let message = no_thread(&error, &self.limits.refreshed());
            self.refuse(key, poller, message);
        }
    }

    fn refuse(&mut self, key: Key, mut poller: Box<Poller>, message: String) {
        let (next, report) = poller.refuse(message);
        self.unsent.push_back((Done { key, poller, next }, report));
    }

    /// Sends reports of polls that could not be started, as far as the board has room.
    fn send_reports(&mut self, now: Instant) {
        while let Some((done, report)) = self.unsent.pop_front() {
            if let Some(report) = done.poller.try_send(report) {
                self.unsent.push_front((done, report));
                return;
            }
            self.done(done, now);
        }
    }
}

/// Returns the error of a poll for which no thread could be created.
fn no_thread(error: &io::Error, limits: &Limits) -> String {
    format!("cannot create a thread for the poll: {error}; {limits}")
}
