//! The numbers of a chart as an HTML table.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::plot::Frame;
use super::range::Range;
use super::svg::aggregate;
use crate::history::{Bucket, Calendar, Merger};
use crate::site::format::{compact, local_time, symbol};
use crate::units::OverTime;

/// Renders the table, latest row first.
///
/// A table row covers several points of the chart: see [`Range::row_step`].
pub(super) fn render(rows: &[Bucket], range: Range, frame: &Frame, zone: &TimeZone) -> Markup {
    let mut merger = Merger::new(Calendar::new(zone.clone()), range.row_step());
    let mut merged: Vec<Bucket> = rows.iter().filter_map(|row| merger.push(*row)).collect();
    merged.extend(merger.finish());
    let unit = frame.unit.map_or("", symbol);
    let has_range = frame.over_time == OverTime::Mean;
    let value = aggregate(frame.over_time).unwrap_or("latest");
    html! {
        table {
            thead { tr {
                th scope="col" { "From" }
                @if has_range { (column("Least", unit)) (column("Mean", unit)) (column("Most", unit)) }
                @else { (column(&capitalized(value), unit)) }
            } }
            tbody {
                @for row in merged.iter().rev() {
                    tr {
                        th scope="row" { (local_time(row.at, zone)) }
                        @if has_range { td { (compact(row.min)) } }
                        td {
                            @match row.value(frame.over_time) {
                                Some(value) => { (compact(value)) }
                                None => { (row.note(frame.over_time).unwrap_or("–")) }
                            }
                        }
                        @if has_range { td { (compact(row.max)) } }
                    }
                }
            }
        }
    }
}

fn column(name: &str, unit: &str) -> Markup {
    html! { th scope="col" { (name) @if !unit.is_empty() { " (" (unit) ")" } } }
}

fn capitalized(word: &str) -> String {
    let mut text = word.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
