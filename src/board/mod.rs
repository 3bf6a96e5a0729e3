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

pub mod error;
pub mod event;
mod json;
mod keeper;
mod news;
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
pub use rendered::Rendering;
pub use snapshot::{Failure, Form, KeptReading, Rendered, Snapshot, SourceView, State};
pub use sources::{Kept, Polled, Report, SourceInfo};
