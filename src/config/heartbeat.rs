//! `[heartbeat]`: a dead man's switch outside, which is pinged while everything works.

use std::time::Duration;

use super::notify::{capability, of_capability};
use super::scalar::written_duration;
use super::secret::Secret;
use super::section::{Section, Spanned};

/// `[heartbeat]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// URL, which is a capability. GET while everything works; POST to it with `/fail` added otherwise.
    pub url: Secret,
    /// Time from one ping to the next.
    pub every: Duration,
    /// Total time of one ping.
    pub timeout: Duration,
}

const EVERY: Duration = Duration::from_secs(5 * 60);
const MIN_EVERY: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);

impl Heartbeat {
    /// Returns the secrets in its keys, which are redacted wherever they occur.
    pub fn secrets(&self) -> Vec<Secret> {
        of_capability(&self.url)
    }
}

/// Reads `[heartbeat]`.
pub(super) fn read(mut section: Section<'_, '_>) -> Option<Heartbeat> {
    let url = capability(&mut section);
    let every = every(&mut section);
    let timeout = match section.duration("timeout") {
        None => TIMEOUT.min(every),
        Some(Spanned { value, .. }) if value <= every => value,
        Some(Spanned { span, .. }) => {
            let every = written_duration(every);
            section.report(
                span,
                format_args!("\"timeout\" must not be longer than \"every\"; that is {every}"),
            );
            TIMEOUT
        }
    };
    section.finish();
    Some(Heartbeat { url: url?, every, timeout })
}

fn every(section: &mut Section<'_, '_>) -> Duration {
    match section.duration("every") {
        None => EVERY,
        Some(Spanned { value, .. }) if value >= MIN_EVERY => value,
        Some(Spanned { value, span }) => {
            section.report(
                span,
                format_args!("\"every\" must be at least 10s; it is {}", written_duration(value)),
            );
            EVERY
        }
    }
}
