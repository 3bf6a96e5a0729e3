//! The outbox of a channel: a queue of notices that decides what is sent, and when.
//!
//! It is a pure state machine without a clock, a thread or a file: [`Courier`](super::Courier) drives it.
//!
//! ```text
//! push, restore ──► waiting ──next──► in flight ──sent──► done
//!                      ▲                  │
//!                      └──────failed──────┘
//! ```
//!
//! | rule | |
//! | --- | --- |
//! | save first | a notice is sent once it is on the disk, or [`UNSAVED_AFTER`] after it was pushed |
//! | claim | of replicas that share a database, the one that claims a notice sends it: one that was saved waits while the claim has ended, for [`CLAIM_GRACE`](crate::alert::store::CLAIM_GRACE) at most |
//! | join | notices that become due within `group_wait` of the first one are one message; so are those that become due during a backoff, or while the quota is used up |
//! | supersede | of one incident, a fire that waits replaces its reminders, an end replaces reminders, and a reminder replaces earlier ones; a fire and its end are sent together |
//! | old reminders | are dropped when they could be sent more than [`MAX_REMINDER_AGE`] late |
//! | order | an end is never sent before the fire of its incident |
//! | retry | for ever, with a jittered exponential backoff and `Retry-After`: at least each 15 minutes, and each hour while the channel refuses |
//! | set aside | an undeliverable message is halved until the incident is found that the server does not take; it is tried by itself, and dropped once the server has taken others for [`MAX_REJECTED`] |
//! | quota | at most `max_per_hour` messages in any hour, and as many again with fires of critical alarms |
//! | bound | at most [`MAX_WAITING`] notices; reminders are dropped first, then incidents that have ended, then the oldest |
//!
//! # Replicas
//! Joining, quotas, backoffs and what is set aside are of one replica: notices of sources of two replicas are
//! two messages, and each may use up `max_per_hour`. An end may be sent before the fire of its incident, if a replica
//! ended with the fire unsent and another one adopts it than the one that has the source now.
//!
//! # Clocks
//! Notices are due by the wall clock, which may be set. A notice is therefore also due once the time by which
//! it was deferred has passed since boot, which is [`MAX_DEFERRAL`] at most: a clock that is set back by a
//! year does not hold a message for a year. All other times are since boot.

mod aside;
mod backoff;
mod claims;
mod entry;
mod limit;
mod merge;
mod quota;
mod rejection;
mod status;

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Delivery, DeliveryError, DeliveryFault, Progress};
use super::message_key::message_key;
use crate::alert::{Notice, NoticeKey, NoticeKind};
use crate::kernel::clock::TimePoint;

use backoff::Backoff;
use entry::Entry;
use quota::Quotas;

pub use backoff::{
    MAX_BACKOFF, MAX_REFUSED, MAX_RETRY_AFTER, MIN_BACKOFF, MIN_REFUSED, SPLIT_PAUSE,
};
pub use entry::{MAX_DEFERRAL, MAX_REMINDER_AGE, UNSAVED_AFTER};
pub use limit::MAX_WAITING;
pub use rejection::{MAX_REJECTED, MIN_REJECTIONS};
pub use status::{LOSS_SHOWN, LastError, OutboxStatus};

/// Settings of a channel that concern its outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxSettings {
    /// Time for which the first notice that is due waits for others.
    pub group_wait: Duration,
    /// Most messages in any hour, and of further ones with fires of critical alarms; 0 counts as 1.
    pub max_per_hour: u32,
}

/// Next action of the channel.
#[derive(Debug, Clone)]
pub enum Next {
    /// Sends this message, and then calls [`Outbox::sent`] or [`Outbox::failed`].
    Send(Delivery),
    /// Calls [`Outbox::next`] again after this time, or after a change.
    Wait(Duration),
    /// Calls [`Outbox::next`] again after a change.
    Idle,
}

/// Consequence of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The message is sent again after this time.
    Retry(Duration),
    /// The message is tried by itself after this time. Others are sent meanwhile.
    SetAside {
        /// Number of its notices.
        count: usize,
        /// Time until the next attempt.
        wait: Duration,
        /// True if it has just been found.
        is_first: bool,
    },
    /// The message with this number of notices was dropped.
    Dropped(usize),
    /// The message was sent to all receivers that take it. The failure is that of others.
    Sent,
}

/// Queue of the notices of a channel.
#[derive(Debug)]
pub struct Outbox {
    settings: OutboxSettings,
    /// Time since boot up to which saved notices may be sent; `None`: always.
    claimed_until: Option<Duration>,
    /// Notices to send, in the order in which they were pushed.
    waiting: Vec<Entry>,
    /// Notices of the message that is being sent.
    in_flight: Vec<Entry>,
    /// Most incidents of the next message, after one that was undeliverable; `None`: all that can be sent.
    most_incidents: Option<usize>,
    /// True if the message in flight is a part of what could be sent.
    is_part: bool,
    /// Time since boot at which the first of those that can be sent was seen.
    window_opened: Option<Duration>,
    backoff: Backoff,
    quotas: Quotas,
    /// Notices to delete from the disk.
    done: Vec<NoticeKey>,
    /// Number of notices dropped for want of room that no message has stated yet.
    unreported: u64,
    /// The part of `unreported` that the message in flight states.
    reported_in_flight: u64,
    last_error: Option<LastError>,
    /// Latest rejection of the messages that are set aside.
    rejected: Option<LastError>,
    /// Latest loss of notices, with its time since boot.
    loss: Option<(LastError, Duration)>,
    counts: status::Counts,
}

impl Outbox {
    /// Returns an empty outbox. `random` is for the jitter of the backoff.
    pub fn new(settings: OutboxSettings, random: fastrand::Rng) -> Outbox {
        Outbox {
            settings,
            claimed_until: None,
            waiting: Vec::new(),
            in_flight: Vec::new(),
            most_incidents: None,
            is_part: false,
            window_opened: None,
            backoff: Backoff::new(random),
            quotas: Quotas::default(),
            done: Vec::new(),
            unreported: 0,
            reported_in_flight: 0,
            last_error: None,
            rejected: None,
            loss: None,
            counts: status::Counts::default(),
        }
    }

    /// Adds notices that are being saved. Returns the number of notices that were dropped for want of room.
    pub fn push(
        &mut self,
        notices: impl IntoIterator<Item = Arc<Notice>>,
        now: TimePoint,
    ) -> usize {
        self.add_all(notices, false, now)
    }

    /// Adds notices that were read from the disk. Returns the number of notices that were dropped for want of
    /// room.
    pub fn restore(
        &mut self,
        notices: impl IntoIterator<Item = Arc<Notice>>,
        now: TimePoint,
    ) -> usize {
        self.add_all(notices, true, now)
    }

    /// Marks notices as saved. Ignores those that it does not have.
    pub fn saved<'a>(&mut self, keys: impl IntoIterator<Item = &'a NoticeKey>) {
        let keys: HashSet<&NoticeKey> = keys.into_iter().collect();
        for entry in self.waiting.iter_mut().chain(&mut self.in_flight) {
            entry.is_saved |= keys.contains(&entry.notice.key);
        }
    }

    /// Applies other settings of the channel, with which all that waits is sent again at once.
    pub fn renew(&mut self, settings: OutboxSettings) {
        self.settings = settings;
        self.begin_anew();
    }

    /// Forgets all failures and rejections.
    pub fn begin_anew(&mut self) {
        self.backoff.reset();
        self.forget_rejections();
    }

    /// Ends the waits of the outbox, but not one that the server has asked for.
    pub fn retry_now(&mut self) {
        self.backoff.end_wait();
        self.retry_rejected();
    }

    /// Returns what to do now.
    pub fn next(&mut self, now: TimePoint) -> Next {
        if !self.in_flight.is_empty() {
            return Next::Idle;
        }
        self.drop_old_reminders(now);
        let Some(first) = self.waits(now).into_iter().min() else {
            self.window_opened = None;
            return Next::Idle;
        };
        if !first.is_zero() {
            self.window_opened = None;
            return Next::Wait(first);
        }
        let opened = *self.window_opened.get_or_insert(now.boot);
        let has_critical_fire = || {
            let mut entries = self.waiting.iter().zip(self.waits(now));
            entries.any(|(entry, wait)| wait.is_zero() && entry.is_critical_fire())
        };
        let at = (opened + self.settings.group_wait)
            .max(self.backoff.retry_at())
            .max(self.quotas.free_at(self.settings.max_per_hour, now.boot, has_critical_fire));
        match at.saturating_sub(now.boot) {
            Duration::ZERO => Next::Send(self.take(now)),
            wait => Next::Wait(wait),
        }
    }

    /// Records that the message in flight was sent.
    pub fn sent(&mut self, now: TimePoint) {
        let was_aside = self.in_flight.iter().any(aside::is_aside);
        self.done.extend(mem::take(&mut self.in_flight).into_iter().map(Entry::into_key));
        self.unreported = self.unreported.saturating_sub(mem::take(&mut self.reported_in_flight));
        let twice = self.most_incidents.map(|most| most.saturating_mul(2));
        self.most_incidents = twice.filter(|most| *most < MAX_WAITING);
        // The rest of what was halved has waited already.
        if !mem::take(&mut self.is_part) {
            self.window_opened = None;
        }
        self.quotas.sent(self.settings.max_per_hour, now.boot);
        self.backoff.reset();
        self.other_was_taken(was_aside, now);
        self.last_error.clone_from(&self.rejected);
        self.counts.sent += 1;
    }

    /// Records that the message in flight was not sent.
    pub fn failed(&mut self, error: DeliveryError, now: TimePoint) -> Failed {
        let DeliveryError { fault, progress, message, retry_after } = error;
        let since = match &self.last_error {
            Some(earlier) => earlier.since,
            None => now.wall,
        };
        let last_error = Some(LastError { since, fault, message: message.clone() });
        if progress == Progress::Done {
            self.sent(now);
            self.last_error = last_error;
            return Failed::Sent;
        }
        if progress == Progress::Part {
            self.backoff.reset();
        }
        self.reported_in_flight = 0;
        self.last_error = last_error;
        self.counts.failed += 1;
        let entries = mem::take(&mut self.in_flight);
        let incidents = merge::incidents(&entries);
        if fault == DeliveryFault::Undeliverable && incidents == 1 {
            // The next message may be another one that the server takes. If it takes none, the waits become long.
            self.backoff.failed(fault, retry_after, now.boot);
            return self.reject(entries, &message, now);
        }
        self.put_back(entries, now);
        Failed::Retry(match fault {
            DeliveryFault::Undeliverable => {
                // One of them may be what the server does not take.
                self.most_incidents = Some(incidents / 2);
                self.backoff.split(retry_after, now.boot)
            }
            fault => self.backoff.failed(fault, retry_after, now.boot),
        })
    }

    /// Returns the message in flight to those that wait: the thread that was sending it has ended.
    pub fn interrupted(&mut self, now: TimePoint) {
        let entries = mem::take(&mut self.in_flight);
        self.put_back(entries, now);
    }

    /// Returns the notices of a message to those that wait, before those that arrived meanwhile.
    fn put_back(&mut self, entries: Vec<Entry>, now: TimePoint) {
        self.put_first(entries);
        self.settle(now);
    }

    fn put_first(&mut self, entries: Vec<Entry>) {
        let later = mem::replace(&mut self.waiting, entries);
        self.waiting.extend(later);
    }

    /// Drops notices that were not sent.
    fn lose(&mut self, entries: Vec<Entry>, reason: Arc<str>, now: TimePoint) {
        let error =
            LastError { since: now.wall, fault: DeliveryFault::Undeliverable, message: reason };
        self.loss = Some((error, now.boot));
        self.counts.dropped += entries.len() as u64;
        self.done.extend(entries.into_iter().map(Entry::into_key));
    }

    /// Returns the notices that are not sent yet.
    pub fn notices(&self) -> Vec<Arc<Notice>> {
        let entries = self.in_flight.iter().chain(&self.waiting);
        entries.map(|entry| Arc::clone(&entry.notice)).collect()
    }

    /// Returns the notices that are to be deleted from the disk: those that were sent, superseded or dropped
    /// since the latest call.
    pub fn take_done(&mut self) -> Vec<NoticeKey> {
        mem::take(&mut self.done)
    }

    fn add_all(
        &mut self,
        notices: impl IntoIterator<Item = Arc<Notice>>,
        is_saved: bool,
        now: TimePoint,
    ) -> usize {
        let mut dropped = 0;
        let entries = self.waiting.iter().chain(&self.in_flight);
        let mut known: HashSet<NoticeKey> = entries.map(|entry| entry.notice.key.clone()).collect();
        for notice in notices {
            match known.insert(notice.key.clone()) {
                true => {
                    let entry = Entry { notice, is_saved, pushed_at: now.boot, rejection: None };
                    self.waiting.push(entry);
                }
                // It is one that was pushed before the file was read.
                false if is_saved => self.saved([&notice.key]),
                false => {}
            }
            // Seldom, since it looks at all notices.
            if self.waiting.len() >= 2 * MAX_WAITING {
                dropped += self.settle(now);
            }
        }
        dropped + self.settle(now)
    }

    /// Removes what is superseded, and what has no room. Returns the number of the latter.
    fn settle(&mut self, now: TimePoint) -> usize {
        let superseded = merge::take_superseded(&mut self.waiting);
        self.done.extend(superseded.into_iter().map(Entry::into_key));
        let dropped = limit::take_excess(&mut self.waiting, MAX_WAITING);
        let count = dropped.len();
        if count > 0 {
            self.unreported += count as u64;
            self.lose(dropped, format!("more than {MAX_WAITING} waited").into(), now);
        }
        count
    }

    /// Drops reminders that are too old. A fire that waits has superseded those of its incident, so the
    /// fires of these have been sent.
    fn drop_old_reminders(&mut self, now: TimePoint) {
        let old = self.waiting.extract_if(.., |entry| entry.is_old_reminder(now));
        self.done.extend(old.map(Entry::into_key));
    }

    /// Returns the time until each notice that waits can be sent. An end waits for the fire of its incident.
    fn waits(&self, now: TimePoint) -> Vec<Duration> {
        let fires = merge::fires(&self.waiting);
        let wait = |entry: &Entry| {
            let key = &entry.notice.key;
            let fire = fires.get(&key.incident).filter(|_| key.kind == NoticeKind::Ended);
            let until = self.claimed_until;
            fire.map_or(Duration::ZERO, |fire| fire.wait(now, until)).max(entry.wait(now, until))
        };
        self.waiting.iter().map(wait).collect()
    }

    /// Moves the notices that can be sent into a message.
    fn take(&mut self, now: TimePoint) -> Delivery {
        let mut waits = self.waits(now).into_iter();
        let can_be_sent = |_: &mut Entry| waits.next().is_some_and(|wait| wait.is_zero());
        self.in_flight = self.waiting.extract_if(.., can_be_sent).collect();
        merge::sort(&mut self.in_flight);
        let set_aside = aside::take_aside(&mut self.in_flight);
        self.put_first(set_aside);
        let most = self.most_incidents.unwrap_or(usize::MAX);
        let rest = merge::split_off(&mut self.in_flight, most);
        self.is_part = !rest.is_empty();
        self.put_first(rest);
        self.reported_in_flight = self.unreported;
        Delivery {
            notices: self.in_flight.iter().map(|entry| Arc::clone(&entry.notice)).collect(),
            key: message_key(self.in_flight.iter().map(|entry| &entry.notice.key).collect()),
            dropped: self.unreported,
            unsaved: self.in_flight.iter().any(|entry| !entry.is_saved),
            now: now.wall,
        }
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod rejection_tests;
#[cfg(test)]
mod tests;
