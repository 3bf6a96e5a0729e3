//! The numbers of a chart as an HTML table.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::legend::aggregate;
use super::plot::Frame;
use super::range::Range;
use crate::format::{compact, row_time, symbol};
use crate::history::{Bucket, Calendar, Merger};
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
                        th scope="row" { (row_time(row.at, range.row_step(), range.seconds(), zone)) }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::units::Unit;

    /// Returns the times of the table of a day with an observation each five minutes, latest first.
    fn times(zone: &TimeZone, from: i64, to: i64) -> Vec<String> {
        let rows: Vec<Bucket> =
            (from..to).step_by(300).map(|at| Bucket::single(at, at as f64)).collect();
        let frame = Frame {
            from,
            to,
            step: None,
            covered: 900,
            unit: Some(Unit::Celsius),
            over_time: OverTime::Mean,
        };
        let html = render(&rows, Range::Day, &frame, zone).into_string();
        let cells = html.match_indices("<th scope=\"row\">");
        cells
            .map(|(at, tag)| html[at + tag.len()..].split('<').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn rows_of_a_day_on_which_the_clocks_change_have_different_names() {
        for (name, noon, rows, expected) in [
            ("UTC", "2026-11-01T12:00:00Z", 24, &[][..]),
            ("America/Los_Angeles", "2026-11-01T20:00:00Z", 25, &["01:00 PDT", "01:00 PST"]),
            ("America/Los_Angeles", "2026-03-08T20:00:00Z", 23, &["01:00", "03:00"]),
            ("Europe/Zurich", "2026-10-25T11:00:00Z", 25, &["02:00 CEST", "02:00 CET"]),
            // By half an hour: hours are counted from midnight.
            ("Australia/Lord_Howe", "2026-04-05T02:00:00Z", 25, &["01:00", "01:30 UTC+10:30"]),
            (
                "Pacific/Chatham",
                "2026-04-05T00:00:00Z",
                25,
                &["03:00 UTC+13:45", "03:00 UTC+12:45"],
            ),
            ("America/Santiago", "2026-09-06T16:00:00Z", 23, &["01:00", "02:00"]),
        ] {
            let zone = TimeZone::get(name).unwrap();
            let noon = noon.parse::<Timestamp>().unwrap().as_second();
            let (from, to) = Calendar::new(zone.clone()).day(noon);
            let times = times(&zone, from, to);
            assert_eq!(times.len(), rows, "{name}: {times:?}");
            let mut different = times.clone();
            different.sort();
            different.dedup();
            assert_eq!(different.len(), rows, "{name}: {times:?}");
            for expected in expected {
                assert!(times.iter().any(|time| time.ends_with(expected)), "{expected}: {times:?}");
            }
        }
    }

    #[test]
    fn columns_are_those_of_the_quantity() {
        for (over_time, columns) in [
            (OverTime::Mean, &["From", "Least (mm)", "Mean (mm)", "Most (mm)"][..]),
            (OverTime::Sum, &["From", "Total (mm)"]),
            (OverTime::Increase, &["From", "Increase (mm)"]),
            (OverTime::Max, &["From", "Highest (mm)"]),
            (OverTime::Circular, &["From", "Mean direction (mm)"]),
            (OverTime::Last, &["From", "Latest (mm)"]),
        ] {
            let unit = Some(Unit::Millimetre);
            let frame = Frame { from: 0, to: 900, step: None, covered: 900, unit, over_time };
            let rows = [Bucket::single(0, 4.0)];
            let html = render(&rows, Range::Day, &frame, &TimeZone::UTC).into_string();
            let cells = html.match_indices("<th scope=\"col\">");
            let found: Vec<&str> =
                cells.map(|(at, tag)| html[at + tag.len()..].split('<').next().unwrap()).collect();
            assert_eq!(found, columns);
            assert_eq!(html.matches("<td>4</td>").count(), columns.len() - 1, "{html}");
        }
    }
}
