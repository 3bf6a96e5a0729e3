//! The database as the recorder's destination, with a spool for the time while it is away.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::spool::Spool;
use super::writer::{Record, ServerWriter};
use crate::history::destination::{Destination, SharedEvents, Spooled, Written};
use crate::history::entry::Entry;
use crate::history::error::StoreError;
use crate::history::fault::FaultKind;
use crate::history::settings::Retention;
use crate::store::Access;
use crate::threads::StopToken;

/// Time between two attempts while the database is known to be away.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Records of the spool that are read for one step: a transaction has as many samples of sources with four values.
const DRAINED_AT_ONCE: usize = 500;

/// Most time of the steps of one call, so that the recorder's queue is emptied meanwhile.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Time for which written entries are kept, to be written again after an outage: a standby that was promoted may lack the
/// latest transactions.
const RESEND_WINDOW: Duration = Duration::from_secs(120);

/// Most entries that are kept for that.
const MAX_RESENT: usize = 20_000;

/// Time between two reads of the latest events.
const EVENTS_INTERVAL: Duration = Duration::from_secs(2);

/// The database as the recorder's destination.
pub(in crate::history) struct Spooling {
    access: Access,
    writer: ServerWriter,
    spool: Spool,
    /// Number of records in the spool, for other threads.
    spooled: Arc<AtomicU64>,
    /// Entries that were written within [`RESEND_WINDOW`], with the time of that.
    recent: VecDeque<(Instant, Entry)>,
    /// True if `recent` is to be written again.
    resends: bool,
    /// Outages of the database that were noticed, here or by other threads.
    outages: u64,
    /// Number of the latest event of this process that the database has.
    saved_event: i64,
    attempted_at: Option<Instant>,
    events_at: Option<Instant>,
}

impl Spooling {
    /// Opens the spool. The database is connected to by the first write.
    ///
    /// # Errors
    /// The spool cannot be opened.
    pub(in crate::history) fn open(
        access: Access,
        zone: &TimeZone,
        (spool, max_bytes): (&Path, u64),
        spooled: Arc<AtomicU64>,
    ) -> Result<Spooling, StoreError> {
        let spool = Spool::open(spool, max_bytes)?;
        spooled.store(spool.len(), Ordering::Relaxed);
        Ok(Spooling {
            writer: ServerWriter::new(access.clone(), zone),
            access,
            spool,
            spooled,
            recent: VecDeque::new(),
            resends: false,
            outages: 0,
            saved_event: 0,
            attempted_at: None,
            events_at: None,
        })
    }

    /// Returns true if the database is worth an attempt now: it answered last, or the latest attempt is some time ago.
    fn may_attempt(&self) -> bool {
        self.access.is_usable()
            || self.access.is_ready()
                && self.attempted_at.is_none_or(|at| at.elapsed() >= RETRY_INTERVAL)
    }

    /// Writes what may have been lost, then the spool, then `entries`. Returns the number of rows, and the number of
    /// entries that are in the database.
    fn write_all(&mut self, entries: &[&Entry], written: &mut usize) -> Result<u64, StoreError> {
        self.attempted_at = Some(Instant::now());
        let mut rows = 0;
        if self.resends {
            let instance = self.access.instance().clone();
            let records: Vec<Record<'_>> = self
                .recent
                .iter()
                .map(|(_, entry)| Record { instance: &instance, entry })
                .collect();
            rows += self.writer.write(&records, &mut 0)?;
            self.resends = false;
        }
        let begun = Instant::now();
        while !self.spool.is_empty() {
            if begun.elapsed() > DRAIN_TIME {
                return Ok(rows);
            }
            rows += self.drain()?;
        }
        let instance = self.access.instance().clone();
        let records: Vec<Record<'_>> =
            entries.iter().map(|entry| Record { instance: &instance, entry }).collect();
        rows += self.writer.write(&records, written)?;
        Ok(rows)
    }

    /// Writes first records of the spool in one transaction, and removes them.
    fn drain(&mut self) -> Result<u64, StoreError> {
        let read = self.spool.first(DRAINED_AT_ONCE)?;
        let Some(last) = read.last().map(|record| record.id) else { return Ok(0) };
        let records: Vec<Record<'_>> = read
            .iter()
            .filter_map(|record| {
                let entry = record.entry.as_ref()?;
                Some(Record { instance: &record.instance, entry })
            })
            .collect();
        let mut written = 0;
        let result = self.writer.write_some(&records, &mut written);
        let removed = match (&result, written) {
            (Ok(_), count) if count == records.len() => Some(last),
            (_, 0) => None,
            (_, count) => {
                read.iter().filter(|record| record.entry.is_some()).nth(count - 1).map(|r| r.id)
            }
        };
        let own = self.access.instance().clone();
        if let Some(removed) = removed {
            for record in read.iter().filter(|record| record.id <= removed) {
                if let (Some(Entry::Event(event)), true) = (&record.entry, *record.instance == *own)
                {
                    self.saved_event = self.saved_event.max(event.id);
                }
            }
            self.spool.remove_to(removed)?;
            self.note_spooled();
        }
        result
    }

    /// Returns why entries wait in the spool; `None` if the database takes them, one part after the other.
    fn reason(&self, fault: Option<&StoreError>) -> Option<Spooled> {
        if let Some(fault) = fault {
            let (kind, reason) = (fault.into(), fault.to_string());
            return Some(Spooled { kind, reason, has_failed: true });
        }
        if self.access.is_usable() {
            return None;
        }
        let reason = match self.access.health().fault() {
            Some(fault) => format!("the database: {}", fault.message),
            None => "the database has not answered yet".to_owned(),
        };
        Some(Spooled { kind: FaultKind::Store, reason, has_failed: false })
    }

    fn note_spooled(&self) {
        self.spooled.store(self.spool.len(), Ordering::Relaxed);
    }

    /// Keeps entries that were written, to write them again after an outage.
    fn remember<'e>(&mut self, written: impl Iterator<Item = &'e Entry>) {
        let now = Instant::now();
        for entry in written {
            if let Entry::Event(event) = entry {
                self.saved_event = self.saved_event.max(event.id);
            }
            self.recent.push_back((now, entry.clone()));
        }
        while self.recent.len() > MAX_RESENT
            || self.recent.front().is_some_and(|(at, _)| at.elapsed() > RESEND_WINDOW)
        {
            self.recent.pop_front();
        }
    }
}

impl Destination for Spooling {
    fn write(&mut self, entries: &VecDeque<Entry>) -> Result<Written, StoreError> {
        let all: Vec<&Entry> = entries.iter().collect();
        let outages = self.access.health().outages();
        if std::mem::replace(&mut self.outages, outages) != outages {
            self.resends = !self.recent.is_empty();
        }
        let (mut written, mut rows) = (0, 0);
        let fault = match self.may_attempt() {
            true => match self.write_all(&all, &mut written) {
                Ok(added) => {
                    rows = added;
                    None
                }
                Err(error) => {
                    // What was sent last may be lost with the server that had it.
                    self.resends = !self.recent.is_empty();
                    Some(error)
                }
            },
            false => None,
        };
        self.remember(all[..written].iter().copied());
        let (left, mut dropped) = (&all[written..], 0);
        if !left.is_empty() {
            let instance = self.access.instance().clone();
            dropped = self.spool.append(&instance, left.iter().copied())?;
            self.note_spooled();
        }
        if fault.is_none() && self.spool.is_empty() {
            return Ok(Written { rows, spooled: None, dropped });
        }
        Ok(Written { rows, spooled: self.reason(fault.as_ref()), dropped })
    }

    fn has_backlog(&self) -> bool {
        !self.spool.is_empty()
    }

    fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        match self.access.is_usable() {
            true => self.writer.prune(keep, now),
            false => Ok(true),
        }
    }

    fn has_recomputation(&self) -> bool {
        self.access.is_usable() && self.writer.has_recomputation()
    }

    fn recompute(&mut self, stop: &StopToken) {
        let is_stopping = || matches!(stop.try_recv(), Err(TryRecvError::Disconnected));
        // It is logged, and tried again.
        let _ = self.writer.recompute(&is_stopping);
    }

    fn is_readable(&self) -> bool {
        self.access.is_usable()
    }

    fn tick(&mut self) -> Option<SharedEvents> {
        let is_due = self.events_at.is_none_or(|at| at.elapsed() >= EVENTS_INTERVAL);
        if !is_due || !self.access.is_usable() {
            return None;
        }
        self.events_at = Some(Instant::now());
        let events = self.writer.latest_events().ok()?;
        Some(SharedEvents { events, saved: self.saved_event })
    }
}
