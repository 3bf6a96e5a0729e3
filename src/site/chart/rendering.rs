//! A drawn chart and its renderings, each made on first use and then shared.

use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use strum::EnumCount as _;

use super::plot::Plot;
use super::range::Range;
use super::size::{NARROW, Size, WIDE};
use super::svg::{self, Caption};
use super::table;
use super::theme::Theme;
use crate::board::Rendered;
use crate::history::Bucket;
use crate::site::format::field_label;
use crate::units::Unit;

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
    pub(super) points: Vec<Bucket>,
    pub(super) unit: Option<Unit>,
    pub(super) zone: TimeZone,
}

/// A chart that was drawn.
#[derive(Debug)]
pub(in crate::site) struct Chart {
    content: Content,
    wide: OnceLock<String>,
    narrow: OnceLock<String>,
    table: OnceLock<String>,
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
            pictures: Default::default(),
        }
    }

    /// Renders the chart. A chart with a style sheet is a document of its own; one without is an
    /// element of a page.
    fn render(&self, size: Size, style: Option<&str>) -> String {
        let Content { source, title, field, range, plot, unit, zone, .. } = &self.content;
        let caption = Caption {
            title: &field_label(field),
            source: title,
            window: &format!("the last {}", range.in_words()),
            unit: *unit,
            id: &format!("{source}-{field}-{}", size.width),
            class: if size == NARROW { "narrow" } else { "wide" },
        };
        svg::render(plot, &caption, size, zone, style).into_string()
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
        let Content { points, range, unit, zone, .. } = &self.content;
        self.table.get_or_init(|| table::render(points, *range, *unit, zone).into_string())
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
