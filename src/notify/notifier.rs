//! The notifier: the couriers of all channels.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::channel::channel;
use super::context::ChannelContext;
use super::courier::{Courier, CourierHandle, TestError};
use super::delivery::DeliveryError;
use super::outbox::{LastError, OutboxSettings, OutboxStatus};
use super::status::{ChannelFailure, ChannelStatus, MAX_WAIT};
use crate::alert::store::{Claim, Claims};
use crate::alert::{Evidence, Incident, IncidentId, Notice, NoticeKey, NoticeKind, SubjectKey};
use crate::config::{Channel, Severity};
use crate::kernel::clock::Clock;

/// Called with notices that are to be deleted from the disk. Must not block.
pub type Done = Arc<dyn Fn(Vec<NoticeKey>) + Send + Sync>;

/// Time for which a test waits beyond the timeout of its channel.
const TEST_SLACK: Duration = Duration::from_secs(5);

/// A test message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestFailure {
    /// No channel has that name.
    #[error("no channel has that name")]
    UnknownChannel,
    /// The channel did not take it, for this reason.
    #[error(transparent)]
    Delivery(DeliveryError),
    /// The channel sends another message.
    #[error("the channel is busy with another message; retry in a minute")]
    Busy,
}

/// Owner of the couriers of all channels. Dropping it ends them, without waiting for deliveries in progress.
pub struct Notifier {
    couriers: Vec<(Arc<Channel>, Courier)>,
    handle: NotifierHandle,
    done: Done,
    clock: Clock,
    claim: Claim,
    /// Number of the next thread.
    next: usize,
}

/// Handle to all channels. Cheap to clone; no call but [`NotifierHandle::test`] waits for a disk or a network.
#[derive(Clone)]
pub struct NotifierHandle(Arc<ArcSwap<Couriers>>);

/// The channels, in the order of the configuration, with the handles to their couriers.
type Couriers = Vec<(Arc<Channel>, CourierHandle)>;

impl Notifier {
    /// Starts a courier for each channel. They send saved notices while the claim holds.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(
        channels: &[Arc<Channel>],
        context: &ChannelContext,
        done: Done,
        clock: Clock,
        claim: Claim,
    ) -> io::Result<Notifier> {
        let handle = NotifierHandle(Arc::default());
        let mut notifier = Notifier { couriers: Vec::new(), handle, done, clock, claim, next: 1 };
        notifier.renew(channels, context)?;
        Ok(notifier)
    }

    /// Returns a handle to all channels, also to those of later configurations.
    pub fn handle(&self) -> NotifierHandle {
        self.handle.clone()
    }

    /// Applies a new configuration. Channels of the same name keep their messages, and try those again that were not
    /// taken; those of a channel that was removed are dropped.
    ///
    /// # Errors
    /// A thread cannot be created. Its channel keeps messages until a later call; the others are in force.
    pub fn renew(&mut self, channels: &[Arc<Channel>], context: &ChannelContext) -> io::Result<()> {
        let mut before: HashMap<Arc<str>, (Arc<Channel>, Courier)> = self
            .couriers
            .drain(..)
            .map(|(channel, courier)| (channel.name.clone(), (channel, courier)))
            .collect();
        let mut failed = None;
        for settings in channels {
            let deliver = channel(settings, context);
            let (outbox, timeout) = (outbox(settings), settings.timeout);
            let earlier = before.remove(&settings.name);
            let is_same = earlier.as_ref().is_some_and(|(earlier, _)| earlier == settings);
            let mut courier = earlier.map_or_else(
                || {
                    let (clock, claim) = (self.clock.clone(), self.claim.clone());
                    Courier::new(settings.name.clone(), outbox, clock, claim)
                },
                |(_, courier)| courier,
            );
            if courier.is_running() {
                courier.renew((!is_same).then_some(outbox), timeout, deliver);
            } else {
                let done = self.done.clone();
                let on_done = Box::new(move |keys| done(keys));
                let started = courier.run(self.next, outbox, deliver, timeout, on_done);
                failed = started.err().or(failed);
                self.next += 1;
            }
            self.couriers.push((settings.clone(), courier));
        }
        for (name, (_, courier)) in before {
            let notices = courier.handle().notices();
            let keys: Vec<NoticeKey> = notices.iter().map(|notice| notice.key.clone()).collect();
            warn_of_removed(&name, keys.len());
            (self.done)(keys);
        }
        self.publish();
        failed.map_or(Ok(()), Err)
    }

    /// Returns true if each channel has its thread.
    pub fn is_complete(&self) -> bool {
        self.couriers.iter().all(|(_, courier)| courier.is_running())
    }

    fn publish(&self) {
        let handles = self.couriers.iter();
        let handles = handles.map(|(channel, courier)| (channel.clone(), courier.handle()));
        self.handle.0.store(Arc::new(handles.collect()));
    }

    /// Signals all couriers to stop, without waiting for them.
    pub fn begin_stop(&mut self) {
        self.couriers.iter_mut().for_each(|(_, courier)| courier.begin_stop());
    }

    /// Stops all couriers, and waits until `deadline` for deliveries in progress, so that they can be marked as sent.
    pub fn stop(mut self, deadline: Instant) {
        self.begin_stop();
        for (channel, courier) in self.couriers.drain(..) {
            if courier.stop(deadline).is_err() {
                log::warn!(
                    "channel {}: a delivery is still in progress; its message is sent again after the start",
                    channel.name
                );
            }
        }
    }
}

/// Logs that the messages of a channel that does not exist any more are dropped.
fn warn_of_removed(channel: &str, count: usize) {
    if count > 0 {
        log::warn!(
            "channel {channel} does not exist any more; messages that it had not sent are dropped: {count}"
        );
    }
}

fn outbox(channel: &Channel) -> OutboxSettings {
    OutboxSettings { group_wait: channel.group_wait, max_per_hour: channel.max_per_hour }
}

impl NotifierHandle {
    /// Queues notices in their channels. Those of channels that do not exist are ignored.
    pub fn push(&self, notices: &[Arc<Notice>]) {
        self.each_with(notices, CourierHandle::push);
    }

    /// Queues notices that were read from the disk. Returns the keys of those whose channel does not exist any more,
    /// which are logged.
    #[must_use = "the file has to drop the notices of channels that do not exist"]
    pub fn restore(&self, notices: &[Arc<Notice>]) -> Vec<NoticeKey> {
        self.each_with(notices, CourierHandle::restore);
        let couriers = self.0.load();
        let exists = |key: &NoticeKey| couriers.iter().any(|(of, _)| of.name == key.channel);
        let keys = notices.iter().map(|notice| &notice.key);
        let done: Vec<NoticeKey> = keys.filter(|key| !exists(key)).cloned().collect();
        let mut counts: Vec<(&Arc<str>, usize)> = Vec::new();
        for key in &done {
            match counts.iter_mut().find(|(channel, _)| **channel == key.channel) {
                Some((_, count)) => *count += 1,
                None => counts.push((&key.channel, 1)),
            }
        }
        counts.into_iter().for_each(|(channel, count)| warn_of_removed(channel, count));
        done
    }

    fn each_with(&self, notices: &[Arc<Notice>], add: impl Fn(&CourierHandle, Vec<Arc<Notice>>)) {
        for (channel, courier) in &**self.0.load() {
            let own = notices.iter().filter(|notice| notice.key.channel == channel.name);
            let own: Vec<Arc<Notice>> = own.cloned().collect();
            if !own.is_empty() {
                add(courier, own);
            }
        }
    }

    /// Marks notices as saved.
    pub fn saved(&self, keys: &[NoticeKey]) {
        self.0.load().iter().for_each(|(_, courier)| courier.saved(keys));
    }

    /// Returns the names of the channels.
    pub fn channels(&self) -> Vec<Arc<str>> {
        self.0.load().iter().map(|(channel, _)| channel.name.clone()).collect()
    }

    /// Queues notices that no other replica sends, which this process claims now.
    pub fn adopt(&self, notices: &[Arc<Notice>]) {
        self.each_with(notices, CourierHandle::restore);
    }

    /// Returns the notices of all channels that were saved and are not sent, and those that are done.
    pub fn claims(&self) -> Claims {
        let mut claims = Claims::default();
        self.0.load().iter().for_each(|(_, courier)| courier.add_claims(&mut claims));
        claims
    }

    /// Removes notices that another replica sends.
    pub fn taken(&self, keys: &[NoticeKey]) {
        self.0.load().iter().for_each(|(_, courier)| courier.taken(keys));
    }

    /// Lets all channels look at their messages: the claim was extended.
    pub fn wake(&self) {
        self.0.load().iter().for_each(|(_, courier)| courier.wake());
    }

    /// Sends the messages that channels did not take at once, not after their backoffs.
    pub fn retry_now(&self) {
        self.0.load().iter().for_each(|(_, courier)| courier.retry_now());
    }

    /// Returns all notices that are not sent yet.
    pub fn notices(&self) -> Vec<Arc<Notice>> {
        self.0.load().iter().flat_map(|(_, courier)| courier.notices()).collect()
    }

    /// Returns the states of all channels, in the order of the configuration.
    pub fn status(&self) -> Arc<[ChannelStatus]> {
        let couriers = self.0.load();
        let status = couriers.iter().map(|(channel, courier)| status(channel, courier));
        status.collect()
    }

    /// Sends a test message through a channel, and waits for the outcome.
    ///
    /// # Errors
    /// There is no such channel, or it did not take the message.
    pub fn test(&self, channel: &str, now: Timestamp) -> Result<(), TestFailure> {
        let couriers = self.0.load_full();
        let found = couriers.iter().find(|(of, _)| *of.name == *channel);
        let (settings, courier) = found.ok_or(TestFailure::UnknownChannel)?;
        let notice = Arc::new(test_notice(&settings.name, now));
        courier.send_test(notice, settings.timeout + TEST_SLACK).map_err(|error| match error {
            TestError::Delivery(error) => TestFailure::Delivery(error),
            TestError::Busy | TestError::Stopped => TestFailure::Busy,
        })
    }
}

fn status(channel: &Channel, courier: &CourierHandle) -> ChannelStatus {
    let status = courier.status();
    let failure = |error: LastError| ChannelFailure {
        since: error.since,
        fault: error.fault,
        message: error.message,
    };
    ChannelStatus {
        name: channel.name.clone(),
        kind: channel.kind.as_str(),
        waiting: status.waiting,
        oldest: status.oldest,
        stall: stall(channel, &status, courier.is_running()),
        failure: status.last_error.map(failure),
        loss: status.loss.map(failure),
        sent: status.sent,
        failed: status.failed,
        dropped: status.dropped,
    }
}

/// Returns the reason why messages have waited for long.
fn stall(channel: &Channel, status: &OutboxStatus, is_running: bool) -> Option<Arc<str>> {
    if status.waiting == 0 || (is_running && status.waited <= MAX_WAIT) {
        return None;
    }
    Some(match &status.last_error {
        _ if !is_running => "its thread has ended; send HUP to start it again".into(),
        Some(error) => error.message.clone(),
        None if status.is_quota_used => {
            format!("max_per_hour, {}, is used up", channel.max_per_hour).into()
        }
        None => "they have not been sent yet".into(),
    })
}

/// Returns the notice of a test message.
fn test_notice(channel: &Arc<str>, now: Timestamp) -> Notice {
    let id = IncidentId(fastrand::u64(..));
    let incident = Incident {
        id,
        subject: SubjectKey { alert: "test".into(), source: None, replica: None },
        title: "This channel".into(),
        field: None,
        severity: Severity::Info,
        condition: "works: this is a test message".into(),
        since: now,
        fired_at: now,
        at_fire: Evidence::default(),
        evidence: Evidence::default(),
        acknowledged: None,
        ended: None,
    };
    let key =
        NoticeKey { channel: channel.clone(), incident: id, kind: NoticeKind::Fired, number: 0 };
    Notice { key, incident: Arc::new(incident), message: None, at: now, due: now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ChannelKind, Secret};
    use crate::notify::delivery::DeliveryFault;
    use crate::notify::fixture::{self, context};

    #[test]
    fn messages_that_wait_for_long_have_a_reason_whatever_it_is() {
        let secs = Duration::from_secs;
        let channel = fixture::config(ChannelKind::Exec(Vec::new()));
        let failure = LastError {
            since: Timestamp::UNIX_EPOCH,
            fault: DeliveryFault::Transient,
            message: "503".into(),
        };
        let status = |waiting, waited, is_quota_used, fails: bool| OutboxStatus {
            waiting,
            waited,
            is_quota_used,
            last_error: fails.then(|| failure.clone()),
            ..OutboxStatus::default()
        };
        let long = MAX_WAIT + secs(1);
        for (status, is_running, expected) in [
            (status(0, secs(0), true, true), false, None),
            (status(1, MAX_WAIT, true, true), true, None),
            (status(1, long, true, true), true, Some("503")),
            (status(1, long, true, false), true, Some("max_per_hour, 60, is used up")),
            (status(1, long, false, false), true, Some("they have not been sent yet")),
            (
                status(1, secs(0), false, false),
                false,
                Some("its thread has ended; send HUP to start it again"),
            ),
        ] {
            assert_eq!(stall(&channel, &status, is_running).as_deref(), expected, "{status:?}");
        }
    }

    #[test]
    fn notices_of_channels_that_do_not_exist_are_done() {
        let channel = |name: &str| {
            let url = Secret::new("http://127.0.0.1:1/".to_owned());
            let config = fixture::config(ChannelKind::HomeAssistant(url));
            let group_wait = Duration::from_secs(600);
            Arc::new(Channel { name: name.into(), group_wait, ..config })
        };
        let (send, done) = crossbeam_channel::unbounded();
        let on_done: Done = Arc::new(move |keys| send.send(keys).unwrap());
        let mut notifier = Notifier::start(
            &[channel("phone")],
            &context(),
            on_done,
            Clock::system(),
            Claim::unlimited(),
        )
        .unwrap();
        assert!(notifier.is_complete());
        let notice = |channel: &str| {
            let mut notice = (*fixture::fired()).clone();
            notice.key.channel = channel.into();
            Arc::new(notice)
        };
        let (own, gone) = (notice("phone"), notice("gone"));
        let unknown = notifier.handle().restore(&[own.clone(), gone.clone()]);
        assert_eq!(unknown, std::slice::from_ref(&gone.key));
        notifier.renew(&[channel("phone_2")], &context()).unwrap();
        assert_eq!(done.try_recv().unwrap(), std::slice::from_ref(&own.key));
        let names: Vec<Arc<str>> =
            notifier.handle().status().iter().map(|status| status.name.clone()).collect();
        assert_eq!(names, [Arc::from("phone_2")]);
    }
}
