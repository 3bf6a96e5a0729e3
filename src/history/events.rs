//! Events, read from memory first and then from the file, a page at a time.

use std::task::Poll;

use super::handle::{History, HistoryError, StoredEvent};
use super::reader::ReaderWait;

/// Events that one piece of work reads from the file. They are fewer than rows of a series, as
/// their texts make them cost more.
const EVENTS_PER_PIECE: usize = 500;

/// Events with numbers below a given one, the latest first. A source that has few of them takes a
/// scan of all, which is why they are read piece by piece.
#[derive(Debug)]
pub struct EventScan {
    history: History,
    source: Option<String>,
    limit: usize,
    found: Vec<StoredEvent>,
    /// Number below which the file is read on; `None` once there is no more.
    next: Option<i64>,
    wait: ReaderWait,
}

impl EventScan {
    pub(super) fn new(
        history: History,
        before: Option<i64>,
        source: Option<&str>,
        limit: usize,
    ) -> EventScan {
        let recent = history.recent_events();
        let before = before.unwrap_or(i64::MAX);
        let mut scan = EventScan {
            history,
            source: source.map(str::to_owned),
            limit,
            found: Vec::new(),
            // The rest is on disk: everything before the earliest that memory holds.
            next: Some(before.min(recent.last().map_or(i64::MAX, |stored| stored.id))),
            wait: ReaderWait::default(),
        };
        scan.take(recent.iter().filter(|stored| stored.id < before).cloned());
        // Until the file has been opened, memory holds all known events.
        if matches!(scan.history.readers(), Err(HistoryError::Closed | HistoryError::Off)) {
            scan.next = None;
        }
        scan
    }

    /// Returns true if [`EventScan::poll`] would read the file.
    pub fn needs_file(&self) -> bool {
        self.next.is_some() && self.found.len() < self.limit
    }

    /// The events, once all that exist or that were requested are found; until then reads on
    /// in the file by up to `EVENTS_PER_PIECE` rows. Never waits for a reader.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn poll(&mut self) -> Result<Poll<Vec<StoredEvent>>, HistoryError> {
        if let Some(before) = self.next.filter(|_| self.needs_file()) {
            let readers = self.history.readers()?;
            // Without a filter no more rows are read than were requested.
            let rows = match self.source {
                Some(_) => EVENTS_PER_PIECE,
                None => self.limit - self.found.len(),
            };
            let page = self.wait.try_borrow(&readers).and_then(|reader| {
                Ok(reader.map(|reader| reader.events(before, rows)).transpose()?)
            });
            let Some(page) = page.map_err(|error| self.history.report_read_error(error))? else {
                return Ok(Poll::Pending);
            };
            self.take(page.events);
            self.next = page.next;
        }
        if self.needs_file() {
            return Ok(Poll::Pending);
        }
        Ok(Poll::Ready(std::mem::take(&mut self.found)))
    }

    fn take(&mut self, events: impl IntoIterator<Item = StoredEvent>) {
        let source = self.source.as_deref();
        let room = self.limit - self.found.len();
        let of_source = |stored: &StoredEvent| {
            source.is_none_or(|name| stored.event.source.as_deref() == Some(name))
        };
        self.found.extend(events.into_iter().filter(of_source).take(room));
    }
}
