//! The numbers of a chart as an HTML table.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::range::Range;
use crate::history::{Bucket, Calendar, Merger};
use crate::site::format::{compact, local_time, symbol};
use crate::units::Unit;

/// Renders the table, latest row first.
///
/// A row covers several points of the chart: see [`Range::row_step`].
pub(super) fn render(
    points: &[Bucket],
    range: Range,
    unit: Option<Unit>,
    zone: &TimeZone,
) -> Markup {
    let mut merger = Merger::new(Calendar::new(zone.clone()), range.row_step());
    let mut rows: Vec<Bucket> = points.iter().filter_map(|point| merger.push(*point)).collect();
    rows.extend(merger.finish());
    let unit = unit.map_or("", symbol);
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
                        th scope="row" { (local_time(row.at, zone)) }
                        td { (compact(row.min)) }
                        td { (compact(row.mean())) }
                        td { (compact(row.max)) }
                    }
                }
            }
        }
    }
}
