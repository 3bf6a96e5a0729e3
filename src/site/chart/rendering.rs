//! A drawn chart and its renderings, each made on first use and then shared.

use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use strum::EnumCount as _;

use super::legend::{self, Wording};
use super::plot::Plot;
use super::range::Range;
use super::readout::Readout;
use super::size::{Canvas, NARROW, Size, WIDE};
use super::svg::{self, Caption};
use super::table;
use super::theme::Theme;
use crate::format::field_label;
use crate::history::Bucket;
use crate::site::rendered::Rendered;

/// Media type of a picture.
pub(in crate::site) const SVG: &str = "image/svg+xml";

/// Content of a chart, as a drawing has read and computed it, without a size or a colour.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) source: Arc<str>,
    /// Title of the source.
    pub(super) title: String,
    pub(super) field: String,
    pub(super) range: Range,
    pub(super) plot: Plot,
    /// Text for a page in place of the chart, if that would be almost empty.
    pub(super) summary: Option<String>,
    /// Rows of the history that the plot was made from, for the table.
    pub(super) rows: Vec<Bucket>,
    pub(super) zone: TimeZone,
}

/// A chart that was drawn.
#[derive(Debug)]
pub(in crate::site) struct Chart {
    content: Content,
    wide: OnceLock<String>,
    narrow: OnceLock<String>,
    table: OnceLock<String>,
    readout: OnceLock<Readout>,
    /// Pictures of the default size, one for each theme.
    pictures: [OnceLock<Rendered>; Theme::COUNT],
}

impl Chart {
    pub(super) fn new(content: Content) -> Chart {
        Chart {
            content,
            wide: OnceLock::new(),
            narrow: OnceLock::new(),
            table: OnceLock::new(),
            readout: OnceLock::new(),
            pictures: Default::default(),
        }
    }

    /// Renders the chart. A chart with a style sheet is a document of its own; one without is an
    /// element of a page.
    fn render(&self, size: Size, style: Option<&str>) -> String {
        let Content { source, title, field, range, plot, zone, .. } = &self.content;
        let caption = Caption {
            title: &field_label(field),
            source: title,
            window: &format!("the last {}", range.in_words()),
            id: &format!("{source}-{field}-{}", size.width),
            class: if size == NARROW { "narrow" } else { "wide" },
        };
        let canvas = match style {
            Some(_) => Canvas::of_picture(size),
            None => Canvas::of_page(size),
        };
        svg::render(plot, &caption, canvas, zone, style).into_string()
    }

    /// Returns true if there is nothing in the range of the chart.
    pub(in crate::site) fn is_empty(&self) -> bool {
        self.content.plot.is_empty()
    }

    /// Returns the text that a page shows in place of the chart: there are too few observations for a line.
    pub(in crate::site) fn summary(&self) -> Option<&str> {
        self.content.summary.as_deref()
    }

    /// Returns the chart for a page with room.
    pub(in crate::site) fn wide(&self) -> &str {
        self.wide.get_or_init(|| self.render(WIDE, None))
    }

    /// Returns the chart for a narrow page.
    pub(in crate::site) fn narrow(&self) -> &str {
        self.narrow.get_or_init(|| self.render(NARROW, None))
    }

    /// Returns the table of the chart's numbers.
    pub(in crate::site) fn table(&self) -> &str {
        let Content { plot, rows, range, zone, .. } = &self.content;
        self.table.get_or_init(|| table::render(rows, *range, &plot.frame, zone).into_string())
    }

    /// Returns the legend of the chart, for a page; empty if it needs none.
    pub(in crate::site) fn legend(&self) -> Wording {
        legend::wordings(&self.content.plot).into_iter().next().unwrap_or_default()
    }

    /// Returns the points for the read-out.
    pub(in crate::site) fn readout(&self) -> &Readout {
        let Content { plot, zone, .. } = &self.content;
        self.readout.get_or_init(|| {
            let (least, most) = plot.extremes();
            Readout::of(plot, resolving_decimals(least, most), zone)
        })
    }

    /// Returns the picture of the default size, rendered and compressed once.
    pub(in crate::site) fn default_picture(&self, theme: Theme) -> &Rendered {
        self.pictures[theme as usize].get_or_init(|| Rendered::new(SVG, self.picture(WIDE, theme)))
    }

    /// Renders a picture of any size.
    pub(in crate::site) fn picture(&self, size: Size, theme: Theme) -> String {
        self.render(size, Some(&theme.style()))
    }
}

/// Returns the number of decimals that resolve a thousandth of a span of numbers, or of its larger end if
/// the numbers are the same.
fn resolving_decimals(least: f64, most: f64) -> usize {
    let span = if most > least { most - least } else { most.abs() };
    if span > 0.0 { (3.0 - span.log10().ceil()).clamp(0.0, 12.0) as usize } else { 0 }
}
