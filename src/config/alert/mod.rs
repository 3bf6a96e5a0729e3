//! `[[alert]]`: rules on readings, on sources and on the server itself.

mod common;
mod condition;
mod daily_span;
mod equality;
mod limit;
mod plant;
mod read;
mod server_rules;
mod severity;
mod subject;
mod template;
mod written_limit;
mod written_template;

use std::sync::Arc;
use std::time::Duration;

use super::group::is_within;
use super::simple_value::Scalar;

pub use daily_span::{DailySpan, DailySpanError};
pub use limit::Limit;
pub(super) use plant::Plant;
pub(super) use read::read;
pub use severity::Severity;
pub use template::{Placeholder, Template, TemplateError, TemplatePart};
pub(super) use written_template::template_in;

/// A rule of `[[alert]]`, or one of the server's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Unique name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Subject and condition.
    pub rule: AlertRule,
    /// `for`: time for which the condition must hold, by the times of the observations.
    pub hold: Duration,
    /// `between`: the rule applies within these hours only.
    pub between: Option<DailySpan>,
    /// `severity`.
    pub severity: Severity,
    /// `notify`: names of channels; `None`: all of them.
    pub notify: Option<Vec<Arc<str>>>,
    /// `repeat`: times from one message to the next while the alert fires unacknowledged; the last one repeats.
    /// Empty: no reminders.
    pub repeat: Vec<Duration>,
    /// `message`: the first line of messages.
    pub message: Option<Template>,
    /// `quiet`: messages that are not critical are deferred to the end of these hours.
    pub quiet: Option<DailySpan>,
}

impl Alert {
    /// Returns a rule with the defaults of all other keys.
    pub fn new(name: &str, severity: Severity, rule: AlertRule) -> Alert {
        Alert {
            name: name.into(),
            rule,
            hold: Duration::ZERO,
            between: None,
            severity,
            notify: None,
            repeat: Vec::new(),
            message: None,
            quiet: None,
        }
    }
}

/// Subject and condition of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertRule {
    /// A rule on the values of a field.
    Field {
        /// Sources that have the field.
        sources: SourceSelection,
        /// Name of the field.
        field: Arc<str>,
        /// Condition on its values.
        condition: FieldCondition,
    },
    /// A rule on sources themselves.
    Source {
        /// The sources.
        sources: SourceSelection,
        /// Condition on the state of a source.
        condition: SourceCondition,
    },
    /// A rule on the server itself.
    Server(ServerCondition),
}

impl AlertRule {
    /// Returns its sources; `None` for a rule on the server itself.
    pub fn sources(&self) -> Option<&SourceSelection> {
        match self {
            AlertRule::Field { sources, .. } | AlertRule::Source { sources, .. } => Some(sources),
            AlertRule::Server(_) => None,
        }
    }
}

/// Sources of a rule. A rule over several keeps a state for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSelection {
    /// The source of that name.
    One(Arc<str>),
    /// Sources of that group and of the groups below it.
    Group(Arc<str>),
    /// All sources.
    All,
}

impl SourceSelection {
    /// Returns true if it selects a source of that name and group.
    pub fn selects(&self, name: &str, group: Option<&str>) -> bool {
        match self {
            SourceSelection::One(one) => **one == *name,
            SourceSelection::Group(path) => group.is_some_and(|group| is_within(group, path)),
            SourceSelection::All => true,
        }
    }
}

/// Condition on the values of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldCondition {
    /// `below`: the value is lower. `clear`: it must reach this to end the alert.
    Below {
        /// Threshold.
        threshold: Limit,
        /// Value at which the alert ends; `None`: 2 % of the threshold above it.
        clear: Option<Limit>,
    },
    /// `above`: the value is higher.
    Above {
        /// Threshold.
        threshold: Limit,
        /// Value at which the alert ends; `None`: 2 % of the threshold below it.
        clear: Option<Limit>,
    },
    /// `outside`: the value is lower than the first limit or higher than the second.
    Outside {
        /// Lower threshold.
        low: Limit,
        /// Upper threshold.
        high: Limit,
        /// Values between which the alert ends; `None`: 2 % of each threshold within them.
        clear: Option<(Limit, Limit)>,
    },
    /// `equals`: the value is this one.
    Equals(Scalar),
    /// `not_equals`: the value is another one.
    NotEquals(Scalar),
    /// `falls`: the value is lower by this than its maximum of the latest `within`.
    Falls {
        /// Amount.
        by: Limit,
        /// Window.
        within: Duration,
        /// Amount at which the alert ends; `None`: 2 % less.
        clear: Option<Limit>,
    },
    /// `rises`: the value is higher by this than its minimum of the latest `within`.
    Rises {
        /// Amount.
        by: Limit,
        /// Window.
        within: Duration,
        /// Amount at which the alert ends; `None`: 2 % less.
        clear: Option<Limit>,
    },
    /// `no_rise`: the value has not risen by this within the latest `within`, as a tank does that is refilled.
    NoRise {
        /// Amount.
        by: Limit,
        /// Window, all of which must have observations.
        within: Duration,
    },
    /// `flat`: observations come, and their values have been equal for this time.
    Flat {
        /// Time.
        over: Duration,
    },
    /// `empty_within`: at the present rate, the content reaches 0 within this time.
    EmptyWithin {
        /// Time.
        within: Duration,
    },
}

/// Condition on the state of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceCondition {
    /// `stale`: its observation is older than its `stale_after`, or it has sent none for that long.
    Stale,
    /// `failing`: its polls have failed for this time.
    Failing {
        /// Time.
        over: Duration,
    },
}

/// Condition of one of the server's own rules, which exist as soon as there is a channel. The name of the rule is
/// that of the condition.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum ServerCondition {
    /// A certificate of the server expires soon.
    CertificateExpires,
    /// The file system of the history has little space left, or a write found it full.
    DiskFull,
    /// The history cannot be written.
    HistoryFailing,
    /// The clock of this machine is wrong.
    ClockWrong,
    /// Messages wait for a channel that does not take them.
    NotificationsWaiting,
}

impl ServerCondition {
    /// Returns the name of the rule.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
