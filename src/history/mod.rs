//! The history: years of observations in one SQLite file.
//!
//! ```text
//! board ──► ChangeSender ──► pw-history ──────► SQLite file (WAL) ──► ReaderPool ──► handlers
//!           bounded,         batches in memory,                      a few read-only
//!           never blocks     one transaction a flush                 connections
//! ```
//!
//! # Writing
//! One thread, `pw-history`, owns the only connection that writes (`recorder`, `writer`). It collects
//! changes in memory and writes them in one transaction per `flush` (a minute by default), with
//! `synchronous = FULL`, so the data is on the disk when the commit returns. A crash or a power cut thus loses
//! one flush interval at most, and a memory card gets one `fsync` a minute.
//!
//! No thread blocks on the recorder. Changes wait in two bounded queues: in the batch while the disk is
//! full, and in the channel while the recorder itself blocks on a slow disk. A full queue drops its
//! oldest change; the log, the page and the metrics report the loss. When the disk recovers, the next
//! flush writes everything that is still in memory.
//!
//! # One process
//! One process at a time records a file: see [`data_lock`](crate::data_lock). A second one serves without history,
//! keeps its observations in the batch, which is bounded, and takes over when the first one ends: it then opens,
//! migrates and reads the file as at a start, and writes the batch. At a restart behind a passed socket the
//! observations of both are recorded.
//!
//! # Clock
//! While the clock of the machine is earlier than the latest record, readings are held in the batch and not
//! written with wrong times (`clock_guard`). When the clock is set, those that this process dated are
//! dated anew.
//!
//! # Rows
//! Single observations, quarters of an hour by UTC, and days of the site's calendar (23 or 25 hours
//! long when the clocks change) each have a table and a retention of their own. Writing an
//! observation updates the rollups in the same transaction, so they never disagree. The primary key
//! makes writes idempotent: an observation that is already stored counts once, and one with another
//! number is a correction, which replaces it (`rollup`). A time without observations has no rows, so gaps
//! stay visible. A series is a source, a field and a unit. After a change of units, older rows are
//! converted when they are read.
//!
//! Each quantity has its aggregation over time (`observation`): a mean, the direction of the mean wind vector,
//! the sum of amounts, the rise of a counter that is reset, the largest or the latest number. Rollups
//! store what that needs, so that the value of any step equals the one computed from all observations.
//!
//! The first version of the schema had the mean only. Its files are upgraded when they are opened, in one
//! transaction (`upgrade`): rollups are computed anew from single observations where these are still
//! stored, and fields that have other names now are moved (`renames`). Where retention has
//! deleted the observations, sums and rises are computed from the rollups, and a mean direction is unknown.
//!
//! # Retention
//! `prune` deletes a few thousand rows at a time, so a flush never waits long. A row is deleted only
//! if it is too old both by the clock and by the number of days that have observations: `keep_raw =
//! "400d"` keeps at least the latest 400 recorded days. A clock that runs ten years ahead for an hour
//! adds one recorded day, and therefore deletes at most one.
//!
//! # Reading
//! WAL lets readers and the writer proceed at the same time. [`History`] reads a window from the
//! coarsest rows that are fine enough (`plan`), so any window costs about as much as a month of
//! quarters; `benches/HISTORY.md` has the measurements. The steps that the window cuts are read from finer
//! rows (`segment`): a point has what lies inside the window, and nothing else. Rows are read in pages. Each page borrows a
//! connection and returns it at once (`pool`), so a client that takes a year to download a year holds
//! neither a transaction nor a reader. Work is done in pieces of about two thousand rows
//! ([`RowBudget`]), between which the engine serves other connections. There are fewer readers than
//! workers: a hanging disk blocks at most as many workers as there are readers. A worker never blocks on the
//! pool: it retries in a later piece of work, and gives up after 250 ms.
//!
//! # Damage
//! `PRAGMA quick_check` runs when the file is opened, and again when a reader meets an error that
//! means damage. A damaged file is renamed, its write-ahead log first, and a new one is created. A
//! long check keeps the recorder's heartbeat going; otherwise a supervisor would restart the process
//! and the check would start over. A file of another program, or of a later version of this one, is
//! never changed.
//!
//! New files have mode 0600; existing files keep theirs. A backup is one read transaction, so it
//! delays no writer and no write restarts it.
//!
//! All SQL of the history is in this module. Sources: the SQLite documentation, "Write-Ahead
//! Logging" (<https://www.sqlite.org/wal.html>), "Atomic Commit In SQLite"
//! (<https://www.sqlite.org/atomiccommit.html>) and "How To Corrupt An SQLite Database File"
//! (<https://www.sqlite.org/howtocorrupt.html>).

mod backfill;
mod backup;
mod batch;
mod bucket;
mod calendar;
mod clock_guard;
mod copy;
mod cursor;
mod database;
mod days;
mod destination;
mod direction;
mod entry;
mod error;
mod events;
mod executor;
mod fault;
mod handle;
mod meta;
mod observation;
mod parse;
mod plan;
mod points;
mod pool;
mod postgres;
mod queries;
mod rebuild;
mod recorder;
mod renames;
mod rollup;
mod rollup_row;
mod schema;
mod segment;
mod sender;
mod series;
mod settings;
mod shared;
mod speeds;
mod sqlite;
mod upgrade;
mod writer;

pub use backfill::TrendSamples;
pub use bucket::{Bucket, Merger, Tier, Total};
pub use calendar::{Calendar, DAY, QUARTER};
pub use copy::{Copied, CopyError, Progress};
pub(crate) use copy::{CopyPlace, copy};
pub(crate) use database::{DatabaseKind, set_aside, verify};
pub use direction::VectorSum;
pub use entry::StoredEvent;
pub use error::{HistoryError, ReadError, StoreError};
pub use events::EventScan;
pub use fault::FaultKind;
pub use handle::History;
pub use observation::unwritten;
pub use parse::{MIN_TIME, parse_step, parse_time};
pub use plan::{MAX_POINTS, Plan, Step, Window};
pub use points::{Points, RowBudget};
pub use pool::ReaderWait;
pub(crate) use postgres::check as check_server;
pub use recorder::{OnOpen, Prepared, Recorder, prepare};
pub use renames::{RenamedSeries, SourceFields};
pub use sender::ChangeSender;
pub use settings::{Place, Retention, ServerPlace, Settings};
pub use shared::{CurrentError, Health};
pub use speeds::FIELD as WIND_SPEED;
pub use writer::import;

#[cfg(test)]
mod tests;
