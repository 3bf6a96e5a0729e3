//! Sights: one look at the input of a rule.

use std::time::Duration;

use jiff::Timestamp;

use crate::board::{Datum, Finite, State};
use crate::units::{OverTime, Unit};

/// One look at the input of a rule.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// Input of a rule on the values of a field.
    Field(FieldSight<'a>),
    /// Input of a rule on a source itself.
    Source(SourceSight<'a>),
    /// Input of a rule on the server.
    Server(ServerSight<'a>),
}

/// Present value of a field.
#[derive(Debug, Clone, Copy)]
pub struct FieldSight<'a> {
    /// Time of the value. The same time means the same observation.
    pub observed_at: Timestamp,
    /// True if this process read that time from the clock of its machine, so that it moves when the clock is set.
    pub is_by_machine: bool,
    /// Value; `None`: null or absent.
    pub value: Option<&'a Datum>,
    /// Unit of the value.
    pub unit: Option<Unit>,
    /// Way over time of the field: the level of a counter continues after a reset.
    pub over_time: OverTime,
    /// True if the observation is older than the source allows.
    pub is_stale: bool,
    /// Age at which an observation turns stale. Time without an observation counts up to this.
    pub stale_after: Duration,
    /// Rate of change and its unit, if a trend has it.
    pub rate: Option<(Finite, Unit)>,
    /// Time until the content is 0 at the present rate.
    pub time_to_empty: TimeToEmpty,
}

/// Time until the content of a tank is 0 at the present rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeToEmpty {
    /// Hours.
    Hours(Finite),
    /// The content is not falling, or so slowly that the time is not stated.
    NotFalling,
    /// No trend has a rate yet.
    Unknown,
}

/// State of a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceSight<'a> {
    /// State by the age of its observation.
    pub state: State,
    /// Time at which its observation turns stale, or has.
    pub stale_at: Option<Timestamp>,
    /// Time of its observation.
    pub observed_at: Option<Timestamp>,
    /// Time from which a source counts as stale that has sent nothing: the start of the process plus `stale_after`.
    pub waiting_until: Timestamp,
    /// Time of the latest poll that succeeded, in this process or an earlier one.
    pub fetched_at: Option<Timestamp>,
    /// Present failure, if the latest poll failed.
    pub failing: Option<FailureSight<'a>>,
}

/// Present failure of a source.
#[derive(Debug, Clone, Copy)]
pub struct FailureSight<'a> {
    /// Time of the first failed poll since the latest success.
    pub since: Timestamp,
    /// Number of polls that failed since then.
    pub failures: u32,
    /// Message of the latest failure, without secrets.
    pub message: &'a str,
}

/// State of a condition of the server itself.
#[derive(Debug, Clone, Copy)]
pub struct ServerSight<'a> {
    /// True if the condition holds; `None`: not known, so nothing changes.
    pub is_met: Option<bool>,
    /// Time since which it holds; `None`: since this was noticed.
    pub since: Option<Timestamp>,
    /// Number that the condition compares, such as the days until a certificate expires.
    pub value: Option<Finite>,
    /// Unit of the number.
    pub unit: Option<Unit>,
    /// Threshold of the number.
    pub threshold: Option<Finite>,
    /// Detail for people, without secrets.
    pub detail: Option<&'a str>,
}
