//! The database as the recorder's destination, with a spool for the time while it is away.
//!
//! While the database answers, entries are written to it directly. If it does not, or if the program ends, they are
//! appended to the spool before the attempt, which may take its time. A spool that cannot be used, as on a full disk, holds
//! up nothing while the database answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam_channel::TryRecvError;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::backlog::Backlog;
use super::recent::Recent;
use super::seen::Seen;
use super::writer::{Record, ServerWriter};
use crate::history::destination::{Destination, SharedEvents, SpoolFault, SpoolState, Written};
use crate::history::entry::Entry;
use crate::history::error::StoreError;
use crate::history::fault::FaultKind;
use crate::history::meta;
use crate::history::settings::{Retention, ServerPlace};
use crate::kernel::clock::Clock;
use crate::outbound::Cutoff;
use crate::store::Access;
use crate::threads::StopToken;

/// Time between two attempts while the database is known to be away.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Entries that are written in one step, of the spool or once more: a transaction has as many samples of sources with four
/// values.
const WRITTEN_AT_ONCE: usize = 500;

/// Most time of the steps of one call, so that the recorder's queue is emptied meanwhile.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Time between two reads of the latest events.
const EVENTS_INTERVAL: Duration = Duration::from_secs(2);

/// Most time of an attempt once the program ends. What it does not write is in the spool.
const LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// Interval at which the time of the latest record is stored while nothing is appended to the spool.
const LATEST_INTERVAL: u64 = 10 * 60;

/// The database as the recorder's destination.
pub(in crate::history) struct Spooling {
    access: Access,
    writer: ServerWriter,
    backlog: Backlog,
    recent: Recent,
    seen: Seen,
    /// Outages of the database that were noticed, here or by other threads.
    outages: u64,
    /// Number of the latest event of this process that the database has.
    saved_event: i64,
    attempted_at: Option<Instant>,
    events_at: Option<Instant>,
    /// Time of the latest record, to be stored in the spool, and the one that is.
    latest: Option<i64>,
    stored_latest: Option<i64>,
    clock: Clock,
    /// Set once the program ends.
    cutoff: Cutoff,
}

impl Spooling {
    /// Opens the spool if that is possible. The database is connected to by the first write.
    pub(in crate::history) fn open(
        place: &ServerPlace,
        zone: &TimeZone,
        clock: Clock,
        (cutoff, spooled): (Cutoff, Arc<AtomicU64>),
    ) -> Spooling {
        let access = place.access.clone();
        let mut writer = ServerWriter::new(access.clone(), zone);
        writer.end_at(cutoff.clone());
        let backlog = Backlog::open(place.spool.clone(), place.spool_max, spooled);
        Spooling {
            access,
            writer,
            recent: Recent::default(),
            seen: Seen::default(),
            outages: 0,
            saved_event: 0,
            attempted_at: None,
            events_at: None,
            latest: None,
            stored_latest: backlog.number(meta::LATEST),
            backlog,
            clock,
            cutoff,
        }
    }

    /// Returns the time of the latest record, and how long it has held readings, as of the latest times these were
    /// stored in the spool.
    pub(in crate::history) fn stored(&self) -> (Option<i64>, Duration) {
        let held = self.backlog.number(meta::HELD).and_then(|held| u64::try_from(held).ok());
        (self.stored_latest, Duration::from_secs(held.unwrap_or(0)))
    }

    /// Returns true if the database is worth an attempt now: it answered last, or the latest attempt is some time ago and
    /// the program does not end.
    fn may_attempt(&self) -> bool {
        self.access.is_usable()
            || self.cutoff.get().is_none()
                && self.access.is_ready()
                && self.attempted_at.is_none_or(|at| at.elapsed() >= RETRY_INTERVAL)
    }

    /// Lets everything be written again that the database may have lost in an outage.
    fn note_outages(&mut self) {
        let outages = self.access.health().outages();
        if std::mem::replace(&mut self.outages, outages) != outages {
            self.recent.write_again();
            self.backlog.write_again();
        }
    }

    /// Writes what may have been lost, then the spool, then `entries`. Returns the number of rows, and the number of
    /// entries that are in the database.
    fn write_all(&mut self, entries: &[&Entry], written: &mut usize) -> Result<u64, StoreError> {
        self.attempted_at = Some(Instant::now());
        self.writer.look()?;
        let (mut rows, begun) = (0, Instant::now());
        while self.recent.is_resending() || self.backlog.waiting() > 0 {
            if begun.elapsed() > DRAIN_TIME {
                return Ok(rows);
            }
            let step = match self.recent.is_resending() {
                true => Some(self.resend()?),
                false => self.drain()?,
            };
            match step {
                Some(step) => rows += step,
                None => break,
            }
        }
        let instance = self.access.instance().clone();
        let records: Vec<Record<'_>> =
            entries.iter().map(|entry| Record { instance: &instance, entry }).collect();
        rows += self.writer.write(&records, written)?;
        Ok(rows)
    }

    /// Writes some of the recent entries again.
    fn resend(&mut self) -> Result<u64, StoreError> {
        let instance = self.access.instance().clone();
        let records = self.recent.first(WRITTEN_AT_ONCE);
        let records: Vec<Record<'_>> =
            records.map(|entry| Record { instance: &instance, entry }).collect();
        let mut written = 0;
        let result = self.writer.write(&records, &mut written);
        self.recent.note_resent(self.clock.now().boot, written);
        result
    }

    /// Writes first records of the spool, in one transaction. Returns `None` if it cannot be read.
    fn drain(&mut self) -> Result<Option<u64>, StoreError> {
        let Some(read) = self.backlog.with(|spool| spool.first(WRITTEN_AT_ONCE)) else {
            return Ok(None);
        };
        let records: Vec<Record<'_>> = read
            .iter()
            .filter_map(|record| {
                let entry = record.entry.as_ref()?;
                Some(Record { instance: &record.instance, entry })
            })
            .collect();
        let mut written = 0;
        let result = self.writer.write_some(&records, &mut written);
        // Those that this version cannot read count with the ones before them.
        let mut left = written;
        let done = read.iter().take_while(|record| {
            let is_done = left > 0 || record.entry.is_none() || written == records.len();
            left = left.saturating_sub(usize::from(record.entry.is_some()));
            is_done
        });
        let done: Vec<_> = done.collect();
        for record in &done {
            if let (Some(Entry::Event(event)), true) =
                (&record.entry, *record.instance == **self.access.instance())
            {
                self.saved_event = self.saved_event.max(event.id);
            }
        }
        if let Some(last) = done.last() {
            self.backlog.note_written(last.id, done.len() as u64, self.clock.now().boot);
        }
        result.map(Some)
    }

    /// Appends the entries to the spool that are not stored yet.
    fn spool_rest(&mut self, later: &[Entry], written: &mut Written) {
        let (left, latest) = (&later[written.stored..], self.latest);
        if left.is_empty() {
            return;
        }
        if let Some(dropped) = self.backlog.append(self.access.instance(), left, latest) {
            self.stored_latest = latest.or(self.stored_latest);
            written.dropped += dropped;
            written.stored = later.len();
        }
    }

    /// Does what is due once the database has answered.
    fn answered(&mut self) {
        let now = self.clock.now().boot;
        self.recent.trim(now);
        self.backlog.with(|spool| spool.remove_expired(now));
        if let Some(latest) = self.latest
            && self.stored_latest.is_none_or(|stored| latest.abs_diff(stored) >= LATEST_INTERVAL)
            && self.backlog.with(|spool| spool.set_number(meta::LATEST, latest)).is_some()
        {
            self.stored_latest = Some(latest);
        }
    }

    /// Returns why entries are not in the database, or would not be in the spool; `None` if the database takes them, one
    /// part after the other.
    fn fault(&self, error: Option<&StoreError>) -> Option<SpoolFault> {
        let away = match (error, self.access.health().fault()) {
            (Some(error), _) => Some((FaultKind::from(error), error.to_string())),
            (None, _) if self.access.is_usable() => None,
            (None, Some(fault)) => {
                Some((FaultKind::Store, format!("the database: {}", fault.message)))
            }
            (None, None) => {
                Some((FaultKind::Store, "the database has not answered yet".to_owned()))
            }
        };
        let spool = self.backlog.fault();
        let has_failed = error.is_some() || spool.is_some();
        let (kind, message, state) = match (away, spool) {
            (None, None) => return None,
            (Some((kind, reason)), None) if self.backlog.lost() == 0 => {
                (kind, format!("observations wait in the spool: {reason}"), SpoolState::Waits)
            }
            (Some((kind, reason)), None) => {
                let lost = self.backlog.lost();
                let message = format!(
                    "the spool is full, and has lost the {lost} oldest observations and events: raise \
                     \"spool_max\" in [store]: {reason}"
                );
                (kind, message, SpoolState::Full)
            }
            (None, Some((kind, reason))) => {
                let message = format!("{reason}; while the database is away, nothing is kept");
                (kind, message, SpoolState::Unusable)
            }
            (Some((_, away)), Some((kind, reason))) => {
                let message = format!("observations are kept in memory only: {away}; {reason}");
                (kind, message, SpoolState::Unusable)
            }
        };
        Some(SpoolFault { kind, message, state, has_failed })
    }
}

impl Destination for Spooling {
    fn write(&mut self, entries: &VecDeque<Entry>) -> Result<Written, StoreError> {
        self.backlog.begin();
        self.note_outages();
        let is_ending = self.cutoff.get().is_some();
        if is_ending {
            self.cutoff.set(Instant::now() + LAST_ATTEMPT);
        }
        let later = self.seen.replayed(entries.iter());
        let mut written = Written::default();
        let mut is_tried = false;
        if is_ending || !self.access.is_usable() {
            is_tried = true;
            self.spool_rest(&later, &mut written);
        }
        let mut error = None;
        if self.may_attempt() {
            let left: Vec<&Entry> = entries.iter().skip(written.stored).collect();
            let mut count = 0;
            match self.write_all(&left, &mut count) {
                Ok(rows) => {
                    written.rows = rows;
                    self.answered();
                }
                Err(failure) => error = Some(failure),
            }
            let now = self.clock.now().boot;
            for entry in &later[written.stored..][..count] {
                if let Entry::Event(event) = entry {
                    self.saved_event = self.saved_event.max(event.id);
                }
                self.recent.push(now, entry.clone());
            }
            written.stored += count;
        }
        if !is_tried {
            self.spool_rest(&later, &mut written);
        }
        self.seen.note(entries.iter().take(written.stored));
        written.fault = self.fault(error.as_ref());
        Ok(written)
    }

    fn has_backlog(&self) -> bool {
        self.recent.is_resending()
            || self.outages != self.access.health().outages()
            || self.backlog.has_work(self.clock.now().boot)
    }

    fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        match self.access.is_usable() && self.cutoff.get().is_none() {
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

    fn set_latest(&mut self, latest: Option<i64>) {
        self.latest = latest;
    }

    fn store_held(&mut self, held: Duration) -> Result<(), StoreError> {
        let seconds = i64::try_from(held.as_secs()).unwrap_or(i64::MAX);
        self.backlog.with(|spool| spool.set_number(meta::HELD, seconds));
        Ok(())
    }

    fn tick(&mut self) -> Option<SharedEvents> {
        let is_due = self.events_at.is_none_or(|at| at.elapsed() >= EVENTS_INTERVAL);
        if !is_due || !self.access.is_usable() || self.cutoff.get().is_some() {
            return None;
        }
        self.events_at = Some(Instant::now());
        self.writer.look().ok()?;
        let events = self.writer.latest_events().ok()?;
        Some(SharedEvents { events, saved: self.saved_event })
    }
}
