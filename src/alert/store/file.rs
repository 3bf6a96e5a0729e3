//! The connection that writes. All changes that wait are one transaction.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::changes::Loaded;
use super::pending::Pending;
use super::{load, prune, saved, schema};
use crate::alert::NoticeKey;
use crate::history::{self, StoreError};

/// The open file.
pub(super) struct AlertFile {
    connection: Connection,
    path: PathBuf,
    /// Device and inode; `None` if they cannot be read.
    identity: Option<(u64, u64)>,
    /// Alerts whose incidents may be too many.
    to_prune: BTreeSet<Arc<str>>,
    /// True if all incidents may be too many.
    is_total_due: bool,
}

impl AlertFile {
    /// Opens the file, or creates it, and checks it for damage.
    pub(super) fn open(path: &Path) -> Result<AlertFile, StoreError> {
        let connection = schema::open_to_write(path)?;
        history::verify(&connection)?;
        let to_prune = prune::alerts(&connection)?;
        let (path, identity) = (path.to_owned(), identity(path));
        Ok(AlertFile { connection, path, identity, to_prune, is_total_due: true })
    }

    /// Returns the content.
    pub(super) fn load(&self) -> Result<Loaded, StoreError> {
        load::load(&self.connection)
    }

    /// Checks the whole file for damage.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        history::verify(&self.connection)
    }

    /// Returns true if the file was removed, or another one is at its path.
    pub(super) fn is_replaced(&self) -> bool {
        self.identity != identity(&self.path)
    }

    /// Writes changes in one transaction, synced.
    pub(super) fn write(&mut self, pending: &Pending) -> Result<(), StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        write(&transaction, pending)?;
        transaction.commit()?;
        let ended = pending.incidents.values().filter(|incident| incident.ended.is_some());
        for incident in ended {
            self.to_prune.insert(Arc::clone(&incident.subject.alert));
            self.is_total_due = true;
        }
        Ok(())
    }

    /// Returns true if incidents are left to prune.
    pub(super) fn is_prune_due(&self) -> bool {
        self.is_total_due || !self.to_prune.is_empty()
    }

    /// Deletes some of the oldest incidents that exceed their maximum.
    pub(super) fn prune_some(&mut self) -> Result<(), StoreError> {
        if let Some(alert) = self.to_prune.first() {
            if !prune::of_alert(&self.connection, alert)? {
                self.to_prune.pop_first();
            }
        } else {
            self.is_total_due = prune::of_all(&self.connection)?;
        }
        Ok(())
    }

    /// Gives up pruning until the next incident ends.
    pub(super) fn skip_prune(&mut self) {
        self.to_prune.clear();
        self.is_total_due = false;
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn write(transaction: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    for (subject, state) in &pending.states {
        let source = subject.source.as_deref().unwrap_or_default();
        match state {
            Some(state) => transaction
                .prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)")?
                .execute(params![
                    subject.alert,
                    source,
                    state.fingerprint.cast_signed(),
                    state.state
                ])?,
            None => transaction
                .prepare_cached("DELETE FROM state WHERE alert = ? AND source = ?")?
                .execute(params![subject.alert, source])?,
        };
    }
    for incident in pending.incidents.values() {
        let ended_at = incident.ended.map(|ended| ended.at.as_millisecond());
        let content = saved::encode_incident(incident);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?, ?)")?
            .execute(params![
                incident.id.0.cast_signed(),
                incident.subject.alert,
                incident.fired_at.as_millisecond(),
                ended_at,
                content
            ])?;
    }
    for (alert, until) in &pending.silences {
        match until {
            Some(until) => transaction
                .prepare_cached("INSERT OR REPLACE INTO silence VALUES (?, ?)")?
                .execute(params![alert, until.to_string()])?,
            None => transaction
                .prepare_cached("DELETE FROM silence WHERE alert = ?")?
                .execute([alert])?,
        };
    }
    for (key, notice) in &pending.notices {
        let NoticeKey { channel, incident, kind, number } = key;
        let (incident, kind) = (incident.0.cast_signed(), kind.as_str());
        match notice {
            Some(notice) => transaction
                .prepare_cached("INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?)")?
                .execute(params![channel, incident, kind, number, saved::encode_notice(notice)])?,
            None => transaction
                .prepare_cached(
                    "DELETE FROM notice WHERE channel = ? AND incident = ? AND kind = ? AND number = ?",
                )?
                .execute(params![channel, incident, kind, number])?,
        };
    }
    Ok(())
}
