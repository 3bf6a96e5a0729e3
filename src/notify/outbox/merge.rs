//! Notices of one incident: which ones supersede others, and their order.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::entry::Entry;
use crate::alert::{IncidentId, NoticeKind};
use crate::order;

/// Latest notices of an incident that wait.
#[derive(Default)]
struct Waiting {
    has_fire: bool,
    has_end: bool,
    latest_reminder: u32,
}

/// Removes and returns the reminders that another notice of their incident makes superfluous.
pub(super) fn take_superseded(entries: &mut Vec<Entry>) -> Vec<Entry> {
    let mut incidents: HashMap<IncidentId, Waiting> = HashMap::new();
    for entry in entries.iter() {
        let key = &entry.notice.key;
        let waiting = incidents.entry(key.incident).or_default();
        match key.kind {
            NoticeKind::Fired => waiting.has_fire = true,
            NoticeKind::Ended => waiting.has_end = true,
            NoticeKind::Reminder => {
                waiting.latest_reminder = waiting.latest_reminder.max(key.number);
            }
        }
    }
    let is_superseded = |entry: &mut Entry| {
        let key = &entry.notice.key;
        let waiting = &incidents[&key.incident];
        key.kind == NoticeKind::Reminder
            && (waiting.has_fire || waiting.has_end || key.number < waiting.latest_reminder)
    };
    entries.extract_if(.., is_superseded).collect()
}

/// Returns the fires that wait.
pub(super) fn fires(entries: &[Entry]) -> HashMap<IncidentId, &Entry> {
    let fires = entries.iter().filter(|entry| entry.notice.key.kind == NoticeKind::Fired);
    fires.map(|entry| (entry.notice.key.incident, entry)).collect()
}

/// Returns the incidents of which both the fire and the end wait.
pub(super) fn complete(entries: &[Entry]) -> HashSet<IncidentId> {
    let fires = fires(entries);
    let ends = entries.iter().filter(|entry| entry.notice.key.kind == NoticeKind::Ended);
    let ended = ends.map(|entry| entry.notice.key.incident);
    ended.filter(|incident| fires.contains_key(incident)).collect()
}

/// Sorts by incident, the one with the oldest notice first. The notices of an incident are in the order of
/// their kinds, since the clock may have been set back between two of them.
pub(super) fn sort(entries: &mut [Entry]) {
    let mut oldest: HashMap<IncidentId, Timestamp> = HashMap::new();
    for entry in entries.iter() {
        let at = oldest.entry(entry.notice.key.incident).or_insert(entry.notice.at);
        *at = entry.notice.at.min(*at);
    }
    order::sort_by_key(entries, |entry| {
        let key = &entry.notice.key;
        (oldest[&key.incident], key.incident, key.kind, key.number)
    });
}

/// Returns the number of incidents.
pub(super) fn incidents(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.notice.key.incident).collect::<HashSet<_>>().len()
}

/// Removes and returns the notices of all incidents but the first `most`, of notices that are sorted.
pub(super) fn split_off(entries: &mut Vec<Entry>, most: usize) -> Vec<Entry> {
    let mut kept: HashSet<IncidentId> = HashSet::new();
    let is_further = |entry: &Entry| {
        kept.insert(entry.notice.key.incident);
        kept.len() > most
    };
    let at = entries.iter().position(is_further).unwrap_or(entries.len());
    entries.split_off(at)
}
