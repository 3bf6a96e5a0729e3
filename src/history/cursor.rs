//! Position of a read in one series: pages of rows, segment by segment.

use std::collections::VecDeque;

use super::bucket::{Bucket, Tier};
use super::error::StoreError;
use super::observation::{Observation, Totals, depends_on_previous, shift};
use super::pool::Reader;
use super::queries::{Page, Series};
use super::segment::Segment;

/// Position in one series of a field.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) series: Series,
    /// Rows that have been read ahead, in order.
    pub(super) page: VecDeque<Bucket>,
    /// Tier of the rows of the page.
    pub(super) tier: Tier,
    /// Segments that have not been read to their end, in order; the first is being read.
    segments: VecDeque<Segment>,
    /// Time of the latest row that was read of the first segment.
    after: Option<i64>,
    /// Totals of the single observations; `None` if each is a point of its own.
    totals: Option<Totals>,
    merges: bool,
}

impl Cursor {
    /// Returns a cursor before the first row. `merges` is true if rows are merged to steps.
    pub(super) fn new(series: Series, segments: &[Segment], merges: bool) -> Cursor {
        Cursor {
            series,
            page: VecDeque::new(),
            tier: Tier::Raw,
            segments: segments.iter().copied().collect(),
            after: None,
            totals: None,
            merges,
        }
    }

    /// Returns true if the next row has to be read.
    pub(super) fn needs_page(&self) -> bool {
        self.page.is_empty() && !self.segments.is_empty()
    }

    /// Reads the next page; returns its number of rows. The page may be empty, while there are further
    /// segments.
    pub(super) fn read_page(&mut self, reader: &Reader<'_>) -> Result<usize, StoreError> {
        let Some(segment) = self.segments.front().copied() else { return Ok(0) };
        self.tier = segment.tier;
        let (rows, next) = match segment.tier {
            Tier::Raw => self.read_observations(reader, segment)?,
            tier => {
                let span = (self.after.unwrap_or(segment.from - 1), segment.to);
                let page = reader.rollups(self.series.id, tier, span, reader.page_rows())?;
                (page.rows, page.next)
            }
        };
        self.page = rows.into();
        self.after = next;
        if next.is_none() {
            self.segments.pop_front();
            self.totals = None;
        }
        Ok(self.page.len().max(1))
    }

    /// Reads a page of single observations.
    fn read_observations(
        &mut self,
        reader: &Reader<'_>,
        segment: Segment,
    ) -> Result<(Vec<Bucket>, Option<i64>), StoreError> {
        let Series { id, over_time, .. } = self.series;
        let shift = if self.merges { shift(over_time) } else { 0 };
        let begin = segment.from + shift;
        let span = (self.after.unwrap_or(begin - 1), segment.to + shift);
        let Page { rows, next } = reader.observations(id, span, reader.page_rows())?;
        if !self.merges {
            let single = |row: &Observation| Bucket::single(row.at, row.value);
            return Ok((rows.iter().map(single).collect(), next));
        }
        if self.totals.is_none() {
            let previous = match depends_on_previous(over_time) && !rows.is_empty() {
                true => reader.previous(id, begin)?,
                false => None,
            };
            self.totals = Some(Totals::after(previous, over_time));
        }
        let totals = self.totals.as_mut();
        let buckets = totals.map(|totals| rows.iter().map(|row| totals.next(row)).collect());
        Ok((buckets.unwrap_or_default(), next))
    }
}
