//! A rule: an alert of the configuration, with what is derived from it once.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::condition_text;
use super::fingerprint::fingerprint;
use crate::config::{self, AlertRule, FieldCondition};

/// Lower bound of the time by which a backfill begins before the window of a rule.
const MIN_MARGIN: Duration = Duration::from_secs(3600);

/// An alert of the configuration, with what is derived from it once.
#[derive(Debug, Clone)]
pub struct Rule {
    alert: Arc<config::Alert>,
    fingerprint: u64,
    text: Arc<str>,
}

/// Hours of a rule at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    /// The rule applies at any time.
    Always,
    /// The rule applies from the first time up to the second one.
    Within(Timestamp, Timestamp),
    /// The rule does not apply.
    Outside,
}

impl Hours {
    /// Returns the time at which they end.
    pub(super) fn end(self) -> Option<Timestamp> {
        match self {
            Hours::Within(_, end) => Some(end),
            Hours::Always | Hours::Outside => None,
        }
    }

    /// Returns the time at which they began.
    pub(super) fn begin(self) -> Option<Timestamp> {
        match self {
            Hours::Within(begin, _) => Some(begin),
            Hours::Always | Hours::Outside => None,
        }
    }

    /// Returns true if they contain a time.
    pub(super) fn contain(self, at: Timestamp) -> bool {
        match self {
            Hours::Always => true,
            Hours::Within(begin, end) => begin <= at && at < end,
            Hours::Outside => false,
        }
    }
}

impl Rule {
    /// Returns the rule of an alert.
    pub fn new(alert: Arc<config::Alert>) -> Rule {
        Rule {
            fingerprint: fingerprint(&alert),
            text: condition_text::of(&alert.rule).into(),
            alert,
        }
    }

    /// Returns the alert.
    pub fn alert(&self) -> &Arc<config::Alert> {
        &self.alert
    }

    /// Returns a checksum of what decides when the rule fires: subject, condition, `clear`, `for` and `between`. A
    /// rule with the same one keeps its state. It is stored in files, so it must never change for the same rule.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Returns the condition in words: "below 300 gal", "outside 4 to 30°C", "falls 40 gal within 1h".
    pub fn condition_text(&self) -> Arc<str> {
        self.text.clone()
    }

    /// Returns the time before the present from which recorded observations are needed for a backfill; `None` if the
    /// rule needs none.
    ///
    /// It is longer than the window, so that there is an observation before the start of the window.
    pub fn window(&self) -> Option<Duration> {
        let window = match self.field_condition()? {
            FieldCondition::Falls { within, .. }
            | FieldCondition::Rises { within, .. }
            | FieldCondition::NoRise { within, .. }
            | FieldCondition::Flat { over: within } => *within,
            FieldCondition::Below { .. }
            | FieldCondition::Above { .. }
            | FieldCondition::Outside { .. }
            | FieldCondition::Equals(_)
            | FieldCondition::NotEquals(_)
            | FieldCondition::EmptyWithin { .. } => return None,
        };
        Some(window.saturating_add((window / 4).max(MIN_MARGIN)))
    }

    /// Returns the condition of a rule on a field.
    pub(super) fn field_condition(&self) -> Option<&FieldCondition> {
        match &self.alert.rule {
            AlertRule::Field { condition, .. } => Some(condition),
            AlertRule::Source { .. } | AlertRule::Server(_) => None,
        }
    }

    /// Returns `for`.
    pub(super) fn hold(&self) -> SignedDuration {
        signed(self.alert.hold)
    }

    /// Returns its hours at a time.
    pub(super) fn hours(&self, now: Timestamp, zone: &TimeZone) -> Hours {
        let Some(between) = self.alert.between else { return Hours::Always };
        between.around(now, zone).map_or(Hours::Outside, |(begin, end)| Hours::Within(begin, end))
    }

    /// Returns its hours at a time, or else the next ones.
    pub(super) fn next_hours(&self, at: Timestamp, zone: &TimeZone) -> Hours {
        let Some(between) = self.alert.between else { return Hours::Always };
        let next = between.at_or_after(at, zone);
        next.map_or(Hours::Outside, |(begin, end)| Hours::Within(begin, end))
    }
}

/// Returns a duration as one that can be compared with differences of times.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Returns the time that is later than another by a duration, or the latest or earliest one that there is.
pub(super) fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    let limit = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    at.saturating_add(by).unwrap_or(limit)
}

#[cfg(test)]
mod tests;
