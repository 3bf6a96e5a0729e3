//! Rows of a tick's results.
//!
//! A row that another version or other software has written may be unreadable. It concerns its own source or replica
//! and is left out, so that it holds up no other lease: a replica in an unreadable row does not count as live, and the
//! lease in one has no holder, so that the designated replica acquires it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::database::PublishedState;
use crate::cluster::exchange::{Acquired, LeaseRow, LiveReplica};
use crate::cluster::instance::InstanceId;
use crate::postgres::{Outcome, PostgresError, Row};

/// Reads rows, and keeps the first error.
#[derive(Default)]
pub(super) struct RowReader {
    /// Row that cannot be read, with the reason.
    pub(super) unreadable: Option<String>,
}

impl RowReader {
    pub(super) fn replicas(&mut self, outcome: &Outcome) -> Vec<LiveReplica> {
        let read = |row| self.note("a row of the table \"replica\"", replica(row));
        outcome.rows().filter_map(read).collect()
    }

    pub(super) fn leases(&mut self, outcome: &Outcome) -> Result<Vec<LeaseRow>, PostgresError> {
        outcome.rows().map(|row| self.lease(row)).collect()
    }

    fn lease(&mut self, row: Row<'_>) -> Result<LeaseRow, PostgresError> {
        let source = row.text(0)?;
        let holder = row.optional_text(1)?.zip(row.optional_text(2)?);
        let holder = holder.and_then(|(name, text)| {
            let instance = self.note(&format!("the lease of {source}"), instance(text))?;
            Some((name.into(), instance))
        });
        Ok(LeaseRow {
            source: source.into(),
            holder,
            epoch: row.i64(3)?,
            poll_requests: row.i64(4)?,
        })
    }

    fn note<T>(&mut self, row: &str, result: Result<T, PostgresError>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.unreadable.get_or_insert_with(|| format!("{row} cannot be read: {error}"));
        None
    }
}

pub(super) fn acquisitions(
    acquired: &Outcome,
    next: &Outcome,
) -> Result<Vec<Acquired>, PostgresError> {
    let mut next_polls = BTreeMap::new();
    for row in next.rows() {
        let wait = row.optional_f64(1)?;
        let wait = wait.and_then(|wait| Duration::try_from_secs_f64(wait.max(0.0)).ok());
        next_polls.insert(row.text(0)?, wait);
    }
    let of_row = |row: Row<'_>| {
        let source = row.text(0)?;
        let next_poll_in = next_polls.get(source).copied().flatten();
        Ok(Acquired { source: source.into(), next_poll_in })
    };
    acquired.rows().map(of_row).collect()
}

fn replica(row: Row<'_>) -> Result<LiveReplica, PostgresError> {
    let hashes = row.optional_texts(4)?.zip(row.optional_i64s(5)?).map(|(sources, hashes)| {
        let hashes = hashes.into_iter().map(i64::cast_unsigned);
        sources.into_iter().map(Into::into).zip(hashes).collect()
    });
    Ok(LiveReplica {
        name: row.text(0)?.into(),
        instance: instance(row.text(1)?)?,
        digest: row.i64(2)?.cast_unsigned(),
        hashes,
        configured_at: row.i64(3)?,
    })
}

pub(super) fn states(outcome: &Outcome) -> Result<Vec<PublishedState>, PostgresError> {
    outcome.rows().map(state).collect()
}

fn state(row: Row<'_>) -> Result<PublishedState, PostgresError> {
    Ok(PublishedState {
        source: row.text(0)?.to_owned(),
        instance: row.text(1)?.to_owned(),
        version: row.i64(2)?,
        content: row.text(3)?.to_owned(),
    })
}

fn instance(text: &str) -> Result<InstanceId, PostgresError> {
    text.parse().map_err(|error| PostgresError::Usage(format!("an instance {error}")))
}
