//! Errors of a copy.

use std::path::PathBuf;

use crate::data_lock::Holder;
use crate::history::error::StoreError;
use crate::postgres::PostgresError;

/// A copy that was not made, or not completed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("cannot read the history: {0}; run the command again to continue")]
    Read(#[source] StoreError),
    /// The target cannot be written.
    #[error("cannot write the copy: {0}; run the command again to continue")]
    Write(#[source] StoreError),
    /// The database cannot be reached.
    #[error("cannot prepare the database: {0}")]
    Database(#[source] PostgresError),
    /// The tables of the database cannot be used now.
    #[error("{0}")]
    Schema(String),
    /// Source and target are one store.
    #[error("the history is there already: give another URL or path")]
    Same,
    /// A server records the file.
    #[error("a server records {0}: {1}; stop it, or give the path of another file")]
    Held(PathBuf, Holder),
    /// There can be no file at the path.
    #[error("{0}")]
    NoPlace(String),
    /// The file is one of an earlier version.
    #[error(
        "{0} was written by an earlier version: start a server of this version on it once, which migrates it"
    )]
    Earlier(PathBuf),
    /// Days of several time zones cannot be merged.
    #[error(
        "the days of the {place} are those of the time zone {found}, and [site] timezone is {expected}: set it to the \
         zone of the {place}, or start a server with [site] timezone on that once, which computes its days anew"
    )]
    Zone {
        /// Store with other days.
        place: &'static str,
        /// Its time zone.
        found: String,
        /// That of the configuration.
        expected: String,
    },
    /// Rollups of several aggregations cannot be merged.
    #[error(
        "{series} has the aggregation {before} in the history and {target} in the copy: record a value with a server of \
         the present configuration there, which computes it anew, then run the command again"
    )]
    Aggregation {
        /// Source and field.
        series: String,
        /// Its aggregation in the source.
        before: &'static str,
        /// The one in the target.
        target: &'static str,
    },
}
