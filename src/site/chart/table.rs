//! The numbers behind a chart, as a table.

use maud::{Markup, html};

use super::drawn::Chart;
use super::range::Range;
use super::svg::local;
use crate::history::{Bucket, Calendar, DAY, Merger};
use crate::site::page::{short, symbol};

impl Range {
    /// Seconds of a row: about as many rows as one reads.
    const fn row(self) -> i64 {
        match self {
            Range::SixHours => 15 * 60,
            Range::Day => 60 * 60,
            Range::ThreeDays => 3 * 60 * 60,
            Range::Week => 6 * 60 * 60,
            Range::Month => DAY,
            Range::Year => 14 * DAY,
        }
    }
}

impl Chart {
    /// The table, the latest row first. Rendered once.
    pub(in crate::site) fn table(&self) -> &str {
        self.table.get_or_init(|| self.render_table().into_string())
    }

    fn render_table(&self) -> Markup {
        let zone = &self.zone;
        let mut merger = Merger::new(Calendar::new(zone.clone()), self.range.row());
        let mut rows: Vec<Bucket> =
            self.points.iter().filter_map(|point| merger.push(*point)).collect();
        rows.extend(merger.finish());
        let unit = self.unit.map_or("", symbol);
        html! {
            table {
                thead { tr {
                    th scope="col" { "From" }
                    @for name in ["Least", "Mean", "Most"] {
                        th scope="col" { (name) @if !unit.is_empty() { " (" (unit) ")" } }
                    }
                } }
                tbody {
                    @for row in rows.iter().rev() {
                        tr {
                            th scope="row" { (local(row.at, zone)) }
                            td { (short(row.min)) }
                            td { (short(row.mean())) }
                            td { (short(row.max)) }
                        }
                    }
                }
            }
        }
    }
}
