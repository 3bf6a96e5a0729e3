//! Events of a copy.
//!
//! A file numbers its events itself, so a copy to a file keeps the numbers. A database has given numbers to the events of
//! its replicas, and the copied ones get numbers below these: all are moved by the same distance, so that they stay in
//! their order. A gap is left for those that the source records until the copy is repeated.
//!
//! A copied event is known again by its old number and a digest of its content, which are `number` and `instance` of
//! its row; and one that comes from the database itself, by its number and content.

use aws_lc_rs::digest::{SHA256, digest};

use super::place::Target;
use super::{Copied, CopyError};
use crate::history::error::StoreError;
use crate::history::executor::{self, Executor, Queries, params};

/// Events of a page.
const PAGE_ROWS: i64 = 500;

/// First number that a database gives: see `store::schema`.
const FIRST_GIVEN: i64 = 1_000_001;

/// Numbers that are left free below those that the database has given.
const GAP: i64 = 1_000;

/// A row of the source. Its kind may be one that only a later version knows.
struct EventRow {
    id: i64,
    at: i64,
    kind: String,
    source: Option<String>,
    detail: String,
}

impl EventRow {
    /// Returns the name by which the copied event is known.
    fn instance(&self) -> String {
        let EventRow { at, kind, source, detail, .. } = self;
        let content = format!("{at}\n{kind}\n{source:?}\n{detail}");
        let digest = digest(&SHA256, content.as_bytes());
        let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
        format!("copied-{:016x}", u64::from_be_bytes(bytes))
    }
}

/// Copies all events.
pub(super) fn copy(
    source: &dyn Queries,
    target: &mut Target,
    copied: &mut Copied,
) -> Result<(), CopyError> {
    let distance = match target.gives_numbers() {
        true => Some(distance(source, target)?),
        false => None,
    };
    let mut after = i64::MIN;
    loop {
        let page = page(source, after).map_err(CopyError::Read)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        let new = target.transaction(None, &mut [].into_iter(), &mut |db| {
            page.iter().try_fold(0, |new, event| {
                let is_new = match distance {
                    Some(distance) => insert_moved(db, event, distance)?,
                    None => insert(db, event)?,
                };
                Ok(new + u64::from(is_new))
            })
        });
        copied.read += page.len() as u64;
        copied.new += new.map_err(CopyError::Write)?;
    }
}

fn page(source: &dyn Queries, after: i64) -> Result<Vec<EventRow>, StoreError> {
    let sql = "SELECT id, at, kind, source, detail FROM event WHERE id > ?1 ORDER BY id LIMIT ?2";
    executor::all(source, sql, params![after, PAGE_ROWS], |row| {
        Ok(EventRow {
            id: row.i64(0)?,
            at: row.i64(1)?,
            kind: row.string(2)?,
            source: row.text(3)?,
            detail: row.string(4)?,
        })
    })
}

/// Returns what is added to the numbers of the source: as in the copy before, or else so that all are below those of the
/// target.
fn distance(source: &dyn Queries, target: &mut Target) -> Result<i64, CopyError> {
    let latest = "SELECT max(id) FROM event";
    let latest = executor::integer(source, latest, &[]).map_err(CopyError::Read)?.unwrap_or(0);
    let mut least = FIRST_GIVEN;
    let read = target.transaction(None, &mut [].into_iter(), &mut |db| {
        let found = executor::integer(db, "SELECT min(id) FROM event", &[])?;
        least = found.map_or(FIRST_GIVEN, |found| found.min(FIRST_GIVEN));
        Ok(0)
    });
    read.map_err(CopyError::Write)?;
    let mut found = None;
    let mut after = i64::MIN;
    while found.is_none() && least < FIRST_GIVEN {
        let page = page(source, after).map_err(CopyError::Read)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let read = target.transaction(None, &mut [].into_iter(), &mut |db| {
            for event in &page {
                let sql = "SELECT id - number FROM event WHERE instance = ?1 AND number = ?2 \
                           AND id < ?3";
                let instance = event.instance();
                let key = params![&*instance, event.id, FIRST_GIVEN];
                found = executor::integer(db, sql, key)?;
                if found.is_some() {
                    break;
                }
            }
            Ok(0)
        });
        read.map_err(CopyError::Write)?;
    }
    Ok(found.unwrap_or(least - 1 - GAP - latest))
}

/// Inserts an event of a file into a database. Returns false if it is there already.
fn insert_moved(db: &dyn Executor, event: &EventRow, distance: i64) -> Result<bool, StoreError> {
    let EventRow { id, at, kind, source, detail } = event;
    let instance = event.instance();
    let sql = "SELECT count(*) FROM event WHERE instance = ?1 AND number = ?2 OR id = ?2 AND at = ?3 \
               AND kind = ?4 AND coalesce(source, '') = ?5 AND detail = ?6";
    let source_or_empty = source.as_deref().unwrap_or_default();
    let known = params![&*instance, *id, *at, &**kind, source_or_empty, &**detail];
    if executor::integer(db, sql, known)?.unwrap_or(0) > 0 {
        return Ok(false);
    }
    let row = params![*at, &**kind, source.as_deref(), &**detail, &*instance, *id, *id + distance];
    let (moved, rest) = (row, &row[..row.len() - 1]);
    let sql = "INSERT INTO event (at, kind, source, detail, instance, number, id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    if *id + distance < FIRST_GIVEN && db.execute(sql, moved)? > 0 {
        return Ok(true);
    }
    // The number is taken, as by the copy of another file.
    let sql = "INSERT INTO event (at, kind, source, detail, instance, number) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    Ok(db.execute(sql, rest)? > 0)
}

/// Inserts an event into a file. Returns false if there is one of its number.
fn insert(db: &dyn Executor, event: &EventRow) -> Result<bool, StoreError> {
    let EventRow { id, at, kind, source, detail } = event;
    let sql = "INSERT INTO event (id, at, kind, source, detail) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (id) DO NOTHING";
    let row = params![*id, *at, &**kind, source.as_deref(), &**detail];
    Ok(db.execute(sql, row)? > 0)
}
