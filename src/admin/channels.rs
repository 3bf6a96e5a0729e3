//! `GET /api/v1/channels`: the channels that carry messages of alerts, and how they fare.

use serde::Serialize;

use super::scoreboard::report;
use crate::notify::{ChannelFailure, ChannelStatus};
use crate::timestamp::Rfc3339;

/// Body of the response.
#[derive(Serialize)]
struct Channels {
    channels: Vec<report::Channel>,
}

/// Returns the body, with a newline at its end.
pub(super) fn json(channels: &[ChannelStatus]) -> String {
    let body = Channels { channels: reports(channels) };
    let json = serde_json::to_string(&body).expect("strings and numbers are always JSON");
    json + "\n"
}

/// Returns the channels as the scoreboard shows them.
pub(super) fn reports(channels: &[ChannelStatus]) -> Vec<report::Channel> {
    channels.iter().map(report).collect()
}

fn failure(failure: &ChannelFailure) -> report::ChannelFailure {
    report::ChannelFailure {
        kind: <&str>::from(failure.fault).into(),
        message: failure.message.to_string(),
        since: Rfc3339(failure.since).to_string(),
    }
}

fn report(channel: &ChannelStatus) -> report::Channel {
    report::Channel {
        channel: channel.name.to_string(),
        kind: channel.kind.into(),
        waiting: channel.waiting as u64,
        oldest: channel.oldest.map(|at| Rfc3339(at).to_string()),
        stall: channel.stall.as_deref().map(str::to_owned),
        failure: channel.failure.as_ref().map(failure),
        loss: channel.loss.as_ref().map(failure),
        sent: channel.sent,
        failed: channel.failed,
        dropped: channel.dropped,
    }
}
