//! Reads the recorded samples that the board's trends start from.
//!
//! A trend of a tank needs two parts of the history: two months in quarters of an hour, to find the last
//! refill, and the length of its longest change in the finest rows available. Other trends need the second
//! part only. The parts are joined to one series for each field, the coarse part first.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::calendar::QUARTER;
use super::handle::History;
use super::plan::{Step, Window};
use crate::board::{Finite, Sample};
use crate::config::{Source, TrendSettings};
use crate::units::OverTime;

/// Time in which a tank's last refill is searched for.
const REFILL_LOOKBACK: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Step by which amounts of single observations are added up, in seconds.
const AMOUNT_STEP: i64 = 60;

/// A span of time of one field that ends now.
struct Lookback {
    source: Arc<str>,
    field: Arc<str>,
    back: Duration,
    step: Step,
}

/// Returns the spans that the trends of these sources need. The longest and coarsest span of a field comes
/// first.
fn lookbacks(sources: &[Source]) -> Vec<Lookback> {
    let of_field = |source: &Source, trend: &TrendSettings, field: &Arc<str>| {
        let lookback =
            |back, step| Lookback { source: source.name.clone(), field: field.clone(), back, step };
        let longest = trend.changes.iter().copied().fold(trend.rate_over, Duration::max);
        let refills = trend.tank.map(|_| lookback(REFILL_LOOKBACK, Step::Seconds(QUARTER)));
        // A quarter longer, since the value at the start of a change is interpolated.
        let recent = lookback(longest + longest / 4, Step::Auto);
        refills.into_iter().chain([recent])
    };
    let mut lookbacks = Vec::new();
    for source in sources {
        for trend in &source.trends {
            lookbacks.extend(trend.fields.iter().flat_map(|field| of_field(source, trend, field)));
        }
    }
    lookbacks
}

/// Returns the recorded samples that the trends of these sources start from.
///
/// A coarse span ends where the finer one of the same field begins. If the history cannot be read, the error
/// is logged and the samples read so far are returned: the trends then start with fewer observations.
pub fn trend_samples(history: &History, sources: &[Source], now: Timestamp) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for lookback in lookbacks(sources) {
        let begin = now.as_second().saturating_sub_unsigned(lookback.back.as_secs());
        samples.retain(|sample| {
            sample.at.as_second() < begin
                || (&sample.source, &sample.field) != (&lookback.source, &lookback.field)
        });
        let mut window = Window {
            source: lookback.source.to_string(),
            field: lookback.field.to_string(),
            from: begin,
            to: now.as_second() + 1,
            step: lookback.step,
        };
        let points = history.points(window.clone()).and_then(|points| match points {
            // Amounts may overlap; those of steps do not.
            Some(points)
                if points.over_time() == OverTime::Sum && points.step_seconds().is_none() =>
            {
                window.step = Step::Seconds(AMOUNT_STEP);
                history.points(window)
            }
            other => Ok(other),
        });
        let points = match points {
            Ok(Some(points)) => points,
            Ok(None) => continue,
            Err(error) => {
                log::warn!(
                    "cannot read the history for trends: {error}; trends start with new observations"
                );
                return samples;
            }
        };
        let (unit, over_time) = (points.unit(), points.over_time());
        let length = match over_time {
            // An amount has the time at which its step ends.
            OverTime::Sum => points.step_seconds().unwrap_or(0),
            _ => 0,
        };
        samples.extend(points.map_while(Result::ok).filter_map(|point| {
            let number = match over_time {
                OverTime::Sum => point.value(over_time)?,
                _ => point.last,
            };
            let at = Timestamp::from_second(point.at + length).ok()?.min(now);
            let (source, field) = (lookback.source.clone(), lookback.field.clone());
            let sample = Sample::new(source, field, at, Finite::new(number)?, unit);
            Some(Sample { over_time, ..sample })
        }));
    }
    samples
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::board::Change;
    use crate::config;
    use crate::history::import;
    use crate::units::Unit;

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
            let samples = trend_samples(&history, &sources, now);
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
