//! `[[source]]`: an upstream, and the keys that all kinds share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::kind::{self, Kind};
use super::section::{At, Section};

/// One `[[source]]`, checked.
#[derive(Debug, Clone)]
pub struct Source {
    /// Unique, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// For people; defaults to the name.
    pub title: Arc<str>,
    /// From one poll's start to the next one's.
    pub interval: Duration,
    /// Total bound of one poll: DNS, connect, TLS, headers, body.
    pub timeout: Duration,
    /// Age of the observation at which the source is stale.
    pub stale_after: Duration,
    /// What to poll and how to read the answer.
    pub kind: Kind,
}

const INTERVAL: Duration = Duration::from_secs(5 * 60);
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Intervals after which a reading that has no `stale_after` of its own is stale.
const STALE_INTERVALS: u32 = 3;

pub(super) fn read_all(sections: Vec<Section<'_, '_>>) -> Vec<Source> {
    let mut names = BTreeSet::new();
    sections.into_iter().filter_map(|section| read(section, &mut names)).collect()
}

fn read(mut section: Section<'_, '_>, names: &mut BTreeSet<String>) -> Option<Source> {
    let name = name(&mut section, names);
    if let Some(name) = &name {
        section.rename(format!("[[source]] \"{name}\""));
    }
    let title = section.string("title").map(|at| at.value);
    let interval = interval(&mut section);
    let timeout = timeout(&mut section, interval);
    let stale_after = section.duration_or("stale_after", interval * STALE_INTERVALS);
    let kind = kind::read(&mut section);
    // Without a kind nobody knows which other keys are right.
    if kind.is_some() {
        section.finish();
    }
    let name: Arc<str> = name?.into();
    let title = title.map_or_else(|| Arc::clone(&name), Arc::from);
    Some(Source { name, title, interval, timeout, stale_after, kind: kind? })
}

fn name(section: &mut Section<'_, '_>, names: &mut BTreeSet<String>) -> Option<String> {
    let name = section.string("name");
    let At { value, span } = section.require("name", name)?;
    if !is_name(&value) {
        section.report(
            span,
            format_args!(
                "\"name\": \"{value}\" must be lower-case letters, digits and underscores, \
                 beginning with a letter,"
            ),
        );
        return None;
    }
    if !names.insert(value.clone()) {
        section.report(span, format_args!("the name \"{value}\" is taken by another source"));
        return None;
    }
    Some(value)
}

/// `[a-z][a-z0-9_]*`: what sources and fields may be called.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn interval(section: &mut Section<'_, '_>) -> Duration {
    match section.duration("interval") {
        None => INTERVAL,
        Some(At { value, .. }) if value >= LEAST_INTERVAL => value,
        Some(At { span, .. }) => {
            section.report(span, "\"interval\" must be at least 1s");
            INTERVAL
        }
    }
}

fn timeout(section: &mut Section<'_, '_>, interval: Duration) -> Duration {
    match section.duration("timeout") {
        None => TIMEOUT.min(interval),
        Some(At { value, .. }) if value <= interval => value,
        Some(At { span, .. }) => {
            section.report(span, "\"timeout\" must not be longer than \"interval\"");
            interval
        }
    }
}
