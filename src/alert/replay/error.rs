//! Error of a replay.

use crate::history::{HistoryError, ReadError};

/// The history cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be opened.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It cannot be read on.
    #[error(transparent)]
    Read(#[from] ReadError),
}
