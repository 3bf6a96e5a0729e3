//! The state of each source, and the snapshots published from it.
//!
//! ```text
//! Reporter ──► channel ──► keeper thread: Sources ──► arc-swap ──► BoardReader
//! (pollers)                (the only owner of state)               (handlers)
//!                                     └──► changes ──► whoever keeps records
//! ```
//! A reader takes the latest snapshot and waits for nobody; the keeper alone
//! changes anything, and it publishes at each report and at each moment when a
//! reading turns stale.

mod changes;
pub mod error;
pub mod event;
mod json;
mod keeper;
pub mod reading;
mod rendered;
pub mod snapshot;
mod sources;
mod trend;

pub use error::{ErrorKind, PollError};
pub use event::{Change, ChangeSink, Event, EventKind, Sample};
pub use json::{ServiceInfo, status};
pub use keeper::{Board, BoardReader, Reporter};
pub use reading::{Datum, FieldName, Finite, Observed, Reading, Value};
pub use rendered::RenderedBuilder;
pub use snapshot::{Failure, LastReading, Rendered, Representation, Snapshot, SourceView, State};
pub use sources::{Polled, Report, SavedReading, SourceInfo};
