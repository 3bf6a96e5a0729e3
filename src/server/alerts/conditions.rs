//! Conditions of the server's own rules: certificate, disk, history, clock, waiting messages.
//!
//! Each is decided from what other threads have measured, in memory: a rule about a disk that hangs must not wait for
//! it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::alert::ServerState;
use crate::board::Finite;
use crate::certificates::LiveCertificates;
use crate::config::ServerCondition;
use crate::history::{FaultKind, History};
use crate::kernel::clock::MIN_TIME;
use crate::kernel::disk_space::DiskSpace;
use crate::notify::{ChannelStatus, DeliveryFault};
use crate::units::Unit;

/// Time for which the recorder may be silent: it wakes once a minute, and a write may be slow.
const MAX_SILENCE: Duration = Duration::from_secs(300);

/// Age from which messages wait for long: several attempts have failed.
const MAX_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// Share of a disk that must be free, at most [`MUCH_SPACE`].
const FREE_SHARE: u64 = 50;

/// Space that is enough on any disk: years of a site, and much of a fleet's.
const MUCH_SPACE: u64 = 1 << 30;

/// Space that is too little on any disk.
const LITTLE_SPACE: u64 = 64 << 20;

/// Parts that the conditions are about.
pub(super) struct Conditions {
    pub(super) history: History,
    pub(super) certificates: Option<Arc<LiveCertificates>>,
    pub(super) channels: Box<dyn Fn() -> Arc<[ChannelStatus]> + Send>,
    /// Failure of the file of the alerts: since when, and the reason.
    pub(super) store: Box<dyn Fn() -> Option<(Timestamp, Arc<str>)> + Send>,
}

impl Conditions {
    /// Returns the present state of a condition.
    pub(super) fn state(&self, condition: ServerCondition, now: Timestamp) -> ServerState {
        match condition {
            ServerCondition::CertificateExpires => self.certificate(now),
            ServerCondition::DiskFull => disk(self.history.disk_space(), self.disk_fault()),
            ServerCondition::HistoryFailing => self.history_failing(),
            ServerCondition::ClockWrong => self.clock(now),
            ServerCondition::NotificationsWaiting => waiting(&(self.channels)(), now),
        }
    }

    fn certificate(&self, now: Timestamp) -> ServerState {
        let Some(live) = &self.certificates else { return ServerState::met(false) };
        let Some(days) = live.expires_soon(now) else { return ServerState::met(false) };
        // Days are few: an f64 holds them exactly.
        ServerState {
            value: Finite::new(days as f64),
            unit: Some(Unit::Day),
            ..ServerState::met(true)
        }
    }

    /// Returns the failure of a write for want of space.
    fn disk_fault(&self) -> Option<(Timestamp, Arc<str>)> {
        let health = self.history.health();
        let error = health.error.as_ref().filter(|error| error.kind == FaultKind::DiskFull)?;
        Some((error.since, error.message.clone()))
    }

    fn history_failing(&self) -> ServerState {
        let failed = |since, detail| ServerState { since, detail, ..ServerState::met(true) };
        let health = self.history.health();
        // A clock that is wrong, and another process that records, have rules or lines of their own.
        let is_failure = |kind| !matches!(kind, FaultKind::Clock | FaultKind::Held);
        if let Some(error) = health.error.as_ref().filter(|error| is_failure(error.kind)) {
            return failed(Some(error.since), Some(error.message.clone()));
        }
        let silent = self.history.heartbeat_age();
        if self.history.is_enabled() && silent > MAX_SILENCE {
            let detail = format!(
                "the disk has not answered for {} s, so the history is kept in memory",
                silent.as_secs()
            );
            return failed(None, Some(detail.into()));
        }
        match (self.store)() {
            Some((since, reason)) => failed(Some(since), Some(reason)),
            None => ServerState::met(false),
        }
    }

    fn clock(&self, now: Timestamp) -> ServerState {
        let health = self.history.health();
        let fault = health.error.as_ref().filter(|error| error.kind == FaultKind::Clock);
        if let Some(error) = fault {
            let detail = Some(error.message.clone());
            return ServerState { since: Some(error.since), detail, ..ServerState::met(true) };
        }
        if now.as_second() < MIN_TIME {
            let detail = "the clock of this machine was never set".into();
            return ServerState { detail: Some(detail), ..ServerState::met(true) };
        }
        ServerState::met(false)
    }
}

/// Returns the state of `disk_full`. Between the threshold and a quarter more than it, nothing changes.
fn disk(space: Option<DiskSpace>, fault: Option<(Timestamp, Arc<str>)>) -> ServerState {
    let least = |space: DiskSpace| (space.total / FREE_SHARE).clamp(LITTLE_SPACE, MUCH_SPACE);
    let mebibytes = |bytes: u64| bytes >> 20;
    let free = space.map(|space| {
        let (free, total) = (mebibytes(space.available), mebibytes(space.total));
        Arc::from(format!("{free} of {total} MiB are free"))
    });
    if let Some((since, message)) = fault {
        return ServerState { since: Some(since), detail: Some(message), ..ServerState::met(true) };
    }
    let Some(space) = space else { return ServerState::default() };
    let is_met = match space.available {
        available if available < least(space) => Some(true),
        available if available < least(space) / 4 * 5 => None,
        _ => Some(false),
    };
    ServerState { is_met, detail: free, ..ServerState::default() }
}

/// Returns the state of `notifications_waiting`. A message about it goes to the other channels.
fn waiting(channels: &[ChannelStatus], now: Timestamp) -> ServerState {
    let is_late = |channel: &&ChannelStatus| {
        let is_failing = channel.failure.is_some();
        channel.oldest.is_some_and(|oldest| is_failing && now.duration_since(oldest) > MAX_WAIT)
    };
    let late: Vec<&ChannelStatus> = channels.iter().filter(is_late).collect();
    if late.is_empty() {
        return ServerState::met(false);
    }
    let text = |channel: &&ChannelStatus| {
        let failure = channel.failure.as_ref();
        let verb = match failure.map(|failure| failure.fault) {
            Some(DeliveryFault::Refused) => "are refused by",
            _ => "wait for",
        };
        let reason = failure.map_or("", |failure| &failure.message);
        format!("{} messages {verb} {}: {reason}", channel.waiting, channel.name)
    };
    let waiting = late.iter().map(|channel| channel.waiting).sum::<usize>();
    ServerState {
        since: late.iter().filter_map(|channel| channel.oldest).min(),
        // Counts are few: an f64 holds them exactly.
        value: Finite::new(waiting as f64),
        detail: Some(late.iter().map(text).collect::<Vec<_>>().join("; ").into()),
        channels: late.iter().map(|channel| channel.name.clone()).collect(),
        ..ServerState::met(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::ChannelFailure;

    #[test]
    fn disk_is_full_below_a_share_of_it_and_is_not_again_from_a_quarter_more_on() {
        let mebibytes = |n: u64| n << 20;
        for (available, total, expected) in [
            // 2 % of 20 GB are 400 MiB.
            (mebibytes(399), mebibytes(20_000), Some(true)),
            (mebibytes(401), mebibytes(20_000), None),
            (mebibytes(501), mebibytes(20_000), Some(false)),
            // A small card, and a large disk.
            (mebibytes(63), mebibytes(500), Some(true)),
            (mebibytes(81), mebibytes(500), Some(false)),
            (mebibytes(1_023), mebibytes(10_000_000), Some(true)),
            (mebibytes(1_281), mebibytes(10_000_000), Some(false)),
        ] {
            let state = disk(Some(DiskSpace { available, total }), None);
            assert_eq!(state.is_met, expected, "{available} of {total}");
        }
        assert_eq!(disk(None, None).is_met, None, "not known");
        let fault = (Timestamp::UNIX_EPOCH, Arc::from("the disk is full"));
        assert_eq!(disk(None, Some(fault)).is_met, Some(true));
    }

    #[test]
    fn messages_wait_for_long_if_a_channel_fails_and_the_others_are_told() {
        let now = Timestamp::from_second(1_773_014_400).unwrap();
        let channel = |name: &str, minutes: i64, fails: bool| ChannelStatus {
            name: name.into(),
            kind: "ntfy",
            waiting: 3,
            oldest: Some(now - SignedDuration::from_mins(minutes)),
            failure: fails.then(|| ChannelFailure {
                since: now,
                fault: DeliveryFault::Transient,
                message: "the server answers 503".into(),
            }),
            sent: 0,
            failed: 1,
            dropped: 0,
        };
        // Quiet hours: they wait, and nothing fails.
        for channels in
            [vec![], vec![channel("phone", 600, false)], vec![channel("phone", 15, true)]]
        {
            assert_eq!(waiting(&channels, now), ServerState::met(false));
        }
        let state = waiting(&[channel("phone", 16, true), channel("mail", 600, false)], now);
        assert_eq!(state.is_met, Some(true));
        assert_eq!(state.channels, [Arc::from("phone")]);
        assert_eq!(
            state.detail.as_deref(),
            Some("3 messages wait for phone: the server answers 503")
        );
    }
}
