//! The state of each source, and the snapshots published from it.

pub mod error;
pub mod reading;
pub mod snapshot;

pub use error::{ErrorKind, PollError};
pub use reading::{Datum, FieldName, Finite, Observed, Reading, Value};
pub use snapshot::{Failure, Form, KeptReading, Rendered, Snapshot, SourceView, State};
