//! Input of rules that measure time by the clock of this machine: those on sources and on the server.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::assessment::Level;
use super::super::incident::Evidence;
use super::super::rule::{Rule, moved, signed};
use super::super::sight::{ServerSight, SourceSight};
use crate::board::{Datum, State};
use crate::config::{AlertRule, SourceCondition};

/// Latest input of a rule that measures time by the clock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clock {
    /// Time from which the condition is met; `None`: it is not.
    pub(super) from: Option<Timestamp>,
    /// Time since which people say that it holds; `None`: `from`.
    pub(super) since: Option<Timestamp>,
    /// Level while the condition is not met.
    pub(super) otherwise: Otherwise,
    /// True if `from` and `since` move when the clock is set.
    pub(super) is_by_machine: bool,
    /// Time of the latest look.
    pub(super) looked_at: Timestamp,
    pub(super) evidence: Evidence,
}

/// Level of a condition that is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It is clear.
    Clear,
    /// It is not known: the source has not been polled yet, or the clock is behind.
    Unknown,
    /// It is clear if the latest success, which was at that time, is later than the begin of the failure. Before the
    /// first poll after a restart, a source has no failure and no success.
    ClearBySuccess(Option<Timestamp>),
}

impl Clock {
    /// Returns the input of a rule on a source; `None` for other rules.
    pub(super) fn of_source(rule: &Rule, sight: &SourceSight<'_>, now: Timestamp) -> Option<Clock> {
        let AlertRule::Source { condition, .. } = &rule.alert().rule else { return None };
        let mut evidence = Evidence { observed_at: sight.observed_at, ..Evidence::default() };
        let (from, since, otherwise) = match condition {
            SourceCondition::Stale => {
                let from = match sight.state {
                    State::Waiting => sight.waiting_until,
                    State::Fresh | State::Stale => {
                        sight.stale_at.or(sight.observed_at).unwrap_or(sight.waiting_until)
                    }
                };
                let otherwise = match sight.state {
                    State::Fresh => Otherwise::Clear,
                    State::Waiting | State::Stale => Otherwise::Unknown,
                };
                (Some(from), None, otherwise)
            }
            SourceCondition::Failing { over } => {
                let since = sight.failing.map(|failure| failure.since);
                let message = sight.failing.map(|failure| Arc::from(failure.message));
                evidence.detail = message;
                let from = since.map(|since| moved(since, signed(*over)));
                (from, since, Otherwise::ClearBySuccess(sight.fetched_at))
            }
        };
        let is_by_machine = matches!(condition, SourceCondition::Failing { .. });
        Some(Clock { from, since, otherwise, is_by_machine, looked_at: now, evidence })
    }

    /// Returns the input of a rule on the server whose state holds since `since`.
    pub(super) fn of_server(
        sight: &ServerSight<'_>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Clock {
        let evidence = Evidence {
            value: sight.value.map(Datum::Number),
            unit: sight.unit,
            threshold: sight.threshold,
            rate: None,
            observed_at: None,
            detail: sight.detail.map(Arc::from),
        };
        let from = match sight.is_met {
            // The clock may have been set back since: what holds now is met.
            Some(true) => Some(sight.since.or(since).map_or(now, |since| since.min(now))),
            Some(false) | None => None,
        };
        Clock {
            from,
            since: None,
            otherwise: sight.is_met.map_or(Otherwise::Unknown, |_| Otherwise::Clear),
            is_by_machine: true,
            looked_at: now,
            evidence,
        }
    }

    /// Returns the relation to the condition at a time. The state holds since `since`.
    pub(super) fn level(&self, now: Timestamp, since: Option<Timestamp>) -> Level {
        if self.from.is_some_and(|from| from <= now) {
            return Level::Met;
        }
        match self.otherwise {
            Otherwise::Clear => Level::Clear,
            Otherwise::Unknown => Level::Unknown,
            Otherwise::ClearBySuccess(_) => match since {
                Some(since) if !self.has_cleared_since(since, now) => Level::Unknown,
                _ => Level::Clear,
            },
        }
    }

    /// Returns true if the condition was not met at some time since `since`, as when a poll has succeeded.
    pub(super) fn has_cleared_since(&self, since: Timestamp, now: Timestamp) -> bool {
        match self.otherwise {
            // A begin in the future was read from a clock that was wrong, and says nothing.
            Otherwise::ClearBySuccess(success) => {
                since > now || success.is_some_and(|success| success >= since)
            }
            Otherwise::Clear => true,
            Otherwise::Unknown => false,
        }
    }

    /// Moves the times that were read from the clock of this machine, after it was set by `step`.
    pub(super) fn redate(&mut self, step: SignedDuration) {
        self.looked_at = moved(self.looked_at, step);
        if !self.is_by_machine {
            return;
        }
        let success = match &mut self.otherwise {
            Otherwise::ClearBySuccess(success) => success.as_mut(),
            Otherwise::Clear | Otherwise::Unknown => None,
        };
        let times = [self.from.as_mut(), self.since.as_mut(), success];
        times.into_iter().flatten().for_each(|at| *at = moved(*at, step));
    }
}
