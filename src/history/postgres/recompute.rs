//! Rollups that are recomputed in the background: days of another time zone, and those of a field whose aggregation has
//! changed.
//!
//! A year of one series takes seconds, so this is no part of a batch, which has limits of seconds. The recorder's thread
//! does one series after the other, each in a transaction of its own, while it has nothing else to do. Meanwhile days
//! of both zones divide the quarters, as kept ones do, and samples are added by the aggregation before. What fails is
//! tried again later, and nothing has to be noted: days of another zone are found at each start, since a replica may
//! have written such days after they were recomputed, and the next sample has the aggregation.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::partitions::Partitions;
use super::session::Session;
use crate::history::calendar::Calendar;
use crate::history::days;
use crate::history::error::StoreError;
use crate::history::meta;
use crate::history::series::{Deferred, SeriesTable, over_time_of};
use crate::postgres::{Limits, Outcome, Param, Statement};
use crate::store::Link;
use crate::time_zone;
use crate::units::{OverTime, Unit};

/// Most time of a transaction: some years of one series. Changes of sources are queued for longer.
const TIMEOUT: Duration = Duration::from_secs(3 * 60);

/// A process that is stopped must not keep the lock of the series, nor wait long for it.
const LIMITS: Limits =
    Limits { statement: TIMEOUT, lock: Duration::from_secs(3), idle: Duration::from_secs(5) };

/// Time after which something that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Rollups to recompute.
#[derive(Debug, Default)]
pub(super) struct Recomputation {
    days: ForeignDays,
    /// Series whose aggregation was changed last, or could not be.
    latest: i64,
    retry_at: Option<Instant>,
}

/// Series that may have days of another calendar.
#[derive(Debug, Default)]
enum ForeignDays {
    /// They have not been searched for.
    #[default]
    Unknown,
    Left(VecDeque<i64>),
    None,
}

/// Subject of a step.
pub(super) struct Scope<'w> {
    pub(super) link: &'w mut Link,
    pub(super) partitions: &'w mut Partitions,
    pub(super) series: &'w mut SeriesTable,
    pub(super) calendar: &'w mut Calendar,
    pub(super) zone: &'w TimeZone,
    /// Returns true once the transaction is to be rolled back, as the program ends.
    pub(super) is_stopping: &'w dyn Fn() -> bool,
}

impl Recomputation {
    /// Returns true if a step is due.
    pub(super) fn is_due(&self, series: &SeriesTable) -> bool {
        self.retry_at.is_none_or(|at| at <= Instant::now())
            && (!matches!(self.days, ForeignDays::None) || series.has_deferred())
    }

    /// Searches for what is to be recomputed, or recomputes a series.
    ///
    /// # Errors
    /// A statement failed. Another step is due later.
    pub(super) fn step(&mut self, scope: &mut Scope<'_>) -> Result<(), StoreError> {
        let result = self.try_step(scope);
        self.retry_at = result.is_err().then(|| Instant::now() + RETRY_INTERVAL);
        if let Err(error) = &result
            && !(scope.is_stopping)()
        {
            log::warn!(
                "rollups of the history cannot be recomputed, which is tried again in 10 minutes: {error}"
            );
        }
        result
    }

    fn try_step(&mut self, scope: &mut Scope<'_>) -> Result<(), StoreError> {
        match &mut self.days {
            ForeignDays::Unknown => self.days = ForeignDays::Left(with_foreign_days(scope)?),
            ForeignDays::Left(series) => match series.front().copied() {
                Some(id) => {
                    // If it fails, the others are next.
                    series.rotate_left(1);
                    recompute_days(scope, id)?;
                    series.pop_back();
                }
                None => {
                    set_zone(scope)?;
                    self.days = ForeignDays::None;
                }
            },
            ForeignDays::None => {
                if let Some((id, wanted)) = scope.series.deferred_after(self.latest) {
                    self.latest = id;
                    change(scope, id, &wanted)?;
                    scope.series.remove_deferred(id);
                }
            }
        }
        Ok(())
    }
}

/// Returns the series that have a day which does not begin with one of the calendar.
fn with_foreign_days(scope: &mut Scope<'_>) -> Result<VecDeque<i64>, StoreError> {
    let key = [Param::Text(meta::TIME_ZONE)];
    let outcomes = run(
        scope,
        &[
            Statement::new("SELECT value FROM meta WHERE key = $1", &key),
            // One look-up in the index a day: DISTINCT would read the days of all series.
            Statement::plain(
                "WITH RECURSIVE starts (at) AS ((SELECT min(at) FROM day) UNION ALL \
                 SELECT (SELECT min(day.at) FROM day WHERE day.at > starts.at) FROM starts \
                 WHERE starts.at IS NOT NULL) SELECT at FROM starts WHERE at IS NOT NULL",
            ),
        ],
    )?;
    let [stored, starts] = outcomes.as_slice() else { return Ok(VecDeque::new()) };
    let name = time_zone::identity(scope.zone);
    let stored = stored.first().map(|row| row.text(0)).transpose()?;
    if let Some(stored) = stored.filter(|stored| *stored != name) {
        log::info!(
            "the time zone changed from {stored} to {name}: recomputing the days of the history"
        );
    }
    let starts = starts.rows().map(|row| row.i64(0)).collect::<Result<Vec<i64>, _>>()?;
    let calendar = &mut scope.calendar;
    let foreign: Vec<i64> = starts.into_iter().filter(|&at| calendar.day(at).0 != at).collect();
    if foreign.is_empty() {
        return Ok(VecDeque::new());
    }
    let sql = "SELECT DISTINCT series FROM day WHERE at = ANY ($1::bigint[]) ORDER BY series";
    let outcomes = run(scope, &[Statement::new(sql, &[Param::I64s(&foreign)])])?;
    let rows = outcomes.iter().flat_map(Outcome::rows);
    Ok(rows.map(|row| row.i64(0)).collect::<Result<_, _>>()?)
}

/// Recomputes the days of a series from its quarters, as far as these are left.
fn recompute_days(scope: &mut Scope<'_>, id: i64) -> Result<(), StoreError> {
    let (session, series) = begin(scope.link, id, scope.is_stopping)?;
    let Some(Locked { over_time, .. }) = series else { return Ok(()) };
    if days::has_foreign(&session, scope.calendar, id, over_time)? {
        days::recompute(&session, scope.calendar, id, over_time)?;
    }
    session.commit(&[]).map(drop)
}

fn set_zone(scope: &mut Scope<'_>) -> Result<(), StoreError> {
    let name = time_zone::identity(scope.zone);
    let row = [Param::Text(meta::TIME_ZONE), Param::Text(&name)];
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    run(scope, &[Statement::new(sql, &row)]).map(drop)
}

/// Recomputes the rollups of a series for the aggregation and the period of a sample.
fn change(scope: &mut Scope<'_>, id: i64, wanted: &Deferred) -> Result<(), StoreError> {
    let bounds = "SELECT min(at), max(at) FROM raw WHERE series = $1";
    let outcomes = run(scope, &[Statement::new(bounds, &[Param::I64(id)])])?;
    if let Some(row) = outcomes.first().and_then(Outcome::first)
        && let Some((first, last)) = row.optional_i64(0)?.zip(row.optional_i64(1)?)
    {
        // Quarters may have been dropped earlier than single observations, of which they are computed again. Another
        // replica may have dropped them.
        scope.partitions.forget();
        let deadline = Instant::now() + TIMEOUT;
        scope.partitions.ensure_quarters(scope.link, (first, last), LIMITS, deadline)?;
    }
    let (session, series) = begin(scope.link, id, scope.is_stopping)?;
    let Some(Locked { over_time, period }) = series else { return Ok(()) };
    wanted.apply(&session, scope.calendar, id, over_time, period)?;
    session.commit(&[]).map(drop)
}

/// Properties of a series that is locked.
struct Locked {
    over_time: OverTime,
    period: Option<f64>,
}

/// Begins a transaction with the lock of a series. Returns also its properties; `None` if there is no such series.
fn begin<'w>(
    link: &'w mut Link,
    id: i64,
    is_stopping: &'w dyn Fn() -> bool,
) -> Result<(Session<'w>, Option<Locked>), StoreError> {
    let id = [Param::I64(id)];
    let lock = Statement::new(
        "SELECT over_time, field, unit, period FROM series WHERE id = $1 FOR UPDATE",
        &id,
    );
    let deadline = Instant::now() + TIMEOUT;
    let (session, outcomes) = Session::begin(link, LIMITS, deadline, &[lock])?;
    let row = outcomes.first().and_then(Outcome::first);
    let locked = row.map(|row| {
        let unit = Unit::from_recorded(row.text(2)?);
        let over_time = over_time_of(row.text(0)?, row.text(1)?, unit);
        Ok::<_, StoreError>(Locked { over_time, period: row.optional_f64(3)? })
    });
    Ok((session.until(is_stopping), locked.transpose()?))
}

fn run(scope: &mut Scope<'_>, statements: &[Statement<'_>]) -> Result<Vec<Outcome>, StoreError> {
    Ok(scope.link.run(LIMITS, statements, Instant::now() + TIMEOUT)?)
}
