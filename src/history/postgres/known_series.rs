//! Series of the sources of a batch, as the database has them once their rows are locked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::late::Batched;
use crate::history::error::StoreError;
use crate::history::series::{Series, over_time_of};
use crate::postgres::{Outcome, Param};
use crate::units::Unit;

/// Inserts the series that are missing.
pub(super) const INSERT_SERIES: &str = "INSERT INTO series (source, field, unit, over_time) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
    AS wanted (source, field, unit, over_time) \
    WHERE NOT EXISTS (SELECT 1 FROM series WHERE series.source = wanted.source \
    AND series.field = wanted.field AND series.unit = wanted.unit) \
    ON CONFLICT (source, field, unit) DO NOTHING";

/// Selects the series of sources, each with the latest row of each tier.
pub(super) const STATE: &str = "SELECT id, source, field, unit, over_time, period, recorded, \
    latest.at, latest.value, quarters.last_at, quarters.last, days.last_at, days.last, days.at, \
    (SELECT max(last_at) FROM (SELECT last_at FROM day WHERE series = series.id \
     ORDER BY at DESC LIMIT 2) AS two) \
    FROM series \
    LEFT JOIN LATERAL (SELECT at, value FROM raw WHERE raw.series = series.id \
     ORDER BY at DESC LIMIT 1) AS latest ON true \
    LEFT JOIN LATERAL (SELECT last_at, last FROM quarter WHERE quarter.series = series.id \
     ORDER BY at DESC LIMIT 1) AS quarters ON true \
    LEFT JOIN LATERAL (SELECT at, last_at, last FROM day WHERE day.series = series.id \
     ORDER BY at DESC LIMIT 1) AS days ON true \
    WHERE source = ANY ($1::text[]) ORDER BY source, id";

/// Series of a source by field and unit.
pub(super) type KnownSeries = Vec<(Arc<str>, &'static str, Series)>;

/// Series of a source by field and unit, each with its `recorded`.
type RecordedSeries = Vec<(Arc<str>, &'static str, i64, Series)>;

/// Reads the rows of [`STATE`].
pub(super) fn known_series(
    outcome: &Outcome,
) -> Result<BTreeMap<Arc<str>, KnownSeries>, StoreError> {
    let mut sources: BTreeMap<Arc<str>, RecordedSeries> = BTreeMap::new();
    for row in outcome.rows() {
        let (source, field, unit) = (row.text(1)?, row.text(2)?, row.text(3)?);
        let known_unit = Unit::from_recorded(unit);
        // A unit of a later version is none that a sample has.
        if !unit.is_empty() && known_unit.is_none() {
            continue;
        }
        let over_time = over_time_of(row.text(4)?, field, known_unit);
        let pair = |at: usize, value: usize| {
            Ok::<_, StoreError>(row.optional_i64(at)?.zip(row.optional_f64(value)?))
        };
        let mut latest: Option<(i64, f64)> = None;
        for found in [pair(7, 8)?, pair(9, 10)?, pair(11, 12)?].into_iter().flatten() {
            // The finest row of a time has its latest correction.
            latest = Some(latest.filter(|finer| finer.0 >= found.0).unwrap_or(found));
        }
        let newest = latest.map(|(at, _)| at).into_iter().chain(row.optional_i64(14)?).max();
        let series = Series {
            id: row.i64(0)?,
            over_time,
            period: row.optional_f64(5)?,
            latest: Some(latest),
            newest: newest.unwrap_or(i64::MIN),
            day: None,
            last_day: Some(row.optional_i64(13)?.zip(row.optional_i64(11)?)),
            is_current: false,
        };
        let unit = known_unit.map_or("", |unit| unit.as_str());
        let of_source = sources.entry(source.into()).or_default();
        of_source.push((field.into(), unit, row.i64(6)?, series));
    }
    let mark = |series: RecordedSeries| {
        let current = |field: &Arc<str>| {
            let of_field = series.iter().filter(|other| other.0 == *field);
            of_field.map(|other| other.2).max().unwrap_or(0)
        };
        let marked = series.iter().map(|(field, unit, recorded, series)| {
            let is_current = *recorded > 0 && *recorded == current(field);
            (field.clone(), *unit, Series { is_current, ..*series })
        });
        marked.collect()
    };
    Ok(sources.into_iter().map(|(source, series)| (source, mark(series))).collect())
}

/// Series of the samples of a batch as columns, each once.
pub(super) struct WantedSeries<'b> {
    sources: Vec<&'b str>,
    fields: Vec<&'b str>,
    units: Vec<&'b str>,
    over_times: Vec<&'b str>,
}

impl<'b> WantedSeries<'b> {
    pub(super) fn of(batch: &[Batched<'b>]) -> WantedSeries<'b> {
        let keys: BTreeSet<[&str; 4]> = batch
            .iter()
            .map(|Batched { sample, .. }| {
                let unit = sample.unit.map_or("", |unit| unit.as_str());
                [&*sample.source, &*sample.field, unit, sample.over_time.as_str()]
            })
            .collect();
        let column = |index: usize| keys.iter().map(|key| key[index]).collect();
        WantedSeries {
            sources: column(0),
            fields: column(1),
            units: column(2),
            over_times: column(3),
        }
    }

    pub(super) fn params(&self) -> [Param<'_>; 4] {
        [&self.sources, &self.fields, &self.units, &self.over_times]
            .map(|texts| Param::Texts(texts))
    }

    pub(super) fn sources(&self) -> [Param<'_>; 1] {
        [Param::Texts(&self.sources)]
    }
}
