//! Pages of events: from memory first, then from the file in bounded pieces.

use std::sync::Arc;
use std::task::Poll;

use super::entry::StoredEvent;
use super::error::HistoryError;
use super::pool::ReaderWait;
use super::shared::Shared;

/// Number of events that one piece of work reads from the file. It is smaller than that for rows of a series,
/// since events have texts.
const EVENTS_PER_PIECE: usize = 500;

/// Scan of the events with ids below a given one, newest first.
///
/// There is no index by source, so finding the events of one source may require a scan of all events. The scan
/// is therefore split into pieces.
#[derive(Debug)]
pub struct EventScan {
    shared: Arc<Shared>,
    source: Option<String>,
    limit: usize,
    found: Vec<StoredEvent>,
    /// Id below which the scan continues in the file; `None` at the end.
    next: Option<i64>,
    wait: ReaderWait,
}

impl EventScan {
    pub(super) fn new(
        shared: Arc<Shared>,
        before: Option<i64>,
        source: Option<&str>,
        limit: usize,
    ) -> EventScan {
        let recent = shared.recent.load_full();
        let (recent, are_all) = (&recent.events, recent.are_all);
        let before = before.unwrap_or(i64::MAX);
        // The file has the events before the oldest in memory. Until the file has been opened,
        // memory has all known events.
        let next = before.min(recent.last().map_or(i64::MAX, |stored| stored.id));
        let next = (!are_all && shared.readers().is_ok()).then_some(next);
        let source = source.map(str::to_owned);
        let (found, wait) = (Vec::new(), ReaderWait::default());
        let mut scan = EventScan { shared, source, limit, found, next, wait };
        scan.add(recent.iter().filter(|stored| stored.id < before).cloned());
        scan
    }

    /// Returns true if [`EventScan::poll`] would read the file.
    pub fn needs_file(&self) -> bool {
        self.next.is_some() && self.found.len() < self.limit
    }

    /// Reads up to 500 more rows, and returns the events if the scan is complete or `Pending` if it is not.
    /// Never blocks on the readers.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn poll(&mut self) -> Result<Poll<Vec<StoredEvent>>, HistoryError> {
        if let Some(before) = self.next.filter(|_| self.needs_file()) {
            let readers = self.shared.readers()?;
            // Without a filter each row counts towards the limit.
            let rows = match self.source {
                Some(_) => EVENTS_PER_PIECE,
                None => self.limit - self.found.len(),
            };
            let page = self.wait.try_borrow(&readers).and_then(|reader| {
                Ok(reader.map(|reader| reader.events(before, rows)).transpose()?)
            });
            let page = page.map_err(|error| self.shared.report_read_error(error))?;
            let Some(page) = page else { return Ok(Poll::Pending) };
            self.add(page.events);
            self.next = page.next;
        }
        if self.needs_file() {
            return Ok(Poll::Pending);
        }
        Ok(Poll::Ready(std::mem::take(&mut self.found)))
    }

    /// Adds the events that match the filter, up to the limit.
    fn add(&mut self, events: impl IntoIterator<Item = StoredEvent>) {
        let source = self.source.as_deref();
        let room = self.limit - self.found.len();
        let matches = |stored: &StoredEvent| {
            source.is_none_or(|name| stored.event.source.as_deref() == Some(name))
        };
        self.found.extend(events.into_iter().filter(matches).take(room));
    }
}
