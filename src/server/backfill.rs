//! What the trends of the board have to know of the past.

use std::time::Duration;

use jiff::Timestamp;

use crate::board::{Finite, Sample};
use crate::config::{Source, TrendSettings};
use crate::history::{History, QUARTER, Step, Window};

/// How far back a tank's last refill is looked for.
const REFILLS: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// A stretch of the past that somebody needs.
pub(super) struct Need {
    source: std::sync::Arc<str>,
    field: std::sync::Arc<str>,
    back: Duration,
    step: Step,
}

/// What the trends of these sources need, in the order in which they want to be told.
pub(super) fn needs(sources: &[Source]) -> Vec<Need> {
    let of = |source: &Source, trend: &TrendSettings, field: &std::sync::Arc<str>| {
        let need =
            |back, step| Need { source: source.name.clone(), field: field.clone(), back, step };
        let longest = trend.changes.iter().copied().fold(trend.rate_over, Duration::max);
        let refills = trend.tank.map(|_| need(REFILLS, Step::Seconds(QUARTER)));
        let recent = need(longest + longest / 4, Step::Auto);
        refills.into_iter().chain([recent])
    };
    let mut needs = Vec::new();
    for source in sources {
        for trend in &source.trends {
            needs.extend(trend.fields.iter().flat_map(|field| of(source, trend, field)));
        }
    }
    needs
}

/// As much of it as the history has; each stretch ends where the next finer one begins.
pub(super) fn fetch(history: &History, needs: &[Need], now: Timestamp) -> Vec<Sample> {
    let mut past: Vec<Sample> = Vec::new();
    for need in needs {
        let begin = now.as_second().saturating_sub_unsigned(need.back.as_secs());
        past.retain(|sample| {
            sample.at.as_second() < begin
                || (&sample.source, &sample.field) != (&need.source, &need.field)
        });
        let window = Window {
            source: need.source.to_string(),
            field: need.field.to_string(),
            from: begin,
            to: now.as_second() + 1,
            step: need.step,
        };
        let points = match history.points(window) {
            Ok(Some(points)) => points,
            Ok(None) => continue,
            Err(error) => {
                log::warn!("trends begin without a past: {error}");
                return past;
            }
        };
        let unit = points.unit();
        past.extend(points.map_while(Result::ok).filter_map(|point| {
            Some(Sample {
                source: need.source.clone(),
                field: need.field.clone(),
                at: Timestamp::from_second(point.at).ok()?,
                value: Finite::new(point.last)?,
                unit,
            })
        }));
    }
    past
}
