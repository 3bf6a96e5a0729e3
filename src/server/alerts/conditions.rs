//! Conditions of the server's own rules: certificate, disk, history, clock, waiting messages.
//!
//! Each is decided from what other threads have measured, in memory: a rule about a disk that hangs must not wait for
//! it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::alert::ServerState;
use crate::board::Finite;
use crate::certificates::LiveCertificates;
use crate::config::ServerCondition;
use crate::history::{FaultKind, History};
use crate::kernel::clock::MIN_TIME;
use crate::kernel::disk_space::DiskSpace;
use crate::notify::{self, ChannelStatus};
use crate::units::Unit;

/// Time for which the recorder may be silent: it wakes once a minute, and a write may be slow.
const MAX_SILENCE: Duration = Duration::from_secs(300);

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

/// Returns the state of `notifications_waiting`: messages wait for long, or were dropped within a day. A message about
/// those that wait goes to the other channels.
fn waiting(channels: &[ChannelStatus], now: Timestamp) -> ServerState {
    let mut state = ServerState::met(true);
    let (mut texts, mut number) = (Vec::new(), 0);
    for channel in channels {
        let stalled = channel.stall.as_ref().and(channel.oldest);
        let lost = channel.loss.as_ref().map(|loss| loss.since);
        state.since = [state.since, stalled, lost].into_iter().flatten().min();
        if let Some(text) = channel.stall_in_words() {
            texts.push(text);
            number += channel.waiting as u64;
            state.channels.push(channel.name.clone());
        }
        if let Some(text) = channel.loss_in_words() {
            texts.push(text);
            number += channel.dropped;
        }
    }
    if texts.is_empty() {
        // Just after a start, the messages of an earlier run may not have been tried yet.
        let is_old = |at: Timestamp| {
            Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > notify::MAX_WAIT)
        };
        let is_known = !channels.iter().any(|channel| channel.oldest.is_some_and(is_old));
        return ServerState { is_met: is_known.then_some(false), ..ServerState::default() };
    }
    // Counts are few: an f64 holds them exactly.
    ServerState {
        value: Finite::new(number as f64),
        detail: Some(texts.join("; ").into()),
        ..state
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::notify::{ChannelFailure, DeliveryFault};

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
    fn messages_wait_for_long_or_were_dropped_and_the_channels_that_work_carry_that() {
        let now = Timestamp::from_second(1_773_014_400).unwrap();
        let channel = |name: &str, minutes: i64, stall: Option<&str>| ChannelStatus {
            name: name.into(),
            waiting: 3,
            oldest: Some(now - SignedDuration::from_mins(minutes)),
            stall: stall.map(Arc::from),
            ..ChannelStatus::default()
        };
        let failure = |fault| ChannelFailure { since: now, fault, message: "no".into() };
        for channels in [vec![], vec![ChannelStatus::default()], vec![channel("phone", 15, None)]] {
            assert_eq!(waiting(&channels, now), ServerState::met(false));
        }
        // Just after a start, the messages of the earlier run have not been tried.
        assert_eq!(waiting(&[channel("phone", 16, None)], now), ServerState::default());
        let stalled = channel("phone", 16, Some("the server answers 503"));
        let state = waiting(&[stalled.clone(), channel("mail", 600, None)], now);
        assert_eq!(state.is_met, Some(true));
        assert_eq!(state.channels, [Arc::from("phone")]);
        assert_eq!((state.since, state.value), (stalled.oldest, Finite::new(3.0)));
        let detail = "3 messages wait for phone: the server answers 503";
        assert_eq!(state.detail.as_deref(), Some(detail));
        let refused = ChannelStatus { failure: Some(failure(DeliveryFault::Refused)), ..stalled };
        // A channel that has lost messages may carry others.
        let lossy = ChannelStatus {
            name: "mail".into(),
            loss: Some(failure(DeliveryFault::Undeliverable)),
            dropped: 2,
            ..ChannelStatus::default()
        };
        let state = waiting(&[refused, lossy], now);
        assert_eq!(state.channels, [Arc::from("phone")]);
        assert_eq!(state.value, Finite::new(5.0));
        let detail = "3 messages are refused by phone: the server answers 503; 2 messages for mail were dropped, \
                      the latest at 2026-03-09T00:00:00Z: no";
        assert_eq!(state.detail.as_deref(), Some(detail));
    }
}
