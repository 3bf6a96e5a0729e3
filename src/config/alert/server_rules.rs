//! The server's own rules: what an `[[alert]]` of their name may change, and their defaults.

use std::time::Duration;

use strum::VariantArray as _;

use super::super::section::Section;
use super::common::Common;
use super::condition::{self, ConditionKey};
use super::{Alert, AlertRule, ServerCondition, Severity};

impl ServerCondition {
    /// Returns the severity of its rule unless the configuration sets another one.
    pub const fn default_severity(self) -> Severity {
        match self {
            ServerCondition::DiskFull => Severity::Critical,
            ServerCondition::CertificateExpires
            | ServerCondition::HistoryFailing
            | ServerCondition::ClockWrong
            | ServerCondition::NotificationsWaiting => Severity::Warning,
        }
    }
}

/// Changes of one of the server's rules by the file.
pub(super) struct Override {
    pub(super) condition: ServerCondition,
    pub(super) settings: Common,
}

/// Reports keys that a rule of the server cannot have.
pub(super) fn check(section: &mut Section<'_, '_>, name: &str) -> bool {
    let conditions = condition::present(section).into_iter();
    let conditions = conditions.map(|(key, span)| (ConditionKey::as_str(key), span));
    let others = ["field", "source", "group", "within", "clear", "between"];
    let others = others.into_iter().filter_map(|key| Some((key, section.span_of(key)?)));
    let first = conditions.chain(others).min_by_key(|(_, span)| span.start);
    if let Some((key, span)) = first {
        section.report(
            span,
            format_args!(
                "\"{name}\" is a rule of the server itself, which \"{key}\" does not belong to; delete the key, or \
                 choose another name"
            ),
        );
    }
    condition::drop_all(section);
    for key in ["field", "source", "group"] {
        drop(section.take(key));
    }
    first.is_none()
}

/// Returns the server's rules that are on.
pub(super) fn rules(overrides: Vec<Override>) -> Vec<Alert> {
    let mut overrides = overrides;
    let conditions = ServerCondition::VARIANTS.iter().copied();
    let rule = |condition: ServerCondition| {
        let changed = overrides.iter().position(|other| other.condition == condition);
        let settings = match changed.map(|at| overrides.swap_remove(at).settings) {
            Some(settings) if !settings.enabled => return None,
            Some(settings) => settings,
            None => Common { enabled: true, ..Common::default() },
        };
        Some(Alert {
            name: condition.as_str().into(),
            rule: AlertRule::Server(condition),
            hold: settings.hold.unwrap_or(Duration::ZERO),
            between: None,
            severity: settings.severity.unwrap_or(condition.default_severity()),
            notify: settings.notify,
            repeat: settings.repeat,
            message: settings.message,
            quiet: settings.quiet,
        })
    };
    conditions.filter_map(rule).collect()
}
