//! Charts in a page, and the links that select their range.

use maud::{Markup, PreEscaped, html};
use strum::VariantArray as _;

use super::card::Placement;
use super::grid::Width;
use super::view::View;
use crate::board::{Datum, SourceView};
use crate::format::{field_label, symbol};
use crate::site::chart::{Chart, Missing, Outcome, Range, Subject, thresholds};

/// Returns the drawn chart of a field, or the reason for its absence.
fn drawn(view: &View<'_>, source: &SourceView, field: &str) -> Outcome {
    let thresholds = thresholds(view.alerts, source, field);
    let subject = Subject { source, field, range: view.range, thresholds: &thresholds };
    view.charts.get(view.history, subject, view.now).best()
}

/// Returns true if the chart of a field is drawn, rather than a sentence in its place.
pub(super) fn is_drawn(view: &View<'_>, source: &SourceView, field: &str) -> bool {
    view.history.is_enabled()
        && drawn(view, source, field).is_ok_and(|chart| chart.summary().is_none())
}

/// Renders the chart of a field in two sizes, of which the style sheet shows one.
fn chart(view: &View<'_>, source: &SourceView, field: &str) -> Markup {
    if !view.history.is_enabled() {
        return html! {};
    }
    html! {
        @match drawn(view, source, field) {
            Ok(chart) => {
                @if let Some(summary) = chart.summary() { p.no-plot { (summary) } }
                @else { (readable(source, field, &chart)) }
            }
            Err(missing) => { (absence(missing)) }
        }
    }
}

/// Renders a chart whose points can be read by pointer and by keys. The script shows them.
fn readable(source: &SourceView, field: &str, chart: &Chart) -> Markup {
    let readout = chart.readout();
    let length = Some(readout.length).filter(|&length| length > 0);
    let legend = chart.legend();
    html! {
        @if !legend.is_empty() {
            p.legend {
                @for (swatch, text) in &legend {
                    span { span.swatch.(swatch.class()) {} (text) }
                }
            }
        }
        div.plot #{ "plot-" (source.name) "-" (field) } tabindex="0" role="group"
            aria-label={ (field_label(field)) " of " (source.title) ": arrow keys select a point" }
            data-window=(readout.window) data-points=(readout.points) data-length=[length]
            data-aggregate=(readout.aggregate) data-suffix=(readout.suffix) data-clock=(readout.clock) {
            (PreEscaped(chart.wide())) (PreEscaped(chart.narrow()))
        }
    }
}

/// Renders a chart below its heading, for a card. Renders nothing without a history.
pub(super) fn titled_chart(view: &View<'_>, source: &SourceView, field: &str) -> Markup {
    let chart = chart(view, source, field);
    html! {
        @if !chart.0.is_empty() {
            div.past {
                p.charted { (heading(source, field)) }
                (chart)
                (numbers(view, source, field))
            }
        }
    }
}

/// Renders a chart as a figure, for the page of its source.
pub(super) fn figure(view: &View<'_>, source: &SourceView, field: &str) -> Markup {
    html! {
        figure.history #{ "chart-" (field) } {
            figcaption { h3 { (heading(source, field)) } }
            (chart(view, source, field))
            (numbers(view, source, field))
        }
    }
}

fn absence(missing: Missing) -> Markup {
    html! {
        p.no-plot {
            @match missing {
                Missing::NeverRecorded => { "Nothing recorded yet." }
                Missing::HistoryUnavailable => { "The history cannot be read at the moment." }
                Missing::NotDrawn => { "This chart is drawn in a moment: reload the page." }
            }
        }
    }
}

/// Renders the table of a chart's numbers, folded, with a link to all of them as CSV.
fn numbers(view: &View<'_>, source: &SourceView, field: &str) -> Markup {
    let name = field_label(field);
    html! {
        @if let Ok(chart) = drawn(view, source, field) && !chart.is_empty() {
            details.numbers #{ "numbers-" (source.name) "-" (field) } {
                summary { "Show as table" span.unseen { ": " (name) ", " (source.title) } }
                div.scroll role="region" tabindex="0"
                    aria-label={ (name) ", " (source.title) ", numbers" } {
                    (PreEscaped(chart.table()))
                }
                p { "All of them, for a spreadsheet: "
                    a href={ (view.layout.root) "api/v1/history?field=" (source.name) "." (field)
                        "&hours=" (view.range.seconds() / 3600) "&step=raw&format=csv" }
                        download {
                        "CSV" span.unseen { " of " (name) ", " (source.title) }
                    }
                }
            }
        }
    }
}

/// Returns the place of a card on a page: its link to the source's page keeps the range.
pub(super) fn placement(view: &View<'_>, chart: Markup) -> Placement {
    let (root, query) = (view.layout.root.to_owned(), view.range.query());
    Placement { width: Width::Row, chart, root, query }
}

/// Renders the links that select the range of the page.
pub(super) fn ranges(view: &View<'_>) -> Markup {
    if !view.history.is_enabled() {
        return html! {};
    }
    html! {
        nav.ranges aria-label="How far back charts go" {
            @for &range in Range::VARIANTS {
                @let current = (range == view.range).then_some("true");
                a href={ "?range=" (range.as_str()) } aria-current=[current] {
                    (range.as_str()) span.unseen { ", the last " (range.in_words()) }
                }
            }
        }
    }
}

/// Returns the label of a field with its unit: `Level, %`. A field may be named as its unit.
fn heading(source: &SourceView, field: &str) -> String {
    let label = field_label(field);
    match source.value(field).and_then(|value| value.unit).map_or("", symbol) {
        "" => label,
        unit if unit.eq_ignore_ascii_case(&label) => label,
        unit => format!("{label}, {unit}"),
    }
}

/// Returns the field whose chart the card of a source shows.
///
/// This is the level, the volume or the temperature, unless the source is configured to show other
/// fields; then it is the first that has a chart.
pub(in crate::site) fn leading_field(source: &SourceView) -> Option<String> {
    let is_number = |field: &str| {
        let value = source.reading.as_ref()?.values.iter().find(|(name, _)| **name == *field);
        value.filter(|(_, value)| matches!(value.datum, Some(Datum::Number(_)) | None))
    };
    let usual =
        ["level", "volume", "temperature"].into_iter().find(|field| is_number(field).is_some());
    match usual.filter(|_| source.show.is_empty()) {
        Some(field) => Some(field.to_owned()),
        None => chart_fields(source).into_iter().next(),
    }
}

/// Returns the fields of a source that have a chart, in the order of the page.
pub(in crate::site) fn chart_fields(source: &SourceView) -> Vec<String> {
    let reported = source.reading.iter().flat_map(|reading| &reading.values);
    let is_reported = |name: &str| reported.clone().any(|(field, _)| **field == *name);
    // A line through codes has no meaning.
    let has_line = |name: &str| !matches!(name, "weather_code" | "status");
    let shown = source.shown().into_iter().filter(|(name, value)| {
        is_reported(name) && has_line(name) && !matches!(value.datum, Some(Datum::Text(_)))
    });
    shown.map(|(name, _)| name.to_string()).collect()
}
