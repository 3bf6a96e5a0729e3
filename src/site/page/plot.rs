//! Charts in a page, and the choice of their range.

use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

use super::drawing::Outdated;
use super::figure::{label, symbol};
use super::view::View;
use crate::board::{Datum, SourceView};
use crate::site::chart::{Chart, Known, Missing, Range, Wanted};

impl View<'_> {
    fn known(&self, source: &SourceView, field: &str) -> Known {
        let wanted = Wanted { source, field, range: self.range };
        self.context.charts.look(&self.context.history, wanted, self.now)
    }

    /// The charts among these that are to be drawn; names of their source and field.
    pub(super) fn outdated<'s>(
        &self,
        charts: impl Iterator<Item = (&'s SourceView, String)>,
    ) -> Vec<Outdated> {
        if !self.context.history.is_enabled() {
            return Vec::new();
        }
        let outdated = charts
            .filter(|(source, field)| matches!(self.known(source, field), Known::Outdated(_)));
        outdated.map(|(source, field)| (source.name.clone(), field)).collect()
    }

    /// The chart as far as it is drawn.
    fn drawn(&self, source: &SourceView, field: &str) -> Result<Arc<Chart>, Missing> {
        self.known(source, field).best()
    }

    /// The chart of a field in both sizes, of which the style sheet shows one.
    pub(super) fn chart(&self, source: &SourceView, field: &str) -> Markup {
        if !self.context.history.is_enabled() {
            return html! {};
        }
        html! {
            @match self.drawn(source, field) {
                Ok(chart) => {
                    div.plot { (PreEscaped(chart.wide())) (PreEscaped(chart.narrow())) }
                }
                Err(missing) => { (self.absent(missing)) }
            }
        }
    }

    /// A chart with what it shows above it, for a card.
    pub(super) fn titled(&self, source: &SourceView, field: &str) -> Markup {
        let chart = self.chart(source, field);
        html! {
            @if !chart.0.is_empty() {
                div.past {
                    p.charted { (heading(source, field)) }
                    (chart)
                    (self.numbers(source, field))
                }
            }
        }
    }

    fn absent(&self, missing: Missing) -> Markup {
        html! {
            p.no-plot {
                @match missing {
                    Missing::Never => { "Nothing recorded yet." }
                    Missing::Nothing => { "Nothing recorded in the last " (self.range.words()) "." }
                    Missing::Unavailable => { "The history cannot be read at the moment." }
                    Missing::Undrawn => { "This chart is drawn in a moment: reload the page." }
                }
            }
        }
    }

    /// A chart with its name, and its numbers behind it.
    pub(super) fn figure(&self, source: &SourceView, field: &str) -> Markup {
        html! {
            figure.history #{ "chart-" (field) } {
                figcaption { h3 { (heading(source, field)) } }
                (self.chart(source, field))
                (self.numbers(source, field))
            }
        }
    }

    /// The numbers behind a chart, to be opened.
    fn numbers(&self, source: &SourceView, field: &str) -> Markup {
        let name = label(field);
        html! {
            @if let Ok(chart) = self.drawn(source, field) {
                details.numbers #{ "numbers-" (source.name) "-" (field) } {
                    summary { "The numbers" span.unseen { " of " (name) ", " (source.title) } }
                    div.scroll role="region" tabindex="0"
                        aria-label={ (name) ", " (source.title) ", numbers" } {
                        (PreEscaped(chart.table()))
                    }
                    p { "All of them, for a spreadsheet: "
                        a href={ "/api/v1/history?field=" (source.name) "." (field)
                            "&hours=" (self.range.seconds() / 3600) "&step=raw&format=csv" }
                            download {
                            "CSV" span.unseen { " of " (name) ", " (source.title) }
                        }
                    }
                }
            }
        }
    }

    /// The choice of the range, as links.
    pub(super) fn ranges(&self, path: &str) -> Markup {
        if !self.context.history.is_enabled() {
            return html! {};
        }
        html! {
            nav.ranges aria-label="How far back charts go" {
                @for range in Range::ALL {
                    @let here = (range == self.range).then_some("true");
                    a href={ (path) "?range=" (range.as_str()) } aria-current=[here] {
                        (range.as_str()) span.unseen { ", the last " (range.words()) }
                    }
                }
            }
        }
    }
}

/// What a chart shows, and in which unit.
fn heading(source: &SourceView, field: &str) -> String {
    match source.value(field).and_then(|value| value.unit).map_or("", symbol) {
        "" => label(field),
        unit => format!("{}, {unit}", label(field)),
    }
}

/// The field whose chart says most of a source: what it is there for.
pub(super) fn leading(source: &SourceView) -> Option<String> {
    let is_number = |field: &str| {
        let value = source.reading.as_ref()?.values.iter().find(|(name, _)| **name == *field);
        value.filter(|(_, value)| matches!(value.datum, Some(Datum::Number(_)) | None))
    };
    let usual = ["level", "volume", "temperature"].into_iter().find(|it| is_number(it).is_some());
    match usual.filter(|_| source.show.is_empty()) {
        Some(field) => Some(field.to_owned()),
        None => numbers(source).into_iter().next(),
    }
}

/// The fields of a source that a chart can show, in the order of the page.
pub(super) fn numbers(source: &SourceView) -> Vec<String> {
    let told = source.reading.iter().flat_map(|reading| &reading.values);
    let is_told = |name: &str| told.clone().any(|(known, _)| **known == *name);
    // Of a code or a direction a line says nothing.
    let drawn = |name: &str| !matches!(name, "weather_code" | "wind_direction" | "status");
    let shown = source.shown().into_iter().filter(|(name, value)| {
        is_told(name) && drawn(name) && !matches!(value.datum, Some(Datum::Text(_)))
    });
    shown.map(|(name, _)| name.to_string()).collect()
}
