//! What the sensors told, for years.
//!
//! ```text
//! board ──► change_sender (bounded, never waits) ──► recorder thread ──► writer ──► SQLite file (WAL)
//!                                                                               │
//! handlers ◄── points, read page by page ◄── readers (few, read-only) ◄─────────┘
//! ```
//! Numbers are kept as single observations, as quarters of an hour and as days, each for as long
//! as the configuration says; a time without observations is a time without rows. All SQL of the
//! program lives in this module, behind the types that it exports.

mod backfill;
mod backup;
mod bucket;
mod error;
mod events;
mod handle;
mod reader;
mod recorder;
mod schema;
mod when;
mod window;
mod writer;

pub use backfill::trend_samples;
pub use bucket::{Bucket, Calendar, DAY, Merger, QUARTER};
pub use error::StoreError;
pub use events::EventScan;
pub use handle::{CurrentError, Health, History, HistoryError, StoredEvent};
pub use reader::{ReadError, ReaderWait, RowBudget, Tier};
pub use recorder::{ChangeSender, OnOpen, Prepared, Recorder, Settings, prepare};
pub use when::{MIN_TIME, parse_step, parse_time};
pub use window::{MAX_POINTS, Plan, Points, Step, Window};
pub use writer::{Retention, import};

#[cfg(test)]
mod tests;
