//! Reads the recorded samples that the board's trends start from.
//!
//! A trend of a tank needs two parts of the history: two months in quarters of an hour, to find the last
//! refill, and the length of its longest change in the finest rows available. Other trends need the second
//! part only. The parts are joined to one series for each field, the coarse part first.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::bucket::Bucket;
use super::calendar::QUARTER;
use super::error::HistoryError;
use super::handle::History;
use super::plan::{Step, Window};
use super::points::Points;
use crate::board::{Finite, Sample};
use crate::config::{Source, TrendSettings};
use crate::units::{OverTime, Unit, rise};

/// Time in which a tank's last refill is searched for.
const REFILL_LOOKBACK: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Step by which amounts of single observations are added up, in seconds.
const AMOUNT_STEP: i64 = 60;

/// Difference of rises that is one of rounding, relative to the rise.
const ROUNDING: f64 = 1e-6;

/// A span of time of one field that ends now.
struct Lookback {
    field: Arc<str>,
    back: Duration,
    step: Step,
}

/// Returns the spans that the trends of a source need. The longest and coarsest span of a field comes
/// first.
fn lookbacks(source: &Source) -> Vec<Lookback> {
    let of_field = |trend: &TrendSettings, field: &Arc<str>| {
        let lookback = |back, step| Lookback { field: field.clone(), back, step };
        let longest = trend.changes.iter().copied().fold(trend.rate_over, Duration::max);
        let refills = trend.tank.map(|_| lookback(REFILL_LOOKBACK, Step::Seconds(QUARTER)));
        // A quarter longer, since the value at the start of a change is interpolated.
        let recent = lookback(longest + longest / 4, Step::Auto);
        refills.into_iter().chain([recent])
    };
    let mut lookbacks = Vec::new();
    for trend in &source.trends {
        lookbacks.extend(trend.fields.iter().flat_map(|field| of_field(trend, field)));
    }
    lookbacks
}

/// Recorded samples that the trends of sources start from, read source by source: those of a tank are two months,
/// so those of thousands of tanks would take gigabytes at once.
#[derive(Debug)]
pub struct TrendSamples {
    /// The next source is the last.
    sources: Vec<Arc<Source>>,
    /// Attempts to read the next source for which no connection was free.
    attempts: u32,
}

/// Most attempts to read a source while requests use all connections. Each waits for a quarter of a second.
const MAX_ATTEMPTS: u32 = 20;

impl TrendSamples {
    /// Returns those of these sources.
    pub fn new(sources: &[Arc<Source>]) -> TrendSamples {
        let sources = sources.iter().rev().filter(|source| !source.trends.is_empty());
        TrendSamples { sources: sources.cloned().collect(), attempts: 0 }
    }

    /// Reads the samples of the next source; returns `None` if there is no other.
    ///
    /// If the history cannot be read, the error is logged and nothing more is read: the trends of the other sources
    /// start without observations.
    pub fn next(&mut self, history: &History, now: Timestamp) -> Option<Vec<Sample>> {
        let source = self.sources.last()?;
        match trend_samples(history, source, now) {
            Err(HistoryError::Busy) if self.attempts < MAX_ATTEMPTS => {
                self.attempts += 1;
                Some(Vec::new())
            }
            Err(error) => {
                log::warn!(
                    "cannot read the history for trends: {error}; trends start with new observations"
                );
                None
            }
            Ok(samples) => {
                self.sources.pop();
                self.attempts = 0;
                Some(samples)
            }
        }
    }
}

/// Returns the recorded samples that the trends of a source start from. A coarse span ends where the finer one of the
/// same field begins.
fn trend_samples(
    history: &History,
    source: &Source,
    now: Timestamp,
) -> Result<Vec<Sample>, HistoryError> {
    let mut samples: Vec<Sample> = Vec::new();
    for Lookback { field, back, step } in lookbacks(source) {
        let begin = now.as_second().saturating_sub_unsigned(back.as_secs());
        samples.retain(|sample| sample.at.as_second() < begin || sample.field != field);
        let window = Window {
            source: source.name.to_string(),
            field: field.to_string(),
            from: begin,
            to: now.as_second() + 1,
            step,
        };
        let Some((points, unit, over_time)) = read(history, window)? else { continue };
        samples.extend(points.into_iter().filter_map(|(at, number)| {
            let at = Timestamp::from_second(at).ok()?.min(now);
            let (source, field) = (source.name.clone(), field.clone());
            let sample = Sample::new(source, field, at, Finite::new(number)?, unit);
            Some(Sample { over_time, ..sample })
        }));
    }
    Ok(samples)
}

/// Times and numbers of a trend, with the unit and the aggregation of the field.
type Numbers = (Vec<(i64, f64)>, Option<Unit>, OverTime);

/// Reads a window. Each step has the time of its latest observation.
fn read(history: &History, window: Window) -> Result<Option<Numbers>, HistoryError> {
    let Some(points) = history.points(window.clone())? else { return Ok(None) };
    let (unit, over_time) = (points.unit(), points.over_time());
    let step = points.step_seconds();
    let collect = |points: Points| {
        let all: Result<Vec<Bucket>, _> = points.collect();
        all.map_err(|error| history.report_read_error(error))
    };
    let mut all = collect(points)?;
    if over_time == OverTime::Sum && step.is_none_or(|step| step > AMOUNT_STEP) {
        // Single amounts may overlap; those of steps do not. The latest step is read in short ones, since the
        // restored reading replaces the one with its time.
        let from = match (step, all.pop()) {
            (Some(_), Some(latest)) => latest.at.max(window.from),
            _ => window.from,
        };
        all.retain(|point| point.at < from);
        let step = Step::Seconds(AMOUNT_STEP);
        all.extend(
            history.points(Window { from, step, ..window })?.map_or(Ok(Vec::new()), collect)?,
        );
    }
    let mut before: Option<f64> = None;
    let mut numbers = Vec::with_capacity(all.len());
    for point in &all {
        match over_time {
            OverTime::Sum => {
                numbers.extend(point.value(over_time).map(|amount| (point.last_at, amount)));
            }
            OverTime::Increase if step.is_some() => {
                numbers.extend(hidden_reset(before, point).into_iter().flatten());
                numbers.push((point.last_at, point.last));
            }
            _ => numbers.push((point.last_at, point.last)),
        }
        before = Some(point.last);
    }
    Ok(Some((numbers, unit, over_time)))
}

/// Returns the readings of a counter around its reset within a step, if the latest numbers of the steps do not
/// show by how much it rose: the highest one and 0.
fn hidden_reset(before: Option<f64>, point: &Bucket) -> Option<[(i64, f64); 2]> {
    let (before, risen) = before.zip(point.value(OverTime::Increase))?;
    let Bucket { last, last_at, .. } = *point;
    let is_hidden = risen - rise(before, last) > ROUNDING * risen.abs().max(1.0);
    let highest = before + risen - last;
    (is_hidden && highest >= before).then_some([(last_at - 2, highest), (last_at - 1, 0.0)])
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::board::Change;
    use crate::config;
    use crate::history::import;
    use crate::units::Unit;

    /// Records observations of a field, given by the minutes before now, and returns the samples from which a trend
    /// of the latest `hours` starts.
    fn restarted(
        field: &str,
        over_time: OverTime,
        hours: u64,
        rows: &[(i64, f64)],
    ) -> Vec<(i64, f64)> {
        let text = format!(
            "[[source]]\nname = \"roof\"\nkind = \"json\"\nurl = \"http://127.0.0.1:1/\"\n\
             values.{field} = {{ pointer = \"/x\", over_time = \"{over_time}\" }}\n\
             trends.{field} = {{ changes = [\"{hours}h\"] }}\n"
        );
        let now: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let sample = |&(minutes, number): &(i64, f64)| {
            let at = Timestamp::from_second(now.as_second() - minutes * 60).unwrap();
            let number = Finite::new(number).unwrap();
            let sample = Sample::new("roof".into(), field.into(), at, number, None);
            Change::Observed(vec![Sample { over_time, ..sample }])
        };
        import(&path, &TimeZone::UTC, rows.iter().map(sample)).unwrap();
        let history = History::read_only(&path, TimeZone::UTC);
        let sources = config::parse("p".as_ref(), &text, &|_| None).unwrap().sources;
        let samples = trend_samples(&history, &sources[0], now).unwrap();
        let minutes = |sample: &Sample| (now.as_second() - sample.at.as_second()).div_euclid(60);
        samples.iter().map(|sample| (minutes(sample), sample.value.get())).collect()
    }

    #[test]
    fn samples_are_read_source_by_source_and_not_at_all_without_a_file() {
        let source = |name: &str, trend: &str| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://127.0.0.1:1/\"\n\
                 values.x.pointer = \"/x\"\n{trend}"
            )
        };
        let text = [
            source("a", "trends.x = {}\n"),
            source("b", ""),
            source("c", "trends.x = {}\n"),
            source("d", "trends.x = {}\n"),
        ];
        let sources = config::parse("p".as_ref(), &text.concat(), &|_| None).unwrap().sources;
        let now: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let sample = |name: &str| {
            let number = Finite::new(1.0).unwrap();
            Change::Observed(vec![Sample::new(name.into(), "x".into(), now, number, None)])
        };
        import(&path, &TimeZone::UTC, ["a", "b", "d"].map(sample)).unwrap();
        let read = |history: &History| {
            let mut samples = TrendSamples::new(&sources);
            let pieces = std::iter::from_fn(move || samples.next(history, now));
            let names = |piece: Vec<Sample>| {
                piece.iter().map(|sample| sample.source.to_string()).collect::<Vec<_>>()
            };
            pieces.map(names).collect::<Vec<_>>()
        };
        let history = History::read_only(&path, TimeZone::UTC);
        assert_eq!(read(&history), [vec!["a"], vec![], vec!["d"]]);
        let none = History::read_only(&folder.path().join("none.db"), TimeZone::UTC);
        assert_eq!(read(&none), [[""; 0]; 0]);
    }

    #[test]
    fn numbers_of_steps_have_the_times_at_which_they_were_observed() {
        // Every seven minutes, for a trend that is read in quarters of an hour.
        let rows: Vec<(i64, f64)> =
            (1..1500).rev().map(|n| (n * 7, f64::from((n * 37 % 360) as i32))).collect();
        for over_time in [OverTime::Mean, OverTime::Max, OverTime::Last, OverTime::Circular] {
            let samples = restarted("vane", over_time, 140, &rows);
            assert!((690..720).contains(&samples.len()), "{over_time} {}", samples.len());
            assert!(samples.iter().all(|sample| rows.contains(sample)), "{over_time}");
            assert_eq!(samples.last(), rows.last(), "{over_time}");
        }
    }

    #[test]
    fn counter_rises_by_as_much_after_a_restart_wherever_it_was_reset() {
        let rises = |rows: &[(i64, f64)]| -> f64 {
            rows.windows(2).map(|pair| rise(pair[0].1, pair[1].1)).sum()
        };
        // Every seven minutes; it is reset once a day, within a step, and is at once higher or lower than before.
        for after_reset in [0.0, 3.0, 90.0, 400.0] {
            let number = |n: i64| match n % 205 {
                0 => 350.0,
                tick => after_reset + (205 - tick) as f64,
            };
            let rows: Vec<(i64, f64)> = (1..1500).rev().map(|n| (n * 7, number(n))).collect();
            let samples = restarted("rain_today", OverTime::Increase, 140, &rows);
            assert!((690..730).contains(&samples.len()), "{}", samples.len());
            let first = rows.iter().position(|row| row == &samples[0]).unwrap();
            let (found, expected) = (rises(&samples), rises(&rows[first..]));
            assert!((found - expected).abs() < 1e-6, "{after_reset}: {found} and not {expected}");
            assert_eq!(samples.last(), rows.last());
        }
    }

    #[test]
    fn latest_amount_of_steps_is_a_single_one() {
        let rows: Vec<(i64, f64)> = (1..1500).rev().map(|n| (n * 7, 1.0)).collect();
        let samples = restarted("drips", OverTime::Sum, 140, &rows);
        assert_eq!(samples.last(), rows.last(), "a restored reading replaces it");
        let all = rows.iter().filter(|row| row.0 <= 140 * 60 * 5 / 4).count();
        assert_eq!(samples.iter().map(|sample| sample.1).sum::<f64>(), all as f64);
        assert!((690..730).contains(&samples.len()), "{}", samples.len());
    }

    #[test]
    fn amounts_start_trends_without_their_overlap() {
        let text = "[[source]]\nname = \"roof\"\nkind = \"json\"\nurl = \"http://127.0.0.1:1/\"\n\
                    values.rain = { pointer = \"/rain\", unit = \"mm\" }\n\
                    trends.rain = { changes = [\"1h\", \"7d\"] }\n";
        let now: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        // The amount of the last hour, every ten minutes of two days.
        let sample = |n: i64| {
            let at = Timestamp::from_second(now.as_second() - n * 600).unwrap();
            let number = Finite::new(6.0).unwrap();
            let unit = Some(Unit::Millimetre);
            let sample = Sample::new("roof".into(), "rain".into(), at, number, unit);
            Change::Observed(vec![Sample { period: Some(Duration::from_secs(3600)), ..sample }])
        };
        import(&path, &TimeZone::UTC, (0..288).rev().map(sample)).unwrap();
        let history = History::read_only(&path, TimeZone::UTC);
        let total = |text: &str| {
            let sources = config::parse("p".as_ref(), text, &|_| None).unwrap().sources;
            let samples = trend_samples(&history, &sources[0], now).unwrap();
            assert!(samples.iter().all(|sample| sample.at <= now && sample.period.is_none()));
            let amounts = samples.iter().map(|sample| sample.value.get()).sum::<f64>();
            (samples.len(), (amounts * 1e6).round() / 1e6)
        };
        // The first amount has no other before it, and counts as a whole.
        assert_eq!(total(text), (192 + 1, 287.0 + 6.0));
        // The two hours of the rate, and a quarter of them: the amounts of 15:00 to 17:20.
        assert_eq!(total(&text.replace(", \"7d\"", "")), (15, 15.0));
    }
}
