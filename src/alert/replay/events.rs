//! Rules on stale and failing sources during a replay, by the events of the source.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::rule::{moved, signed};
use super::super::sight::{FailureSight, Sight, SourceSight};
use super::event_log::SourceEvent;
use super::subject::Subject;
use crate::board::{EventKind, State};
use crate::config::Source;

/// State of a source by its events.
struct Known {
    state: State,
    stale_at: Option<Timestamp>,
    /// Begin and message of the present failure.
    failing: Option<SourceEvent>,
    fetched_at: Option<Timestamp>,
}

/// Shows the events of a source to a rule, earliest first, and follows the clock up to `to`.
pub(super) fn replay(
    subject: &mut Subject,
    events: Vec<SourceEvent>,
    source: &Source,
    zone: &TimeZone,
    to: Timestamp,
) {
    let mut known =
        Known { state: State::Waiting, stale_at: None, failing: None, fetched_at: None };
    let mut events = events.into_iter().peekable();
    while let Some(event) = events.next() {
        let at = event.at;
        match event.kind {
            EventKind::Stale => (known.state, known.stale_at) = (State::Stale, Some(at)),
            EventKind::Fresh => (known.state, known.stale_at) = (State::Fresh, None),
            EventKind::ErrorBegan => known.failing = Some(event),
            EventKind::ErrorEnded => (known.failing, known.fetched_at) = (None, Some(at)),
            EventKind::Started if known.failing.is_some() => {
                // A start forgets the failure. If the first polls fail, it is noted anew; if not, it has ended.
                let by = moved(at, signed(source.stale_after));
                let goes_on = events
                    .peek()
                    .is_some_and(|next| next.kind == EventKind::ErrorBegan && next.at <= by);
                known.failing = None;
                if !goes_on {
                    known.fetched_at = Some(at);
                }
            }
            _ => continue,
        }
        subject.observe(&known.sight(), at, zone, false);
    }
    subject.advance(to, zone);
}

impl Known {
    fn sight(&self) -> Sight<'_> {
        Sight::Source(SourceSight {
            state: self.state,
            stale_at: self.stale_at,
            observed_at: None,
            // No event says when it will turn stale.
            waiting_until: Timestamp::MAX,
            fetched_at: self.fetched_at,
            failing: self.failing.as_ref().map(|event| FailureSight {
                since: event.at,
                failures: 1,
                message: &event.detail,
            }),
        })
    }
}
