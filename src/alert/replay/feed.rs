//! Recorded rows of the fields of a source, merged by time, a page at a time.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::ReplayError;
use super::report::Extent;
use crate::history::{Bucket, History, Points, QUARTER, Step, Window};
use crate::units::{OverTime, Unit};

/// Row of a field: an observation, or a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) bucket: Bucket,
    pub(super) is_quarter: bool,
}

/// Rows of one field, earliest first.
pub(super) struct Feed {
    /// Rows that are left: first the quarters of an hour, then the observations.
    parts: Vec<(Points, bool)>,
    head: Option<Row>,
    unit: Option<Unit>,
    over_time: OverTime,
    rows: u64,
    /// Times in seconds since 1970.
    begin: i64,
    quarters_before: i64,
    days_before: i64,
}

impl Feed {
    /// Opens the rows of a field within a span of time.
    pub(super) fn open(
        history: &History,
        source: &str,
        field: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Feed, ReplayError> {
        let (from, to) = (from.as_second(), to.as_second() + 1);
        let points = |from, to, step| {
            let (source, field) = (source.to_owned(), field.to_owned());
            history.points(Window { source, field, from, to, step })
        };
        let mut feed = Feed {
            parts: Vec::new(),
            head: None,
            unit: None,
            over_time: OverTime::Last,
            rows: 0,
            begin: from,
            quarters_before: from,
            days_before: from,
        };
        let Some(observations) = points(from, to, Step::Raw)? else { return Ok(feed) };
        (feed.unit, feed.over_time) = (observations.unit(), observations.over_time());
        let (raw_since, quarters_since) = (observations.raw_since(), observations.quarters_since());
        if raw_since <= from {
            feed.parts.push((observations, false));
        } else {
            // The quarter in which the observations begin is read as a whole.
            let split =
                (raw_since - 1).div_euclid(QUARTER).saturating_add(1).saturating_mul(QUARTER);
            let split = split.min(to);
            feed.quarters_before = split;
            feed.days_before = from.max(quarters_since).min(split);
            if feed.days_before < split
                && let Some(quarters) = points(feed.days_before, split, Step::Seconds(QUARTER))?
            {
                feed.parts.push((quarters, true));
            }
            if split < to
                && let Some(observations) = points(split, to, Step::Raw)?
            {
                feed.parts.push((observations, false));
            }
        }
        feed.parts.reverse();
        feed.advance()?;
        Ok(feed)
    }

    /// Returns the unit of the numbers.
    pub(super) fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Returns the aggregation of the field over time.
    pub(super) fn over_time(&self) -> OverTime {
        self.over_time
    }

    /// Returns what has been read, as of a replay from `from` on.
    pub(super) fn extent(&self, source: &Arc<str>, from: Timestamp) -> Extent {
        let from = from.as_second().max(self.begin);
        let later = |second: i64| {
            Some(second)
                .filter(|&second| second > from)
                .and_then(|s| Timestamp::from_second(s).ok())
        };
        Extent {
            source: source.clone(),
            rows: Some(self.rows),
            quarters_before: later(self.quarters_before),
            days_before: later(self.days_before),
            fault: None,
        }
    }

    /// Reads the next row.
    fn advance(&mut self) -> Result<(), ReplayError> {
        self.head = None;
        while let Some((points, is_quarter)) = self.parts.last_mut() {
            if let Some(bucket) = points.next() {
                self.head = Some(Row { bucket: bucket?, is_quarter: *is_quarter });
                self.rows += 1;
                return Ok(());
            }
            self.parts.pop();
        }
        Ok(())
    }
}

/// Reads the next rows: `moment` has for each feed its row of the earliest time, if it has one. Returns that time, in
/// seconds since 1970; `None` at the end.
pub(super) fn next_moment(
    feeds: &mut [Feed],
    moment: &mut Vec<Option<Row>>,
) -> Result<Option<i64>, ReplayError> {
    let heads = feeds.iter().filter_map(|feed| Some(feed.head?.bucket.last_at));
    let Some(at) = heads.min() else { return Ok(None) };
    moment.clear();
    for feed in feeds {
        let row = feed.head.filter(|row| row.bucket.last_at == at);
        if row.is_some() {
            feed.advance()?;
        }
        moment.push(row);
    }
    Ok(Some(at))
}
