//! Bound of the outbox.

use std::collections::{HashMap, HashSet};

use super::entry::Entry;
use super::merge;
use crate::alert::{IncidentId, NoticeKind};
use crate::order;

/// Most notices of a channel that wait: the fires and the ends of a fleet of 10,000 sources. They share their
/// incidents with the other channels, so they take a few MiB.
pub const MAX_WAITING: usize = 20_000;

/// Removes and returns what exceeds `max`: first reminders, then both notices of incidents that have ended, then
/// the oldest incidents. An end goes with its fire, so the result may be one less than `max`.
pub(super) fn take_excess(entries: &mut Vec<Entry>, max: usize) -> Vec<Entry> {
    let mut dropped = Vec::new();
    if entries.len() <= max {
        return dropped;
    }
    // The oldest first.
    let mut by_age = order::positions(entries.len(), &mut |one, other| {
        entries[one].notice.at.cmp(&entries[other].notice.at)
    });
    let complete = merge::complete(entries);
    let class = |entry: &Entry| match entry.notice.key {
        ref key if key.kind == NoticeKind::Reminder => 0,
        ref key if complete.contains(&key.incident) => 1,
        _ => 2,
    };
    order::sort_by_key(&mut by_age, |&index| class(&entries[index]));
    let mut notices: HashMap<IncidentId, usize> = HashMap::new();
    for entry in entries.iter() {
        *notices.entry(entry.notice.key.incident).or_default() += 1;
    }
    let excess = entries.len() - max;
    let mut victims: HashSet<IncidentId> = HashSet::new();
    let mut count = 0;
    for index in by_age {
        if count >= excess {
            break;
        }
        let incident = entries[index].notice.key.incident;
        if victims.insert(incident) {
            count += notices[&incident];
        }
    }
    dropped.extend(entries.extract_if(.., |entry| victims.contains(&entry.notice.key.incident)));
    dropped
}
