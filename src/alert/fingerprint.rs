//! Checksum of what decides when a rule fires.

use std::fmt::Write;

use super::condition_text::written;
use crate::config::{Alert, AlertRule, FieldCondition, Limit, SourceCondition, SourceSelection};

/// Returns the checksum of subject, condition, `clear`, `for` and `between` of a rule.
///
/// It is the FNV-1a hash of a text. The text is written here and not derived, because a checksum that is stored must
/// be the same in each version of the program and of its compiler.
pub(super) fn fingerprint(alert: &Alert) -> u64 {
    let mut text = String::new();
    subject(&mut text, &alert.rule);
    let between = alert.between.map(|between| between.to_string());
    // Writing to a string does not fail.
    let _ = write!(text, "for {}\n{}\n", alert.hold.as_nanos(), between.unwrap_or_default());
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn subject(text: &mut String, rule: &AlertRule) {
    let _ = match rule {
        AlertRule::Field { sources, field, condition: of_field } => {
            writeln!(text, "field {} {field} {}", selection(sources), condition(of_field))
        }
        AlertRule::Source { sources, condition: SourceCondition::Stale } => {
            writeln!(text, "source {} stale", selection(sources))
        }
        AlertRule::Source { sources, condition: SourceCondition::Failing { over } } => {
            writeln!(text, "source {} failing {}", selection(sources), over.as_nanos())
        }
        AlertRule::Server(condition) => writeln!(text, "server {}", condition.as_str()),
    };
}

fn selection(sources: &SourceSelection) -> String {
    match sources {
        SourceSelection::One(name) => format!("one {name}"),
        SourceSelection::Group(path) => format!("group {path}"),
        SourceSelection::All => "all".to_owned(),
    }
}

fn condition(condition: &FieldCondition) -> String {
    let clear =
        |clear: &Option<Limit>| clear.map_or_else(|| "default".to_owned(), |c| c.to_string());
    match condition {
        FieldCondition::Below { threshold, clear: at } => {
            format!("below {threshold} clear {}", clear(at))
        }
        FieldCondition::Above { threshold, clear: at } => {
            format!("above {threshold} clear {}", clear(at))
        }
        FieldCondition::Outside { low, high, clear: at } => {
            let (from, to) = at.map_or((None, None), |(from, to)| (Some(from), Some(to)));
            format!("outside {low} {high} clear {} {}", clear(&from), clear(&to))
        }
        FieldCondition::Equals(scalar) => format!("equals {}", written(scalar)),
        FieldCondition::NotEquals(scalar) => format!("not_equals {}", written(scalar)),
        FieldCondition::Falls { by, within, clear: at } => {
            format!("falls {by} within {} clear {}", within.as_nanos(), clear(at))
        }
        FieldCondition::Rises { by, within, clear: at } => {
            format!("rises {by} within {} clear {}", within.as_nanos(), clear(at))
        }
        FieldCondition::NoRise { by, within } => {
            format!("no_rise {by} within {}", within.as_nanos())
        }
        FieldCondition::Flat { over } => format!("flat {}", over.as_nanos()),
        FieldCondition::EmptyWithin { within } => format!("empty_within {}", within.as_nanos()),
    }
}
