//! The connection that writes.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::known_series::{STATE, known_series};
use super::partitions::{Month, Partitions};
use super::retention;
use super::session::Session;
use crate::board::Sample;
use crate::history::batch::MAX_RECENT;
use crate::history::calendar::Calendar;
use crate::history::days;
use crate::history::entry::{Entry, StoredEvent};
use crate::history::error::StoreError;
use crate::history::meta;
use crate::history::queries;
use crate::history::rollup;
use crate::history::series::{SeriesTable, over_time_of};
use crate::history::settings::Retention;
use crate::outbound::Cutoff;
use crate::postgres::{Limits, Outcome, Param, Statement};
use crate::store::{Access, Link};
use crate::time_zone;
use crate::units::Unit;

/// Most samples and events of one transaction: some hundred kilobytes.
const MAX_ROWS: usize = 2_000;

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

/// Connection that writes to the database.
pub(in crate::history) struct ServerWriter {
    link: Link,
    calendar: Calendar,
    zone: TimeZone,
    /// Series of the transaction.
    series: SeriesTable,
    partitions: Partitions,
    /// Sources and fields whose samples the database refuses.
    refused: HashSet<(Arc<str>, Arc<str>)>,
}

impl ServerWriter {
    /// Returns a writer whose days are those of a zone. It connects when it writes.
    pub(in crate::history) fn new(access: Access, zone: &TimeZone) -> ServerWriter {
        ServerWriter {
            link: Link::new(access),
            calendar: Calendar::new(zone.clone()),
            zone: zone.clone(),
            series: SeriesTable::default(),
            partitions: Partitions::default(),
            refused: HashSet::new(),
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

    /// Writes records in their order, each batch of them in a transaction; returns the number of records that are
    /// committed, and the number of new and corrected rows. Records that are already stored are skipped.
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
            let left = &records[*written..];
            let batch = &left[..batch_length(left)];
            rows += self.write_batch(batch)?;
            *written += batch.len();
        }
        Ok(rows)
    }

    /// Writes a batch. If the database refuses a value, such as by a constraint that other software added, the batch is
    /// divided, until the field is found whose values are left out.
    fn write_batch(&mut self, batch: &[Record<'_>]) -> Result<u64, StoreError> {
        let error = match self.write_transaction(batch) {
            Ok(rows) => return Ok(rows),
            Err(error) => error,
        };
        if !error.is_refusal() {
            return Err(error);
        }
        if batch.len() > 1 {
            let (first, second) = batch.split_at(batch.len() / 2);
            return Ok(self.write_batch(first)? + self.write_batch(second)?);
        }
        let Some(Record { entry: Entry::Samples(samples), instance }) = batch.first() else {
            log::error!("the database refuses an event, which is not recorded: {error}");
            return Ok(0);
        };
        let mut rows = 0;
        for sample in samples {
            let entry = Entry::Samples(vec![sample.clone()]);
            match self.write_transaction(&[Record { instance, entry: &entry }]) {
                Ok(added) => rows += added,
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
        Ok(rows)
    }

    fn write_transaction(&mut self, batch: &[Record<'_>]) -> Result<u64, StoreError> {
        let deadline = Instant::now() + TIMEOUT;
        let result = self.try_write(batch, deadline);
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

    fn try_write(&mut self, batch: &[Record<'_>], deadline: Instant) -> Result<u64, StoreError> {
        let samples = || {
            batch.iter().filter_map(|record| match record.entry {
                Entry::Samples(samples) => Some(samples),
                Entry::Event(_) => None,
            })
        };
        let is_refused = |sample: &Sample| {
            !self.refused.is_empty()
                && self.refused.contains(&(sample.source.clone(), sample.field.clone()))
        };
        let all = || samples().flatten().filter(|sample| !is_refused(sample));
        let months: BTreeSet<Month> =
            all().filter_map(|sample| Month::of(sample.at.as_second())).collect();
        // An amount belongs to the quarter before its stamp.
        let earlier = all().filter_map(|sample| Month::of(sample.at.as_second() - 1));
        let months = months.into_iter().chain(earlier).collect::<BTreeSet<_>>();
        self.partitions.ensure(&mut self.link, months, LIMITS, deadline)?;

        let keys: BTreeSet<(&str, &str, &str, &str)> = all()
            .map(|sample| {
                let unit = sample.unit.map_or("", |unit| unit.as_str());
                (&*sample.source, &*sample.field, unit, sample.over_time.as_str())
            })
            .collect();
        let sources: Vec<&str> = keys.iter().map(|key| key.0).collect();
        let fields: Vec<&str> = keys.iter().map(|key| key.1).collect();
        let units: Vec<&str> = keys.iter().map(|key| key.2).collect();
        let over_times: Vec<&str> = keys.iter().map(|key| key.3).collect();
        let params = [
            Param::Texts(&sources),
            Param::Texts(&fields),
            Param::Texts(&units),
            Param::Texts(&over_times),
        ];
        let of_sources = [Param::Texts(&sources)];
        let begin = [
            Statement::new(
                "INSERT INTO series (source, field, unit, over_time) \
                 SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
                 AS wanted (source, field, unit, over_time) \
                 WHERE NOT EXISTS (SELECT 1 FROM series WHERE series.source = wanted.source \
                 AND series.field = wanted.field AND series.unit = wanted.unit) \
                 ON CONFLICT (source, field, unit) DO NOTHING",
                &params,
            ),
            Statement::new(
                "SELECT id FROM series WHERE source = ANY ($1::text[]) ORDER BY id FOR UPDATE",
                &of_sources,
            ),
            // A statement of its own, which sees what was committed before the locks were got.
            Statement::new(STATE, &of_sources),
        ];
        let (session, outcomes) = Session::begin(&mut self.link, LIMITS, deadline, &begin)?;
        self.series.clear();
        let known = outcomes.last().map(known_series).transpose()?.unwrap_or_default();
        for (source, series) in known {
            self.series.add_known(&source, series);
        }
        let mut rows = 0;
        for samples in samples() {
            for sample in samples {
                if is_refused(sample) {
                    continue;
                }
                let (series, calendar) = (&mut self.series, &mut self.calendar);
                rows += u64::from(rollup::add(&session, series, calendar, sample, samples)?);
            }
        }
        let events = Events::of(batch);
        let params = events.params();
        let latest = all().map(|sample| sample.at.as_second()).max().map(|at| at.to_string());
        let latest = [Param::Text(meta::LATEST), Param::Text(latest.as_deref().unwrap_or("0"))];
        let end = [
            Statement::new(INSERT_EVENTS, &params),
            Statement::new(
                "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET \
                 value = excluded.value WHERE meta.value::bigint < excluded.value::bigint",
                &latest,
            ),
        ];
        let outcomes = session.commit(&end)?;
        Ok(rows + outcomes.first().map_or(0, Outcome::affected))
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

    /// Recomputes the days from the quarters if they were computed for another zone.
    ///
    /// # Errors
    /// A statement failed. What was recomputed stays, and the next call continues.
    pub(in crate::history) fn adopt_zone(&mut self) -> Result<(), StoreError> {
        let result = self.try_adopt_zone();
        self.note(result)
    }

    fn try_adopt_zone(&mut self) -> Result<(), StoreError> {
        let name = time_zone::identity(&self.zone);
        let deadline = Instant::now() + TIMEOUT;
        let sql = "SELECT value FROM meta WHERE key = $1";
        let key = [Param::Text(meta::TIME_ZONE)];
        let outcomes = self.link.run(LIMITS, &[Statement::new(sql, &key)], deadline)?;
        let row = outcomes.iter().find_map(|outcome| outcome.first());
        let stored = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        if stored.as_deref() == Some(&*name) {
            return Ok(());
        }
        if let Some(stored) = stored {
            log::info!(
                "the time zone changed from {stored} to {name}: recomputing the days of the history"
            );
        }
        let sql = "SELECT id, over_time, field, unit FROM series ORDER BY id";
        let outcomes = self.link.run(LIMITS, &[Statement::plain(sql)], deadline)?;
        let mut all = Vec::new();
        for row in outcomes.iter().flat_map(|outcome| outcome.rows()) {
            let unit = Unit::from_recorded(row.text(3)?);
            all.push((row.i64(0)?, over_time_of(row.text(1)?, row.text(2)?, unit)));
        }
        for (series, over_time) in all {
            let id = [Param::I64(series)];
            let lock = Statement::new("SELECT id FROM series WHERE id = $1 FOR UPDATE", &id);
            let deadline = Instant::now() + TIMEOUT;
            let (session, _) = Session::begin(&mut self.link, LIMITS, deadline, &[lock])?;
            days::recompute(&session, &mut self.calendar, series, over_time)?;
            session.commit(&[])?;
        }
        let deadline = Instant::now() + TIMEOUT;
        let (session, _) = Session::begin(&mut self.link, LIMITS, deadline, &[])?;
        meta::set(&session, meta::TIME_ZONE, &name)?;
        session.commit(&[])?;
        Ok(())
    }
}

/// Returns the number of the first records that are one transaction.
fn batch_length(records: &[Record<'_>]) -> usize {
    let mut rows = 0;
    let fits = |record: &&Record<'_>| {
        rows += match record.entry {
            Entry::Samples(samples) => samples.len(),
            Entry::Event(_) => 1,
        };
        rows <= MAX_ROWS
    };
    records.iter().take_while(fits).count().max(1)
}

const INSERT_EVENTS: &str = "INSERT INTO event (at, kind, source, detail, instance, number) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) \
    ON CONFLICT (instance, number) DO NOTHING";

/// Events of a batch as columns.
#[derive(Default)]
struct Events<'r> {
    at: Vec<i64>,
    kind: Vec<&'r str>,
    source: Vec<Option<&'r str>>,
    detail: Vec<&'r str>,
    instance: Vec<&'r str>,
    number: Vec<i64>,
}

impl<'r> Events<'r> {
    fn of(batch: &[Record<'r>]) -> Events<'r> {
        let mut events = Events::default();
        for record in batch {
            let Entry::Event(StoredEvent { id, event }) = record.entry else { continue };
            events.at.push(event.at.as_second());
            events.kind.push(event.kind.as_str());
            events.source.push(event.source.as_deref());
            events.detail.push(&event.detail);
            events.instance.push(record.instance);
            events.number.push(*id);
        }
        events
    }

    fn params(&self) -> [Param<'_>; 6] {
        [
            Param::I64s(&self.at),
            Param::Texts(&self.kind),
            Param::OptionalTexts(&self.source),
            Param::Texts(&self.detail),
            Param::Texts(&self.instance),
            Param::I64s(&self.number),
        ]
    }
}
