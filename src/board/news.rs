//! What is worth recording of the change from one state of a source to the next.

use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Change, Event, EventKind, Sample};
use super::reading::{Datum, FieldName, Value};
use super::snapshot::{KeptReading, SourceView, State};

/// How a source stood before something happened.
pub(super) struct Standing {
    pub(super) state: State,
    observed: Option<Timestamp>,
    failing: Option<(Timestamp, u32)>,
}

impl Standing {
    pub(super) fn of(view: &SourceView) -> Standing {
        Standing {
            state: view.state,
            observed: view.reading.as_ref().map(|kept| kept.observed.at),
            failing: view.error.as_ref().map(|error| (error.since, error.failures)),
        }
    }

    /// What has changed since then.
    pub(super) fn until(&self, view: &SourceView, now: Timestamp) -> Vec<Change> {
        let mut news = Vec::new();
        if let Some(kept) = &view.reading
            && self.observed != Some(kept.observed.at)
        {
            news.push(Change::Observed(samples(&view.name, kept)));
        }
        let mut happened = |at, kind, detail: String| {
            let source = Some(view.name.clone());
            news.push(Change::Happened(Event { at, kind, source, detail: detail.into() }));
        };
        match (self.failing, &view.error) {
            (None, Some(failure)) => {
                let detail = format!("{}: {}", failure.kind, failure.message);
                happened(failure.since, EventKind::ErrorBegan, detail);
            }
            (Some((since, failures)), None) => {
                let times =
                    if failures == 1 { "1 poll".into() } else { format!("{failures} polls") };
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
                happened(now, EventKind::ErrorEnded, format!("{times} had failed since {since}"));
            }
            _ => {}
        }
        match (self.state, view.state, &view.reading) {
            (State::Fresh | State::Waiting, State::Stale, Some(kept)) => {
                let observed = kept.observed.at.strftime("%Y-%m-%dT%H:%M:%SZ");
                let detail = format!("the latest observation is of {observed}");
                happened(kept.stale_at.min(now), EventKind::Stale, detail);
            }
            (State::Stale, State::Fresh, _) => happened(now, EventKind::Fresh, String::new()),
            _ => {}
        }
        news
    }
}

/// The numbers of a reading that were measured.
pub(super) fn samples(source: &Arc<str>, kept: &KeptReading) -> Vec<Sample> {
    let sample = |(field, value): &(FieldName, Value)| match value.datum {
        Some(Datum::Number(number)) => Some(Sample {
            source: source.clone(),
            field: field.clone(),
            at: kept.observed.at,
            value: number,
            unit: value.unit,
        }),
        _ => None,
    };
    kept.values.iter().filter_map(sample).collect()
}
