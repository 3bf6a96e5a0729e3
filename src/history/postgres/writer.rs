//! The connection that writes.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::events::{Events, INSERT_EVENTS};
use super::known_series::{INSERT_SERIES, STATE, WantedSeries, known_series};
use super::late::{self, Added, Batched};
use super::partitions::{Month, Partitions};
use super::recompute::{Recomputation, Scope};
use super::retention;
use super::session::Session;
use crate::board::Sample;
use crate::history::batch::MAX_RECENT;
use crate::history::calendar::Calendar;
use crate::history::entry::{Entry, StoredEvent};
use crate::history::error::StoreError;
use crate::history::meta;
use crate::history::queries;
use crate::history::rollup;
use crate::history::series::SeriesTable;
use crate::history::settings::Retention;
use crate::outbound::Cutoff;
use crate::postgres::{Limits, Outcome, Param, Phase, PostgresError, Statement};
use crate::store::{Access, Link};

/// Most samples and events of one transaction: some hundred kilobytes.
const MAX_ROWS: usize = 2_000;

/// Time after which a transaction adds no further record. Other replicas wait for the locks of its series, for
/// [`LOCK_TIMEOUT`] at most.
const LOCKED_TIME: Duration = Duration::from_secs(1);

/// Most time of a transaction.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Most time of a call that notices whether the database answers, with the connection to it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Most time of a statement, and of a wait for this process within a transaction: it may be stopped in one, and would
/// hold the locks of its series.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most time of a wait for a lock. Another replica writes the same series, or changes a table.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

const LIMITS: Limits =
    Limits { statement: STATEMENT_TIMEOUT, lock: LOCK_TIMEOUT, idle: STATEMENT_TIMEOUT };

/// A record to be written, with the process that made it.
#[derive(Debug, Clone, Copy)]
pub(in crate::history) struct Record<'r> {
    /// Random name of the process. With the number of an event it identifies that event.
    pub(in crate::history) instance: &'r str,
    pub(in crate::history) entry: &'r Entry,
}

impl Record<'_> {
    /// Returns the number of its rows.
    fn rows(&self) -> usize {
        match self.entry {
            Entry::Samples(samples) => samples.len(),
            Entry::Event(_) => 1,
        }
    }
}

/// Result of a transaction.
#[derive(Debug, Clone, Copy)]
struct Committed {
    /// Number of records, in their order.
    records: usize,
    /// Number of new and corrected rows.
    rows: u64,
}

/// Connection that writes to the database.
pub(in crate::history) struct ServerWriter {
    link: Link,
    calendar: Calendar,
    zone: TimeZone,
    /// Series of the transaction.
    series: SeriesTable,
    partitions: Partitions,
    recomputation: Recomputation,
    /// Sources and fields whose samples the database refuses.
    refused: HashSet<(Arc<str>, Arc<str>)>,
    /// Most rows of the next transaction, at least 1.
    max_rows: usize,
}

impl ServerWriter {
    /// Returns a writer whose days are those of a zone. It connects when it writes.
    pub(in crate::history) fn new(access: Access, zone: &TimeZone) -> ServerWriter {
        ServerWriter {
            link: Link::new(access),
            calendar: Calendar::new(zone.clone()),
            zone: zone.clone(),
            series: SeriesTable::deferring(),
            partitions: Partitions::default(),
            recomputation: Recomputation::default(),
            refused: HashSet::new(),
            max_rows: MAX_ROWS,
        }
    }

    /// Lets another thread end the calls.
    pub(in crate::history) fn end_at(&mut self, cutoff: Cutoff) {
        self.link.end_at(cutoff);
    }

    /// Makes a small call, which notices a database that does not answer sooner than a batch does.
    ///
    /// # Errors
    /// The database does not answer.
    pub(in crate::history) fn look(&mut self) -> Result<(), StoreError> {
        self.link.run(Limits::all(LOOK_TIMEOUT), &[], Instant::now() + LOOK_TIMEOUT)?;
        Ok(())
    }

    /// Writes records in their order; returns the number of new and corrected rows. Records that are already stored are
    /// skipped.
    ///
    /// # Errors
    /// The database cannot be reached, or refuses to write. What was committed before is counted by `written`.
    pub(in crate::history) fn write(
        &mut self,
        records: &[Record<'_>],
        written: &mut usize,
    ) -> Result<u64, StoreError> {
        let mut rows = 0;
        while *written < records.len() {
            rows += self.write_some(records, written)?;
        }
        Ok(rows)
    }

    /// Writes some of the records that `written` does not count yet, in a transaction that ends soon, and counts them.
    /// Returns the number of new and corrected rows.
    ///
    /// # Errors
    /// The database cannot be reached, or refuses to write.
    pub(in crate::history) fn write_some(
        &mut self,
        records: &[Record<'_>],
        written: &mut usize,
    ) -> Result<u64, StoreError> {
        let left = &records[*written..];
        let batch = &left[..batch_length(left, self.max_rows)];
        if batch.is_empty() {
            return Ok(0);
        }
        let Committed { records, rows } = self.write_batch(batch)?;
        *written += records;
        Ok(rows)
    }

    /// Writes first records of a batch. If the database refuses a value, such as by a constraint that other software
    /// added, the batch is divided, until the field is found whose values are left out.
    fn write_batch(&mut self, batch: &[Record<'_>]) -> Result<Committed, StoreError> {
        let error = match self.write_transaction(batch) {
            Ok(committed) => return Ok(committed),
            Err(error) => error,
        };
        if !error.is_refusal() {
            return Err(error);
        }
        if batch.len() > 1 {
            return self.write_batch(&batch[..batch.len() / 2]);
        }
        // If the same statements fail without the record, it is not the one that is refused.
        self.write_transaction(&[])?;
        let mut committed = Committed { records: 1, rows: 0 };
        let Some(Record { entry: Entry::Samples(samples), instance }) = batch.first() else {
            log::error!("the database refuses an event, which is not recorded: {error}");
            return Ok(committed);
        };
        for sample in samples {
            let entry = Entry::Samples(vec![sample.clone()]);
            match self.write_transaction(&[Record { instance, entry: &entry }]) {
                Ok(Committed { rows, .. }) => committed.rows += rows,
                Err(error) if error.is_refusal() => {
                    let Sample { source, field, .. } = sample;
                    if self.refused.insert((source.clone(), field.clone())) {
                        log::error!(
                            "the database refuses values of {source}.{field}, which are not recorded \
                             until the next start: {error}"
                        );
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(committed)
    }

    /// Writes a batch, or the first records of it, and adapts the size of the next one to the time that it took.
    fn write_transaction(&mut self, batch: &[Record<'_>]) -> Result<Committed, StoreError> {
        let begun = Instant::now();
        let result = self.try_write(batch, begun + TIMEOUT);
        match &result {
            Err(error) if took_too_long(error) => {
                let rows: usize = batch.iter().map(Record::rows).sum();
                self.max_rows = self.max_rows.min(rows / 2).max(1);
            }
            Ok(_) if begun.elapsed() < LOCKED_TIME / 2 => {
                self.max_rows = (self.max_rows * 2).min(MAX_ROWS);
            }
            _ => {}
        }
        self.note(result)
    }

    /// Notes the result of a call, and forgets what may be of another server.
    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match &result {
            Err(StoreError::Server(error)) => {
                self.link.note::<()>(&Err((**error).clone()));
                self.partitions.forget();
            }
            Err(_) => {}
            Ok(_) => self.link.note(&Ok(())),
        }
        result
    }

    fn try_write(
        &mut self,
        batch: &[Record<'_>],
        deadline: Instant,
    ) -> Result<Committed, StoreError> {
        let is_refused = |sample: &Sample| {
            !self.refused.is_empty()
                && self.refused.contains(&(sample.source.clone(), sample.field.clone()))
        };
        let mut all = samples_of(batch);
        all.retain(|batched| !is_refused(batched.sample));
        let times = || all.iter().map(|batched| batched.sample.at.as_second());
        // An amount belongs to the quarter before its stamp.
        let months: BTreeSet<Month> =
            times().flat_map(|at| [at - 1, at]).filter_map(Month::of).collect();
        self.partitions.ensure(&mut self.link, months, LIMITS, deadline)?;

        let wanted = WantedSeries::of(&all);
        let (params, sources) = (wanted.params(), wanted.sources());
        let begin = [
            Statement::new(INSERT_SERIES, &params),
            Statement::new(
                "SELECT id FROM series WHERE source = ANY ($1::text[]) ORDER BY id FOR UPDATE",
                &sources,
            ),
            // A statement of its own, which sees what was committed before the locks were got.
            Statement::new(STATE, &sources),
        ];
        let (session, outcomes) = Session::begin(&mut self.link, LIMITS, deadline, &begin)?;
        let locked_at = Instant::now();
        self.series.clear();
        let known = outcomes.last().map(known_series).transpose()?.unwrap_or_default();
        for (source, series) in known {
            self.series.add_known(&source, series);
        }
        let Added { done, mut rows } = late::add(&session, &self.series, &mut self.calendar, &all)?;
        let mut records = batch.len();
        let mut present = 0;
        for (number, Batched { record, sample, samples }) in all.iter().enumerate() {
            if done.contains(&number) {
                continue;
            }
            if *record != present && locked_at.elapsed() > LOCKED_TIME {
                records = *record;
                break;
            }
            present = *record;
            let (series, calendar) = (&mut self.series, &mut self.calendar);
            rows += u64::from(rollup::add(&session, series, calendar, sample, samples)?);
        }
        let events = Events::of(&batch[..records]);
        let params = events.params();
        let latest = times().max().map(|at| at.to_string());
        let latest = [Param::Text(meta::LATEST), Param::Text(latest.as_deref().unwrap_or("0"))];
        let end = [Statement::new(INSERT_EVENTS, &params), Statement::new(SET_LATEST, &latest)];
        let outcomes = session.commit(&end)?;
        let rows = rows + outcomes.first().map_or(0, Outcome::affected);
        Ok(Committed { records, rows })
    }

    /// Returns the latest events of all replicas, newest first.
    ///
    /// # Errors
    /// The database cannot be reached, or refused the query.
    pub(in crate::history) fn latest_events(&mut self) -> Result<Vec<StoredEvent>, StoreError> {
        let deadline = Instant::now() + TIMEOUT;
        let result = Session::begin(&mut self.link, LIMITS, deadline, &[])
            .map_err(StoreError::from)
            .and_then(|(session, _)| Ok(queries::events(&session, i64::MAX, MAX_RECENT)?.events));
        self.note(result)
    }

    /// Deletes rows that are older than their retention, unless another replica has done so within the hour, and creates
    /// the partitions ahead. Returns true once none are left.
    ///
    /// # Errors
    /// A statement failed.
    pub(in crate::history) fn prune(
        &mut self,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let deadline = Instant::now() + TIMEOUT;
        let result = self
            .partitions
            .ensure_present(&mut self.link, now.as_second(), LIMITS, deadline)
            .and_then(|()| retention::prune(&mut self.link, keep, now, LIMITS, deadline));
        self.partitions.forget();
        self.note(result)
    }

    /// Returns true if rollups are to be recomputed now.
    pub(in crate::history) fn has_recomputation(&self) -> bool {
        self.recomputation.is_due(&self.series)
    }

    /// Recomputes the rollups of one series, or searches for the series whose days are those of another time zone.
    /// Rolls back once `is_stopping` returns true.
    ///
    /// # Errors
    /// A statement failed. The same is tried again later.
    pub(in crate::history) fn recompute(
        &mut self,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        let result = self.recomputation.step(&mut Scope {
            link: &mut self.link,
            partitions: &mut self.partitions,
            series: &mut self.series,
            calendar: &mut self.calendar,
            zone: &self.zone,
            is_stopping,
        });
        self.note(result)
    }
}

/// Returns the number of the first records that have a number of rows at most, and one at least.
fn batch_length(records: &[Record<'_>], max_rows: usize) -> usize {
    let mut rows = 0;
    let fits = |record: &&Record<'_>| {
        rows += record.rows();
        rows <= max_rows
    };
    records.iter().take_while(fits).count().max(1).min(records.len())
}

fn samples_of<'b>(batch: &[Record<'b>]) -> Vec<Batched<'b>> {
    let mut all = Vec::new();
    for (record, Record { entry, .. }) in batch.iter().enumerate() {
        if let Entry::Samples(samples) = *entry {
            all.extend(samples.iter().map(|sample| Batched { record, sample, samples }));
        }
    }
    all
}

/// Returns true if a transaction was too large for its limits, or waited for another one.
fn took_too_long(error: &StoreError) -> bool {
    /// query_canceled, lock_not_available.
    const CODES: [&str; 2] = ["57014", "55P03"];
    let StoreError::Server(error) = error else { return false };
    match &**error {
        PostgresError::Timeout(phase) => matches!(phase, Phase::Send | Phase::Receive),
        PostgresError::Server(error) => CODES.contains(&&*error.sqlstate),
        _ => false,
    }
}

/// A value that is no number, such as by an edit, is replaced.
const SET_LATEST: &str = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) \
    DO UPDATE SET value = excluded.value WHERE CASE WHEN meta.value ~ '^-?[0-9]{1,18}$' \
    THEN meta.value::bigint < excluded.value::bigint ELSE true END";
