//! The members about alerts, their channels, and the dead man's switch.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Name;
use crate::json::deserialize_members;

/// The alerts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Alerts {
    /// Number of rules.
    pub rules: u64,
    /// Number of subjects, of all rules, by state: a rule on one source has one, a rule on many one for each.
    pub states: BTreeMap<Name, u64>,
    /// Time since the latest heartbeat of their thread; `None` without the thread.
    pub silent_seconds: Option<f64>,
    /// The other process that announces the alerts; `None` if this one does.
    pub holder: Option<String>,
    /// Alerts that fire, the most severe first, at most 20.
    pub firing: Vec<FiringAlert>,
    /// Number of further alerts that fire.
    pub firing_unlisted: u64,
    /// Rules that cannot be applied, at most 20.
    pub faults: Vec<AlertFault>,
    /// Number of further rules that cannot be applied.
    pub faults_unlisted: u64,
    /// Pings of the dead man's switch; `None` without `[heartbeat]`.
    pub heartbeat: Option<Heartbeat>,
}

deserialize_members!(Alerts {
    rules,
    states,
    silent_seconds,
    holder,
    firing,
    firing_unlisted,
    faults,
    faults_unlisted,
    heartbeat
});

/// An alert that fires.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FiringAlert {
    /// Name.
    pub alert: String,
    /// `firing`, `acknowledged`, `silenced`.
    pub state: Name,
    /// `info`, `warning`, `critical`.
    pub severity: Name,
    /// Source; `None` if the rule is on the server.
    pub source: Option<String>,
    /// Condition in words: `below 300 gal`.
    pub condition: String,
    /// Time since which the condition holds (RFC 3339, whole seconds).
    pub since: String,
    /// Time since then.
    pub seconds: f64,
    /// Id of the incident.
    pub incident: Option<String>,
}

deserialize_members!(FiringAlert {
    alert,
    state,
    severity,
    source,
    condition,
    since,
    seconds,
    incident
});

/// A rule that cannot be applied.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AlertFault {
    /// Name of the alert.
    pub alert: String,
    /// Reason.
    pub fault: String,
}

deserialize_members!(AlertFault { alert, fault });

/// Pings of the dead man's switch.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Heartbeat {
    /// Number of pings since the start, by outcome: `ok`, `fail` with a reason, `error` if the switch did not take it.
    pub pings: BTreeMap<Name, u64>,
    /// Text of the latest failure; `None` if the switch took the latest ping.
    pub error: Option<String>,
    /// Time of the first ping that failed since the switch took one (RFC 3339, whole seconds).
    pub error_since: Option<String>,
}

deserialize_members!(Heartbeat { pings, error, error_since });

/// A channel.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Channel {
    /// Name.
    pub channel: String,
    /// Name of its kind: `ntfy`.
    pub kind: Name,
    /// Number of notices that wait.
    pub waiting: u64,
    /// Time of the oldest one (RFC 3339, whole seconds).
    pub oldest: Option<String>,
    /// Reason why they wait, once they have for more than 15 minutes, or if the channel has no thread.
    pub stall: Option<String>,
    /// Failure of the latest attempt; after a success that of a message that is not taken, while others are.
    pub failure: Option<ChannelFailure>,
    /// Latest loss of notices within a day: `since` is its time.
    pub loss: Option<ChannelFailure>,
    /// Number of messages sent since the start.
    pub sent: u64,
    /// Number of attempts that failed since the start.
    pub failed: u64,
    /// Number of notices dropped since the start.
    pub dropped: u64,
}

deserialize_members!(Channel {
    channel,
    kind,
    waiting,
    oldest,
    stall,
    failure,
    loss,
    sent,
    failed,
    dropped
});

impl Channel {
    /// Returns true if it fails, its messages wait for long, or it has lost some.
    pub fn is_troubled(&self) -> bool {
        self.failure.is_some() || self.stall.is_some() || self.loss.is_some()
    }
}

/// Failure of a channel.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ChannelFailure {
    /// `transient`, `refused`, `undeliverable`.
    pub kind: Name,
    /// Description in one sentence, without secrets.
    pub message: String,
    /// Time of the first failure since the last success (RFC 3339, whole seconds).
    pub since: String,
}

deserialize_members!(ChannelFailure { kind, message, since });
