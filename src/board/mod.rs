//! The board: the state of all sources, and the snapshots published from it.
//!
//! ```text
//! pollers ──► Reporter ──► channel ──► pw-board: Sources ──► ArcSwap<Snapshot> ──► BoardReader
//!                                      (sole owner)                                (handlers)
//!                                          └──► ChangeSink ──► history
//! ```
//!
//! One thread, `pw-board`, owns the state of all sources. Pollers send it reports over a bounded
//! channel. The thread wakes for each report and at the time when the next reading turns stale, applies the
//! changes and publishes an immutable [`Snapshot`] by `arc-swap`. A handler loads the latest
//! snapshot without a lock, so it never blocks on a poller or on the board. A snapshot shares with the one before
//! it what has not changed ([`SourceViews`]), so a report costs the same with one source as with thousands.
//!
//! # Clocks
//! Each reading has two times: `observed_at` is by the sensor's clock and decides when the reading turns
//! stale; `fetched_at` is by ours. A source is therefore stale if its upstream responds 200 with old data.
//!
//! The upstream's own stamp identifies an observation (`identity`), and the latest observation is shown (`order`).
//! One dated in the future has the time at which it was first seen, with a note, and turns stale by that.
//!
//! The wall clock of this machine can be set, in either direction. Two clocks are compared at least every two
//! seconds (`kernel::clock`), so a step is noticed and logged, and an event. What this process dated moves with
//! the clock: readings without a stamp, `fetched_at`, the beginning of a failure, the next poll, the start of the
//! process. Stamps stay as the sensors state them. [`Change::ClockStepped`] goes to the history and to
//! the pollers.
//!
//! # Restarts and changes
//! The board starts with the readings that `last_values` has saved, each with its true age. Trends
//! start from the samples recorded in the history ([`Reporter::backfill`]). Each observation and each
//! event, such as a source that turns stale or begins to fail, is passed to the [`ChangeSink`] exactly
//! once. A reading that turned stale while the program was down is reported at the start, with the time at
//! which it turned stale.

mod changes;
mod error;
mod event;
mod held;
mod identity;
mod order;
mod over_times;
mod publisher;
mod reading;
mod reading_json;
mod report;
mod shared;
mod snapshot;
mod source;
mod source_views;
mod sources;
mod trend;

pub use error::{ErrorKind, PollError};
pub use event::{Change, ChangeSink, Corrects, DatedBy, Event, EventKind, Sample};
pub use held::Received;
pub use identity::Sighting;
pub(crate) use order::{Track, Verdict};
pub use over_times::OverTimes;
pub use publisher::{Board, BoardReader, Reporter};
pub use reading::{Datum, FieldName, Finite, Observed, Reading, Stamp, Value};
pub use reading_json::{restored_readings, saved_readings};
pub use report::{Polled, Report, SavedReading, SourceInfo};
pub use shared::{Followed, SharedState, SharedStateError, shared_state};
pub use snapshot::{Failure, LastReading, ServiceInfo, Snapshot, SourceView, State};
pub use source_views::SourceViews;
pub use trend::RecordedTrend;
