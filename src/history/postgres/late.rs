//! Late observations of a batch, which cost a few round trips, however many they are.
//!
//! [`rollup::add`](crate::history::rollup::add) reads what an observation that is not the latest of its series changes,
//! in up to 25 round trips. The spool of an outage, after which another replica has gone on with the same sources, has
//! thousands of those. Here the same is read for all of them at once, and what they add is sent with the latest
//! observations.
//!
//! An observation is added here if it only adds to its rollups: it is not stored, and its quarter and its day have all
//! their finer rows, so that it is not one whose row was pruned. Of counters and amounts, the total of the next
//! observation changes, too. Corrections and the others are left to `rollup::add`.

use std::collections::{BTreeMap, HashSet};

use super::session::Session;
use crate::board::{Corrects, Sample};
use crate::history::bucket::{Bucket, Tier, Total};
use crate::history::calendar::{Calendar, QUARTER};
use crate::history::days::{LONGEST_DAY, QuarterDay};
use crate::history::error::StoreError;
use crate::history::executor::Executor as _;
use crate::history::observation::{Observation, Totals, depends_on_previous, shift, total};
use crate::history::rebuild::quarter_of;
use crate::history::series::SeriesTable;
use crate::history::speeds;
use crate::postgres::{Outcome, Param, Row, Statement};
use crate::units::OverTime;

/// A sample of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batched<'b> {
    /// Number of its record within the batch.
    pub(super) record: usize,
    pub(super) sample: &'b Sample,
    /// Samples of the same record.
    pub(super) samples: &'b [Sample],
}

/// Part of a batch that was added.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// Numbers of the samples that are stored now.
    pub(super) done: HashSet<usize>,
    /// Number of new rows.
    pub(super) rows: u64,
}

/// Adds late observations of a batch, whose series are known and locked.
pub(super) fn add(
    session: &Session<'_>,
    table: &SeriesTable,
    calendar: &mut Calendar,
    batch: &[Batched<'_>],
) -> Result<Added, StoreError> {
    let mut added = Added::default();
    let mut all = find(table, batch);
    if all.is_empty() {
        return Ok(added);
    }
    // Each is added after those before it, which its total depends on. Those of one time stay in their order.
    all.sort_by_key(|late| (late.series, late.new.at));
    let known = Known::read(session, calendar, &all)?;
    let mut latest: Option<(i64, Observation)> = None;
    for (late, around) in all.iter().zip(&known.around) {
        let Late { series, new, .. } = *late;
        let before = latest.filter(|(of, _)| *of == series).map(|(_, observation)| observation);
        if let Some(stored) = around.stored.or(before.filter(|before| before.at == new.at)) {
            if stored == new || !late.corrects.replaces(stored.value) {
                added.done.insert(late.number);
            }
            continue;
        }
        let Some(place) = known.places.get(&late.quarter()).filter(|place| place.is_complete())
        else {
            continue;
        };
        let before = before.map(|before| (before.at, before.value));
        let previous = later(later(around.previous, place.before), before);
        place.add(session, late, previous)?;
        if let Some(next) = around.next
            && let Some(place) = known.next_places.get(&late.quarter_at(next.at))
        {
            let old = total(late.over_time, previous, &next);
            let new = total(late.over_time, Some((new.at, new.value)), &next);
            if let (Total::Amount(old), Total::Amount(new)) = (old, new) {
                session.add_amount(Tier::Quarter, series, place.quarter, new - old);
                session.add_amount(Tier::Day, series, place.day.at, new - old);
            }
        }
        latest = Some((series, new));
        added.rows += 1;
        added.done.insert(late.number);
    }
    Ok(added)
}

/// A late observation.
struct Late {
    /// Number of its sample within the batch.
    number: usize,
    series: i64,
    over_time: OverTime,
    new: Observation,
    corrects: Corrects,
}

impl Late {
    /// Returns the series and the start of the quarter that an observation at a time belongs to.
    fn quarter_at(&self, at: i64) -> (i64, i64) {
        (self.series, quarter_of(at - shift(self.over_time)))
    }

    fn quarter(&self) -> (i64, i64) {
        self.quarter_at(self.new.at)
    }
}

/// Returns the samples of a batch that are late, and need nothing but rows of their own series.
fn find(table: &SeriesTable, batch: &[Batched<'_>]) -> Vec<Late> {
    // The order of samples decides about the present unit of such a field.
    let changing: HashSet<(&str, &str)> = batch
        .iter()
        .filter(|batched| table.adopted(batched.sample).is_none())
        .map(|batched| (&*batched.sample.source, &*batched.sample.field))
        .collect();
    let late = |(number, batched): (usize, &Batched<'_>)| {
        let Batched { sample, samples, .. } = *batched;
        let series = table.adopted(sample)?;
        let at = sample.at.as_second();
        let is_late = at <= series.newest
            && series.latest.flatten().is_some_and(|(latest, _)| at <= latest)
            && !changing.contains(&(&*sample.source, &*sample.field));
        // A speed that was recorded without its direction belongs to one that may be stored.
        let weighs_another = speeds::of_sample(sample).is_some()
            && table.has_directions(&sample.source)
            && !speeds::has_direction(samples, sample);
        if !is_late || weighs_another {
            return None;
        }
        let qualifier = match series.over_time {
            OverTime::Sum => sample.period.map(|period| period.as_secs_f64()).or(series.period),
            OverTime::Circular => Some(speeds::beside(samples, sample)?),
            _ => None,
        };
        let new = Observation { at, value: sample.value.get(), qualifier };
        let (series, over_time) = (series.id, series.over_time);
        Some(Late { number, series, over_time, new, corrects: sample.corrects })
    };
    batch.iter().enumerate().filter_map(late).collect()
}

/// Returns the later of two observations, as time and number; the first one if both have one time.
fn later(one: Option<(i64, f64)>, other: Option<(i64, f64)>) -> Option<(i64, f64)> {
    match (one, other) {
        (Some(one), Some(other)) if other.0 > one.0 => Some(other),
        (one, other) => one.or(other),
    }
}

/// Rows of the database around late observations.
struct Known {
    /// Neighbours of each observation, by its number.
    around: Vec<Around>,
    /// Places of the observations, and of those after them, by series and quarter.
    places: BTreeMap<(i64, i64), Place>,
    next_places: BTreeMap<(i64, i64), NextPlace>,
}

/// Neighbours of an observation. Only those of counters and amounts have any.
struct Around {
    stored: Option<Observation>,
    previous: Option<(i64, f64)>,
    next: Option<Observation>,
}

/// Quarter and day of observations.
struct Place {
    quarter: i64,
    day: QuarterDay,
    /// Latest observation before the quarter, by the rollups.
    before: Option<(i64, f64)>,
    /// Numbers of observations by the quarter's row, and of those that are stored; then the same of the day, by the
    /// quarters of it that are stored.
    counts: [(i64, i64); 2],
}

impl Place {
    fn is_complete(&self) -> bool {
        self.counts.iter().all(|(counted, stored)| stored >= counted)
    }

    fn add(
        &self,
        session: &Session<'_>,
        late: &Late,
        previous: Option<(i64, f64)>,
    ) -> Result<(), StoreError> {
        let bucket = Totals::after(previous, late.over_time).next(&late.new);
        session.append(late.series, &late.new)?;
        for (tier, at) in [(Tier::Quarter, self.quarter), (Tier::Day, self.day.at)] {
            session.add_rollup(tier, late.series, &Bucket { at, ..bucket })?;
        }
        Ok(())
    }
}

/// Quarter and day of the observation after a late one.
struct NextPlace {
    quarter: i64,
    day: QuarterDay,
}

/// Observations at and around wanted times. PostgreSQL looks up each by the key: a join would be planned by statistics,
/// which a new partition does not have.
const AROUND: &str = "SELECT stored.value, stored.qualifier, previous.at, previous.value, \
    next.at, next.value, next.qualifier \
    FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) \
    WITH ORDINALITY AS wanted (series, at, has_neighbours, number) \
    LEFT JOIN LATERAL (SELECT value, qualifier FROM raw WHERE raw.series = wanted.series \
    AND raw.at = wanted.at LIMIT 1) AS stored ON true \
    LEFT JOIN LATERAL (SELECT at, value FROM raw WHERE wanted.has_neighbours \
    AND raw.series = wanted.series AND raw.at < wanted.at ORDER BY at DESC LIMIT 1) AS previous ON true \
    LEFT JOIN LATERAL (SELECT at, value, qualifier FROM raw WHERE wanted.has_neighbours \
    AND raw.series = wanted.series AND raw.at > wanted.at ORDER BY at LIMIT 1) AS next ON true \
    ORDER BY number";

/// Counts of quarters, of their observations, and the latest observation before each, by the rollups.
const QUARTERS: &str = "SELECT coalesce((SELECT count FROM quarter \
    WHERE quarter.series = wanted.series AND quarter.at = wanted.at), 0), \
    (SELECT count(*) FROM raw WHERE raw.series = wanted.series \
    AND raw.at >= wanted.begins AND raw.at < wanted.begins + 900), \
    quarters.last_at, quarters.last, days.last_at, days.last \
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
    WITH ORDINALITY AS wanted (series, at, begins, number) \
    LEFT JOIN LATERAL (SELECT last_at, last FROM quarter WHERE quarter.series = wanted.series \
    AND quarter.at < wanted.begins AND quarter.last_at < wanted.begins \
    ORDER BY quarter.at DESC LIMIT 1) AS quarters ON true \
    LEFT JOIN LATERAL (SELECT last_at, last FROM day WHERE day.series = wanted.series \
    AND day.at < wanted.begins AND day.last_at < wanted.begins \
    ORDER BY day.at DESC LIMIT 1) AS days ON true \
    ORDER BY number";

/// Days that may have wanted quarters, the latest ones first.
const DAYS: &str = "SELECT wanted.series, wanted.at, days.at, days.last_at \
    FROM unnest($1::bigint[], $2::bigint[]) AS wanted (series, at) \
    CROSS JOIN LATERAL (SELECT at, last_at FROM day WHERE day.series = wanted.series \
    AND day.at > wanted.at - $3 AND day.at <= wanted.at ORDER BY at DESC LIMIT 1000) AS days \
    ORDER BY 1, 2, 3 DESC";

/// Counts of days, and of their quarters.
const DAY_COUNTS: &str = "SELECT coalesce((SELECT count FROM day \
    WHERE day.series = wanted.series AND day.at = wanted.at), 0), \
    coalesce((SELECT sum(count) FROM quarter WHERE quarter.series = wanted.series \
    AND quarter.at >= wanted.begins AND quarter.at < wanted.ends), 0)::bigint \
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
    WITH ORDINALITY AS wanted (series, at, begins, ends, number) ORDER BY number";

impl Known {
    /// Reads, in two round trips, what `all` depend on. The calendar has the days to come.
    fn read(
        session: &Session<'_>,
        calendar: &mut Calendar,
        all: &[Late],
    ) -> Result<Known, StoreError> {
        let quarters = Quarters::of(all.iter().map(|late| (late, late.new.at)));
        let series: Vec<i64> = all.iter().map(|late| late.series).collect();
        let times: Vec<i64> = all.iter().map(|late| late.new.at).collect();
        let has_neighbours: Vec<Option<bool>> =
            all.iter().map(|late| Some(depends_on_previous(late.over_time))).collect();
        let wanted = [Param::I64s(&series), Param::I64s(&times), Param::Bools(&has_neighbours)];
        let of_quarters = quarters.params();
        let of_days = quarters.params_of_days();
        let outcomes = session.run(&[
            Statement::new(AROUND, &wanted),
            Statement::new(QUARTERS, &of_quarters),
            Statement::new(DAYS, &of_days),
        ])?;
        let [around, counts, days] = three(&outcomes)?;
        let around = around.rows().zip(&times).map(|(row, at)| Around::read(row, *at));
        let around = around.collect::<Result<Vec<Around>, StoreError>>()?;
        let days = quarters.days(calendar, days)?;
        let mut places = BTreeMap::new();
        for ((key, day), row) in quarters.keys().zip(&days).zip(counts.rows()) {
            let pair = |at, value| {
                Ok::<_, StoreError>(row.optional_i64(at)?.zip(row.optional_f64(value)?))
            };
            let before = later(pair(2, 3)?, pair(4, 5)?);
            let counts = [(row.i64(0)?, row.i64(1)?), (0, 0)];
            places.insert(key, Place { quarter: key.1, day: *day, before, counts });
        }

        let after =
            all.iter().zip(&around).filter_map(|(late, around)| Some((late, around.next?.at)));
        let next = Quarters::of(after);
        let starts: Vec<i64> = days.iter().map(|day| day.at).collect();
        let from: Vec<i64> = days.iter().map(|day| day.from).collect();
        let to: Vec<i64> = days.iter().map(|day| day.to).collect();
        let spans = [
            Param::I64s(&quarters.series),
            Param::I64s(&starts),
            Param::I64s(&from),
            Param::I64s(&to),
        ];
        let of_days = next.params_of_days();
        let outcomes =
            session.run(&[Statement::new(DAY_COUNTS, &spans), Statement::new(DAYS, &of_days)])?;
        let [counts, days] = outcomes.as_slice() else { return Err(missing()) };
        for (place, row) in places.values_mut().zip(counts.rows()) {
            place.counts[1] = (row.i64(0)?, row.i64(1)?);
        }
        let days = next.days(calendar, days)?;
        let next_places = next.keys().zip(days);
        let next_places =
            next_places.map(|(key, day)| (key, NextPlace { quarter: key.1, day })).collect();
        Ok(Known { around, places, next_places })
    }
}

impl Around {
    /// Reads a row of [`AROUND`].
    fn read(row: Row<'_>, at: i64) -> Result<Around, StoreError> {
        let stored = row.optional_f64(0)?;
        let qualifier = row.optional_f64(1)?;
        let previous = row.optional_i64(2)?.zip(row.optional_f64(3)?);
        let next = row.optional_i64(4)?.zip(row.optional_f64(5)?);
        let of_next = row.optional_f64(6)?;
        Ok(Around {
            stored: stored.map(|value| Observation { at, value, qualifier }),
            previous,
            next: next.map(|(at, value)| Observation { at, value, qualifier: of_next }),
        })
    }
}

/// Quarters of observations as columns, each once, in the order of series and time.
struct Quarters {
    series: Vec<i64>,
    at: Vec<i64>,
    /// Time of the first observation that may belong to each.
    begins: Vec<i64>,
    over_time: Vec<OverTime>,
}

impl Quarters {
    fn of<'l>(observations: impl Iterator<Item = (&'l Late, i64)>) -> Quarters {
        let keys: BTreeMap<(i64, i64), OverTime> =
            observations.map(|(late, at)| (late.quarter_at(at), late.over_time)).collect();
        let begins = keys.iter().map(|((_, at), over_time)| at + shift(*over_time)).collect();
        Quarters {
            series: keys.keys().map(|key| key.0).collect(),
            at: keys.keys().map(|key| key.1).collect(),
            begins,
            over_time: keys.into_values().collect(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = (i64, i64)> {
        self.series.iter().copied().zip(self.at.iter().copied())
    }

    /// Returns the parameters of [`QUARTERS`].
    fn params(&self) -> [Param<'_>; 3] {
        [Param::I64s(&self.series), Param::I64s(&self.at), Param::I64s(&self.begins)]
    }

    /// Returns the parameters of [`DAYS`].
    fn params_of_days(&self) -> [Param<'_>; 3] {
        [Param::I64s(&self.series), Param::I64s(&self.at), Param::I64(LONGEST_DAY)]
    }

    /// Returns the day of each quarter, from the rows of [`DAYS`].
    fn days(
        &self,
        calendar: &mut Calendar,
        found: &Outcome,
    ) -> Result<Vec<QuarterDay>, StoreError> {
        let mut rows: BTreeMap<(i64, i64), Vec<(i64, i64)>> = BTreeMap::new();
        for row in found.rows() {
            let of_quarter = rows.entry((row.i64(0)?, row.i64(1)?)).or_default();
            of_quarter.push((row.i64(2)?, row.i64(3)?));
        }
        let days = self.keys().zip(&self.over_time).map(|(key, over_time)| {
            let found = rows.get(&key).map_or(&[][..], Vec::as_slice);
            QuarterDay::among(calendar, found, *over_time, key.1)
        });
        Ok(days.collect())
    }
}

fn three(outcomes: &[Outcome]) -> Result<[&Outcome; 3], StoreError> {
    match outcomes {
        [one, two, three] => Ok([one, two, three]),
        _ => Err(missing()),
    }
}

fn missing() -> StoreError {
    StoreError::Damaged("a statement has no result".to_owned())
}

const _: () = assert!(QUARTER == 900, "as in QUARTERS");
