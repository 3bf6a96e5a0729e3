//! Reads the recorded observations from which the windows of rules start.
//!
//! A rule on a fall within an hour, or on a tank that has not been refilled for days, needs the observations of that
//! time. After a restart they come from the history: subject by subject, since those of thousands of sources at once
//! would take gigabytes.

use std::sync::Arc;

use jiff::Timestamp;

use super::incident::SubjectKey;
use super::rule::Rule;
use super::settings::Settings;
use crate::config::AlertRule;
use crate::history::{Bucket, History, HistoryError, Points, Step, Window};
use crate::units::{OverTime, Unit};

/// Recorded observations of a subject, earliest first.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSamples {
    /// Rule and source.
    pub key: SubjectKey,
    /// Unit of the numbers.
    pub unit: Option<Unit>,
    /// Times and numbers.
    pub samples: Vec<(Timestamp, f64)>,
}

/// Subjects whose windows start from recorded observations.
pub struct RecordedWindows {
    /// The next subject is the last.
    subjects: Vec<(SubjectKey, Arc<Rule>)>,
    /// Attempts to read the next subject for which no connection was free.
    attempts: u32,
}

/// Most attempts to read a subject while requests use all connections. Each waits for a quarter of a second.
const MAX_ATTEMPTS: u32 = 20;

impl RecordedWindows {
    /// Returns the subjects of all rules with a window.
    pub fn new(settings: &Settings) -> RecordedWindows {
        let mut subjects = Vec::new();
        for alert in &settings.alerts {
            let rule = Arc::new(Rule::new(alert.clone()));
            let (Some(_), AlertRule::Field { sources, .. }) = (rule.window(), &alert.rule) else {
                continue;
            };
            let selected = settings
                .sources
                .iter()
                .filter(|facts| sources.selects(&facts.name, facts.group.as_deref()));
            subjects.extend(selected.map(|facts| {
                let source = Some(facts.name.clone());
                (SubjectKey { alert: alert.name.clone(), source, replica: None }, rule.clone())
            }));
        }
        subjects.reverse();
        RecordedWindows { subjects, attempts: 0 }
    }

    /// Reads the samples of the next subject, if it has any; returns `None` if there is no other.
    ///
    /// If the history cannot be read, the error is logged and nothing more is read: the other windows start with new
    /// observations.
    pub fn next(&mut self, history: &History, now: Timestamp) -> Option<Option<WindowSamples>> {
        let (key, rule) = self.subjects.last()?;
        match samples(history, key, rule, now) {
            Err(HistoryError::Busy) if self.attempts < MAX_ATTEMPTS => {
                self.attempts += 1;
                Some(None)
            }
            Err(error) => {
                log::warn!(
                    "cannot read the history for alerts: {error}; rules on changes within a time start with new \
                     observations"
                );
                None
            }
            Ok(samples) => {
                self.subjects.pop();
                self.attempts = 0;
                Some(samples)
            }
        }
    }
}

fn samples(
    history: &History,
    key: &SubjectKey,
    rule: &Rule,
    now: Timestamp,
) -> Result<Option<WindowSamples>, HistoryError> {
    let (Some(back), Some(source), AlertRule::Field { field, .. }) =
        (rule.window(), &key.source, &rule.alert().rule)
    else {
        return Ok(None);
    };
    let window = Window {
        source: source.to_string(),
        field: field.to_string(),
        from: now.as_second().saturating_sub_unsigned(back.as_secs()),
        to: now.as_second() + 1,
        step: Step::Auto,
    };
    let Some(points) = history.points(window)? else { return Ok(None) };
    let unit = points.unit();
    let read = |points: Points| -> Result<Vec<Bucket>, HistoryError> {
        let all: Result<Vec<Bucket>, _> = points.collect();
        all.map_err(|error| history.report_read_error(error))
    };
    let is_counter = points.over_time() == OverTime::Increase;
    let buckets = read(points)?;
    let samples = buckets.iter().flat_map(|bucket| observations(bucket, is_counter)).collect();
    Ok(Some(WindowSamples { key: key.clone(), unit, samples }))
}

/// Returns the observations that represent a bucket: its extremes within the step, then the latest one. A counter
/// rises from its lowest value to its highest: the other order would look like a reset.
fn observations(
    bucket: &Bucket,
    is_counter: bool,
) -> impl Iterator<Item = (Timestamp, f64)> + use<> {
    let &Bucket { at, min, max, last, last_at, count, .. } = bucket;
    let at = at.min(last_at);
    let (first, second) = if is_counter { (min, max) } else { (max, min) };
    let extremes = [(at, first), (at + (last_at - at) / 2, second)];
    // Of one observation all numbers are the same.
    let extremes = extremes.into_iter().filter(move |_| count > 1 && min < max);
    let all = extremes.chain([(last_at, last)]);
    all.filter_map(|(at, number)| Some((Timestamp::from_second(at).ok()?, number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Total;

    #[test]
    fn bucket_stands_for_its_extremes_and_its_latest_observation() {
        let t = |second| Timestamp::from_second(second).unwrap();
        let single = Bucket::single(900, 7.0);
        assert_eq!(observations(&single, false).collect::<Vec<_>>(), [(t(900), 7.0)]);
        let quarter = Bucket {
            at: 900,
            min: 3.0,
            max: 9.0,
            sum: 18.0,
            last: 6.0,
            last_at: 1_700,
            count: 3,
            total: Total::None,
            is_partial: false,
        };
        let expected = [(t(900), 9.0), (t(1_300), 3.0), (t(1_700), 6.0)];
        assert_eq!(observations(&quarter, false).collect::<Vec<_>>(), expected);
        let expected = [(t(900), 3.0), (t(1_300), 9.0), (t(1_700), 6.0)];
        assert_eq!(observations(&quarter, true).collect::<Vec<_>>(), expected);
    }
}
