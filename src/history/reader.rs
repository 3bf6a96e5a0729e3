//! Connections that read, a few and no more: a disk that hangs holds as many workers as there
//! are readers, and the others go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use strum::{IntoStaticStr, VariantArray};

use super::backup;
use super::bucket::{Bucket, DAY};
use super::error::StoreError;
use super::handle::StoredEvent;
use super::schema;
use crate::board::{Event, EventKind};
use crate::text::clean_shared;
use crate::units::Unit;

/// Longest wait for a reader while all of them are in use.
const PATIENCE: Duration = Duration::from_millis(250);

/// The readers of a file.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    /// Places that are free, with the connection that was last used there.
    free: Receiver<Option<Connection>>,
    back: Sender<Option<Connection>>,
}

/// Why there is no reader to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// All of them are in use, and stay so.
    #[error("the history is busy")]
    Busy,
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A connection on loan.
#[derive(Debug)]
pub(super) struct Reader<'readers> {
    readers: &'readers Readers,
    connection: Option<Connection>,
}

/// A field of a source in one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) id: i64,
    pub(super) unit: Option<Unit>,
}

/// How finely a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Tier {
    /// Single observations.
    #[strum(serialize = "raw")]
    Raw,
    /// Quarters of an hour.
    #[strum(serialize = "15m")]
    Quarter,
    /// Days.
    #[strum(serialize = "1d")]
    Day,
}

impl Tier {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Rows after a moment, up to and without another.
    const fn sql(self) -> &'static str {
        match self {
            Tier::Raw => {
                "SELECT at, value, value, value, value, 1 FROM raw \
                 WHERE series = ? AND at > ? AND at < ? ORDER BY at LIMIT ?"
            }
            Tier::Quarter => {
                "SELECT at, min, max, sum, last, count FROM quarter \
                 WHERE series = ? AND at > ? AND at < ? ORDER BY at LIMIT ?"
            }
            Tier::Day => {
                "SELECT at, min, max, sum, last, count FROM day \
                 WHERE series = ? AND at > ? AND at < ? ORDER BY at LIMIT ?"
            }
        }
    }
}

impl Readers {
    /// That many readers of a file, at least one; each is opened when it is first needed.
    pub fn new(path: &Path, number: usize) -> Readers {
        let number = number.max(1);
        let (back, free) = bounded(number);
        for _ in 0..number {
            // The channel has room for all.
            let _ = back.send(None);
        }
        Readers { path: path.to_owned(), free, back }
    }

    /// Blocks until a reader is free. For commands and for threads that serve no client.
    pub(super) fn borrow(&self) -> Result<Reader<'_>, ReadError> {
        self.lend(self.free.recv_timeout(PATIENCE).map_err(|_| ReadError::Busy)?)
    }

    fn lend(&self, connection: Option<Connection>) -> Result<Reader<'_>, ReadError> {
        // From here on the place is given back whatever happens.
        let mut reader = Reader { readers: self, connection };
        if reader.connection.is_none() {
            reader.connection = Some(schema::open_to_read(&self.path)?);
        }
        Ok(reader)
    }
}

/// Wait of a worker for a reader. It blocks nothing: the worker tries again in a later turn, until
/// `PATIENCE` has passed.
#[derive(Debug, Default)]
pub struct ReaderWait {
    since: Option<Instant>,
}

impl ReaderWait {
    /// Borrows a reader; `None` while all are in use.
    pub(super) fn try_borrow<'r>(
        &mut self,
        readers: &'r Readers,
    ) -> Result<Option<Reader<'r>>, ReadError> {
        match readers.free.try_recv() {
            Ok(connection) => {
                self.since = None;
                readers.lend(connection).map(Some)
            }
            Err(TryRecvError::Empty)
                if self.since.get_or_insert_with(Instant::now).elapsed() < PATIENCE =>
            {
                Ok(None)
            }
            Err(_) => Err(ReadError::Busy),
        }
    }
}

/// Rows that one piece of work may still read or join, so that it takes a few milliseconds however
/// many rows the whole takes.
#[derive(Debug)]
pub struct RowBudget {
    left: usize,
}

impl RowBudget {
    /// Budget of one piece of work: `ROWS_PER_PIECE` rows.
    pub const fn of_a_piece() -> RowBudget {
        RowBudget { left: ROWS_PER_PIECE }
    }

    /// Budget of a command: unlimited, as no client waits behind it.
    pub const fn unbounded() -> RowBudget {
        RowBudget { left: usize::MAX }
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.left == 0
    }

    pub(super) fn spend(&mut self, rows: usize) {
        self.left = self.left.saturating_sub(rows);
    }
}

/// Rows that one piece of work reads and joins, each counted once for either: about two
/// milliseconds' worth.
pub const ROWS_PER_PIECE: usize = 2_000;

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let _ = self.readers.back.send(self.connection.take());
    }
}

impl Reader<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a reader on loan has been opened")
    }

    /// The series of a field, one for each unit that it was ever told in; that which was
    /// observed last comes first.
    pub(super) fn series(&self, source: &str, field: &str) -> Result<Vec<Series>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT id, unit FROM series WHERE source = ? AND field = ? ORDER BY \
             (SELECT last_at FROM day WHERE series = id ORDER BY at DESC LIMIT 1) DESC, id DESC",
        )?;
        let series = select.query_map([source, field], |row| {
            Ok(Series { id: row.get(0)?, unit: row.get::<_, String>(1)?.parse().ok() })
        })?;
        Ok(series.collect::<Result<_, _>>()?)
    }

    /// All fields that there are series of, as `source` and `field`.
    pub(super) fn fields(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut select = self
            .connection()
            .prepare_cached("SELECT DISTINCT source, field FROM series ORDER BY source, field")?;
        let fields = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(fields.collect::<Result<_, _>>()?)
    }

    /// When the earliest and the latest row begin.
    pub(super) fn extent(&self, series: i64, tier: Tier) -> Result<Option<(i64, i64)>, StoreError> {
        // Each of the two is one step in the index; in one `SELECT` they would be a scan.
        let mut select = self.connection().prepare_cached(match tier {
            Tier::Raw => {
                "SELECT (SELECT min(at) FROM raw WHERE series = ?1), \
                 (SELECT max(at) FROM raw WHERE series = ?1)"
            }
            Tier::Quarter => {
                "SELECT (SELECT min(at) FROM quarter WHERE series = ?1), \
                 (SELECT max(at) FROM quarter WHERE series = ?1)"
            }
            Tier::Day => {
                "SELECT (SELECT min(at) FROM day WHERE series = ?1), \
                 (SELECT max(at) FROM day WHERE series = ?1)"
            }
        })?;
        let row: (Option<i64>, Option<i64>) =
            select.query_row([series], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(row.0.zip(row.1))
    }

    /// The first rows after a moment, up to and without another.
    pub(super) fn page(
        &self,
        series: i64,
        tier: Tier,
        after: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Bucket>, StoreError> {
        let mut select = self.connection().prepare_cached(tier.sql())?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select.query_map(params![series, after, to, limit], bucket)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Rows of single observations in a window, counted up to a limit.
    pub(super) fn count_raw(
        &self,
        series: i64,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM raw WHERE series = ? AND at >= ? AND at < ? \
             LIMIT ?)",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let count: i64 = select.query_row(params![series, from, to, limit], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Events with numbers below that one, of all sources, the latest first.
    pub(super) fn events(&self, before: i64, limit: usize) -> Result<EventPage, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT id, at, kind, source, detail FROM event \
             WHERE id < ? ORDER BY id DESC LIMIT ?",
        )?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut page = EventPage::default();
        let mut rows = 0;
        for row in select.query_map(params![before, most], event)? {
            let (number, event) = row?;
            rows += 1;
            page.next = Some(number);
            // A later version's kinds are passed over.
            page.events.extend(event.map(|event| StoredEvent { id: number, event }));
        }
        page.next = page.next.filter(|_| rows == limit);
        Ok(page)
    }

    /// Single observations of the days that a window touches, by their rollups.
    pub(super) fn observations(&self, series: i64, from: i64, to: i64) -> Result<i64, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT coalesce(sum(count), 0) FROM day WHERE series = ? AND at > ? AND at < ?",
        )?;
        Ok(select.query_row(params![series, from.saturating_sub(DAY), to], |row| row.get(0))?)
    }

    /// Copies the whole file, while others write to it, into a new one.
    pub(super) fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::copy(self.connection(), to)
    }

    /// Looks through the whole file for damage.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        schema::verify(self.connection())
    }

    /// How many rows each table has, by name.
    pub(super) fn sizes(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let tables = ["series", "raw", "quarter", "day", "event"].into_iter();
        let sized = tables.map(|table| {
            let sql = format!("SELECT count(*) FROM {table}");
            Ok((table, self.connection().query_row(&sql, [], |row| row.get(0))?))
        });
        sized.collect()
    }
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket {
        at: row.get(0)?,
        min: row.get(1)?,
        max: row.get(2)?,
        sum: row.get(3)?,
        last: row.get(4)?,
        count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(1).max(1),
    })
}

/// Events that were read in one go.
#[derive(Debug, Default)]
pub(super) struct EventPage {
    pub(super) events: Vec<StoredEvent>,
    /// Number below which to read on; `None` at the end.
    pub(super) next: Option<i64>,
}

fn event(row: &Row<'_>) -> rusqlite::Result<(i64, Option<Event>)> {
    let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (kind, source): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    let detail: String = row.get(4)?;
    let event =
        kind.parse::<EventKind>().ok().zip(Timestamp::from_second(at).ok()).map(|(kind, at)| {
            // The file may come from a version that did not clean what upstreams wrote.
            let detail = clean_shared(detail.into());
            Event { at, kind, source: source.map(Arc::from), detail }
        });
    Ok((id, event))
}
