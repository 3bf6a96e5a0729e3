//! Recorded events of sources, earliest first.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Poll;

use jiff::{SignedDuration, Timestamp};

use super::error::ReplayError;
use crate::board::{Event, EventKind};
use crate::history::History;

/// Events of a page.
const PAGE: usize = 1_000;

/// Time before the replayed one whose events are read, for the states at its start.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(32 * 24);

/// An event that changes what a rule on a source sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceEvent {
    pub(super) at: Timestamp,
    pub(super) kind: EventKind,
    /// Message of a failure.
    pub(super) detail: Arc<str>,
}

/// Events of all sources.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    by_source: HashMap<Arc<str>, Vec<SourceEvent>>,
    /// Starts of the program.
    starts: Vec<Timestamp>,
}

impl EventLog {
    /// Reads the events of a span of time, and those shortly before it.
    pub(super) fn read(
        history: &History,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<EventLog, ReplayError> {
        let begin = from.saturating_sub(LOOKBACK).unwrap_or(Timestamp::MIN);
        let mut log = EventLog::default();
        let mut before = None;
        loop {
            let mut scan = history.events(before, None, PAGE);
            let page = loop {
                if let Poll::Ready(page) = scan.poll()? {
                    break page;
                }
            };
            let is_past = page.iter().all(|stored| stored.event.at < begin);
            before = page.last().map(|stored| stored.id);
            for stored in page {
                if begin <= stored.event.at && stored.event.at <= to {
                    log.add(stored.event);
                }
            }
            if is_past || before.is_none() {
                break;
            }
        }
        // Newest first so far. An event may be earlier than its detection.
        for events in log.by_source.values_mut() {
            events.reverse();
            events.sort_by_key(|event| event.at);
        }
        log.starts.sort();
        Ok(log)
    }

    fn add(&mut self, event: Event) {
        let Event { at, kind, source, detail } = event;
        match (kind, source) {
            (EventKind::Started, _) => self.starts.push(at),
            (
                EventKind::Stale | EventKind::Fresh | EventKind::ErrorBegan | EventKind::ErrorEnded,
                Some(source),
            ) => {
                let detail = if kind == EventKind::ErrorBegan { detail } else { Arc::default() };
                self.by_source.entry(source).or_default().push(SourceEvent { at, kind, detail });
            }
            _ => {}
        }
    }

    /// Returns the events of a source with the starts of the program, earliest first.
    pub(super) fn of(&self, source: &str) -> Vec<SourceEvent> {
        let own = self.by_source.get(source).into_iter().flatten().cloned();
        let start = |&at| SourceEvent { at, kind: EventKind::Started, detail: Arc::default() };
        let mut events: Vec<SourceEvent> = self.starts.iter().map(start).chain(own).collect();
        events.sort_by_key(|event| event.at);
        events
    }
}
