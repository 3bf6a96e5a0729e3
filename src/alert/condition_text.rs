//! Conditions in words, for messages and pages.

use std::time::Duration;

use crate::config::{
    AlertRule, FieldCondition, Limit, Scalar, ServerCondition, SourceCondition, span_suffix,
};
use crate::format;

/// Returns the condition of a rule in words: "below 300 gal", "flat for 12h".
pub(super) fn of(rule: &AlertRule) -> String {
    match rule {
        AlertRule::Field { condition, .. } => of_field(condition),
        AlertRule::Source { condition: SourceCondition::Stale, .. } => "stale".to_owned(),
        AlertRule::Source { condition: SourceCondition::Failing { over }, .. } => {
            format!("failing for {}", span(*over))
        }
        AlertRule::Server(condition) => of_server(*condition).to_owned(),
    }
}

fn of_field(condition: &FieldCondition) -> String {
    match condition {
        FieldCondition::Below { threshold, .. } => format!("below {}", amount(*threshold)),
        FieldCondition::Above { threshold, .. } => format!("above {}", amount(*threshold)),
        FieldCondition::Outside { low, high, .. } if low.unit == high.unit => {
            format!("outside {} to {}", number(low.number), amount(*high))
        }
        FieldCondition::Outside { low, high, .. } => {
            format!("outside {} to {}", amount(*low), amount(*high))
        }
        FieldCondition::Equals(scalar) => format!("is {}", shown(scalar)),
        FieldCondition::NotEquals(scalar) => format!("is not {}", shown(scalar)),
        FieldCondition::Falls { by, within, .. } => {
            format!("falls {} within {}", amount(*by), span(*within))
        }
        FieldCondition::Rises { by, within, .. } => {
            format!("rises {} within {}", amount(*by), span(*within))
        }
        FieldCondition::NoRise { by, within } => {
            format!("no rise of {} within {}", amount(*by), span(*within))
        }
        FieldCondition::Flat { over } => format!("flat for {}", span(*over)),
        FieldCondition::EmptyWithin { within } => format!("empty within {}", span(*within)),
    }
}

fn of_server(condition: ServerCondition) -> &'static str {
    match condition {
        ServerCondition::CertificateExpires => "certificate expires",
        ServerCondition::DiskFull => "disk full",
        ServerCondition::HistoryFailing => "history failing",
        ServerCondition::ClockWrong => "clock wrong",
        ServerCondition::NotificationsWaiting => "notifications waiting",
    }
}

/// Returns a value as the configuration writes it.
pub(super) fn written(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("\"{text}\""),
        Scalar::Integer(number) => number.to_string(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(truth) => truth.to_string(),
    }
}

/// Returns a value as people read it.
fn shown(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Bool(true) => "on".to_owned(),
        Scalar::Bool(false) => "off".to_owned(),
        Scalar::Number(value) => number(*value),
        Scalar::Text(_) | Scalar::Integer(_) => written(scalar),
    }
}

/// Returns a number with its unit, with the digits that the operator wrote.
fn amount(limit: Limit) -> String {
    number(limit.number) + &format::suffix(limit.unit)
}

/// Returns a number with all its digits, in groups.
fn number(number: f64) -> String {
    let text = number.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    match text.len() {
        ..=24 => format::fixed(number, decimals),
        _ => format::compact(number),
    }
}

/// Returns a span in its largest whole unit: `1h`, `90m`, `4d`.
fn span(span: Duration) -> String {
    if span.is_zero() { "0s".to_owned() } else { span_suffix(span) }
}
