//! Opens the file, and replaces a damaged one, as long as this process has its lock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::RecorderThread;
use crate::board::{Change, Event, EventKind};
use crate::data_lock::{Claim, write_fault};
use crate::history::database;
use crate::history::error::StoreError;
use crate::history::fault::FaultKind;
use crate::history::pool::{Origin, ReaderPool};
use crate::history::postgres::{READ_TIMEOUT, Spooling};
use crate::history::settings::{Place, ServerPlace};
use crate::history::shared::Shared;
use crate::history::writer::Writer;
use crate::wall_clock;

/// Interval between two attempts to open a file that could not be opened.
const REOPEN_INTERVAL: Duration = Duration::from_secs(60);

/// Interval between two attempts to get the lock from another process, for [`HANDOVER`].
const CLAIM_INTERVAL: Duration = Duration::from_millis(250);

/// Time in which a former process ends, usually: it finishes its requests (`drain_timeout`).
const HANDOVER: Duration = Duration::from_secs(30);

impl RecorderThread {
    /// Returns the time until the next attempt to open the file, or until the lock is checked.
    pub(super) fn open_interval(&self) -> Duration {
        match self.held_since {
            Some(since) if since.elapsed() < HANDOVER => CLAIM_INTERVAL,
            _ => REOPEN_INTERVAL,
        }
    }

    /// Takes the lock, or checks that this process still has it. Returns false if another one has it.
    fn claim(&mut self) -> bool {
        let claim = self.lock.claim();
        self.shared.has_lock.store(claim == Claim::Ours, Ordering::Relaxed);
        match claim {
            claim @ (Claim::Ours | Claim::Unlocked(_)) => {
                self.held_since = None;
                self.shared.unheld();
                let reason = match claim {
                    Claim::Unlocked(reason) => Some(Arc::new(reason)),
                    _ => None,
                };
                self.shared.unlocked.store(reason);
                true
            }
            // The observations go to the database, and the spool reports its fault.
            Claim::NoPlace(_) if matches!(self.settings.place, Some(Place::Server(_))) => {
                self.held_since = None;
                self.shared.unheld();
                self.shared.unlocked.store(None);
                true
            }
            Claim::NoPlace(fault) => {
                self.held_since = None;
                self.shared.holder.store(None);
                self.shared.unlocked.store(None);
                let message = format!("nothing is stored: \"path\" in [history]: {fault}");
                self.shared.write_failed(FaultKind::NoPlace, &message);
                false
            }
            Claim::Held(holder) => {
                self.held_since.get_or_insert_with(Instant::now);
                self.shared.unlocked.store(None);
                self.shared.held_by(holder);
                false
            }
        }
    }

    /// Closes the file if another process has got the lock, as the lock's file was removed.
    pub(super) fn check_lock(&mut self) {
        if !self.claim() {
            if let Some(Place::File(_)) = self.settings.place {
                self.shared.closed();
            }
            self.writer = None;
        }
    }

    /// Opens the file for writing and publishes its readers, unless another process records it. Readers of the database
    /// need no file.
    pub(super) fn open(&mut self) {
        let Some(place) = self.settings.place.clone() else { return };
        if let (Place::Server(ServerPlace { access, .. }), None) =
            (&place, &*self.shared.readers.load())
        {
            let origin = Origin::Server(access.clone(), READ_TIMEOUT);
            self.shared.opened(Arc::new(ReaderPool::new(origin, self.settings.readers)));
        }
        if !self.claim() {
            return;
        }
        let opened = match &place {
            Place::File(path) => self.open_file(path),
            Place::Server(place) => {
                self.open_server(place);
                Ok(())
            }
        };
        match opened {
            Ok(()) => {}
            Err(error) => {
                let path = place.path();
                let (kind, reason) = match write_fault(path) {
                    Some(fault) => (FaultKind::from(&fault), fault.to_string()),
                    None => (FaultKind::from(&error), error.to_string()),
                };
                let message = format!("cannot open the history {}: {reason}", path.display());
                self.shared.write_failed(kind, &message);
            }
        }
    }

    fn open_file(&mut self, path: &Path) -> Result<(), StoreError> {
        let writer = self.open_writer(path)?;
        let origin = Origin::File(path.to_owned());
        let readers = Arc::new(ReaderPool::new(origin, self.settings.readers));
        self.read_recent_events(&readers);
        self.shared.opened(readers);
        self.writer = Some(Box::new(writer));
        Ok(())
    }

    /// Opens the spool of the database, which is connected to by the first write.
    fn open_server(&mut self, place: &ServerPlace) {
        let of_recorder = (self.cutoff.clone(), self.shared.spooled.clone());
        let writer = Spooling::open(place, &self.settings.zone, self.clock.clone(), of_recorder);
        let (latest, held) = writer.stored();
        self.stored_held = held;
        self.guard.note_stored(latest, held);
        self.writer = Some(Box::new(writer));
    }

    /// Opens and checks the file. Replaces a damaged one.
    fn open_writer(&mut self, path: &Path) -> Result<Writer, StoreError> {
        self.moved = self.shared.sources.load_full();
        let (zone, sources) = (self.settings.zone.clone(), self.moved.clone());
        let shared = self.shared.clone();
        let open = || Writer::open(path, &zone, &sources, heartbeat_of(&shared));
        let checked = open().and_then(|mut writer| {
            writer.verify()?;
            writer.mend_days()?;
            Ok(writer)
        });
        let writer = match checked {
            Err(error) if StoreError::is_damage(&error) => {
                self.set_aside(path, &error)?;
                open()?
            }
            other => other?,
        };
        self.batch.renumber_after(writer.latest_event()?);
        self.stored_held = writer.held()?;
        self.guard.note_stored(writer.latest()?, self.stored_held);
        Ok(writer)
    }

    /// Adds events from before the start to the recent ones.
    fn read_recent_events(&mut self, readers: &ReaderPool) {
        let (before, missing) = self.batch.missing_recent();
        let earlier = readers.borrow().and_then(|reader| Ok(reader.events(before, missing)?));
        match earlier {
            Ok(earlier) => self.batch.extend_recent(earlier.events),
            Err(error) => log::warn!(
                "cannot read earlier events from the history: {error}; the page shows new events only"
            ),
        }
    }

    /// Renames a damaged file, and records that as an event.
    fn set_aside(&mut self, path: &Path, cause: &StoreError) -> Result<(), StoreError> {
        self.shared.closed();
        let now = wall_clock::now();
        let aside = database::set_aside(path, now)
            .map_err(|error| StoreError::File(path.to_owned(), error))?;
        log::error!(
            "the history {} is damaged ({cause}); it was set aside as {}, and a new one is created",
            path.display(),
            aside.display()
        );
        let kind = EventKind::HistorySetAside;
        let event = Event { at: now, kind, source: None, detail: "a new file was created".into() };
        self.batch.add(Change::Happened(event));
        Ok(())
    }

    /// Closes a damaged file, renames it and creates a new one.
    pub(super) fn replace_file(&mut self, cause: &StoreError) {
        let Some(Place::File(path)) = self.settings.place.clone() else { return };
        self.writer = None;
        match self.set_aside(&path, cause) {
            Ok(()) => self.open(),
            Err(error) => self.shared.write_failed((&error).into(), &error.to_string()),
        }
    }
}

/// Returns a function that sends the recorder's heartbeat, for work that takes longer than a loop iteration.
fn heartbeat_of(shared: &Arc<Shared>) -> impl Fn() + Send + 'static {
    let shared = shared.clone();
    move || shared.heartbeat.beat()
}
