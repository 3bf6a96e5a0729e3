//! Keys that all rules share.

use std::sync::Arc;
use std::time::Duration;

use super::super::scalar::written_duration;
use super::super::section::{Section, Spanned};
use super::plant::advice;
use super::written_template::template_in;
use super::{DailySpan, Severity, Template};

/// Shortest time between two reminders.
const MIN_REPEAT: Duration = Duration::from_secs(60);

/// Values of the keys that all rules share. An absent one has the default of the rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Common {
    pub(super) enabled: bool,
    pub(super) hold: Option<Duration>,
    pub(super) between: Option<DailySpan>,
    pub(super) severity: Option<Severity>,
    pub(super) notify: Option<Vec<Arc<str>>>,
    pub(super) repeat: Vec<Duration>,
    pub(super) message: Option<Template>,
    pub(super) quiet: Option<DailySpan>,
}

impl Common {
    /// Reads the keys. `channels` are the names of all channels, also of those with errors.
    pub(super) fn read(section: &mut Section<'_, '_>, channels: &[String]) -> Common {
        Common {
            enabled: section.boolean("enabled").is_none_or(|at| at.value),
            hold: section.duration("for").map(|at| at.value),
            between: section.parsed("between").map(|at| at.value),
            severity: section.choice("severity").map(|at| at.value),
            notify: notify(section, channels),
            repeat: repeat(section),
            message: message(section),
            quiet: section.parsed("quiet").map(|at| at.value),
        }
    }
}

/// Reads `repeat`. Each time is one of a message to a person.
fn repeat(section: &mut Section<'_, '_>) -> Vec<Duration> {
    let times = section.durations("repeat").unwrap_or_default();
    for Spanned { value, span } in &times {
        if *value < MIN_REPEAT {
            let written = written_duration(*value);
            section.report(
                *span,
                format_args!("\"repeat\" must have times of at least 1m; it has {written}"),
            );
        }
    }
    let mut pairs = times.iter().zip(times.iter().skip(1));
    if let Some((one, next)) = pairs.find(|(one, next)| next.value < one.value) {
        let (one, written) = (written_duration(one.value), written_duration(next.value));
        section.warn(
            next.span,
            format_args!(
                "\"repeat\" has {written} after {one}, so reminders become more frequent, and the last time repeats; \
                 write the times in increasing order"
            ),
        );
    }
    times.into_iter().map(|at| at.value).collect()
}

fn notify(section: &mut Section<'_, '_>, channels: &[String]) -> Option<Vec<Arc<str>>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for Spanned { value, span } in section.strings("notify")? {
        if !channels.contains(&value) {
            let advice = match channels {
                [] => "there is no [[notify]]".to_owned(),
                _ => advice(&value, channels.iter().map(String::as_str)),
            };
            let message = format_args!("\"notify\": \"{value}\" is no channel; {advice}");
            section.report(span, message);
        } else if !names.iter().any(|name| **name == *value) {
            names.push(value.into());
        }
    }
    Some(names)
}

/// Reads `message`, the first line of messages.
fn message(section: &mut Section<'_, '_>) -> Option<Template> {
    let Spanned { value, span } = section.string("message")?;
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        section.report(span, "\"message\" must be one line of text");
        return None;
    }
    template_in(section, "message", Spanned { value, span })
}
