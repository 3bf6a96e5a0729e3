//! A drawn chart, and its renderings.

use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use strum::EnumCount as _;

use super::plot::Plot;
use super::range::Range;
use super::svg::{self, Caption, Size};
use super::theme::Theme;
use crate::board::Rendered;
use crate::history::Bucket;
use crate::site::page::label;
use crate::units::Unit;

/// The size where there is room.
pub(in crate::site) const WIDE: Size = Size { width: 720, height: 240 };

/// The size for a telephone, or a column of the page.
pub(in crate::site) const NARROW: Size = Size { width: 340, height: 210 };

/// Media type of a picture.
pub(in crate::site) const SVG: &str = "image/svg+xml";

/// A chart that was drawn.
#[derive(Debug)]
pub(in crate::site) struct Chart {
    pub(super) source: Arc<str>,
    pub(super) title: String,
    pub(super) field: String,
    pub(super) range: Range,
    pub(super) plot: Plot,
    pub(super) points: Vec<Bucket>,
    pub(super) unit: Option<Unit>,
    pub(super) zone: TimeZone,
    pub(super) wide: OnceLock<String>,
    pub(super) narrow: OnceLock<String>,
    pub(super) table: OnceLock<String>,
    /// Pictures of the default size that stand alone, one for each theme.
    pub(super) pictures: [OnceLock<Rendered>; Theme::COUNT],
}

impl Chart {
    /// The picture in that size; with a style sheet, one that stands alone.
    fn svg(&self, size: Size, style: Option<&str>) -> String {
        let caption = Caption {
            title: &label(&self.field),
            source: &self.title,
            window: &format!("the last {}", self.range.words()),
            unit: self.unit,
            id: &format!("{}-{}-{}", self.source, self.field, size.width),
            class: if size == NARROW { "narrow" } else { "wide" },
        };
        svg::render(&self.plot, &caption, size, &self.zone, style).into_string()
    }

    /// The picture of the default size, rendered and compressed once.
    pub(in crate::site) fn default_picture(&self, theme: Theme) -> &Rendered {
        self.pictures[theme as usize]
            .get_or_init(|| Rendered::new(SVG, self.svg(WIDE, Some(&theme.style()))))
    }

    /// A picture that stands alone.
    pub(in crate::site) fn picture(&self, size: Size, theme: Theme) -> String {
        self.svg(size, Some(&theme.style()))
    }

    /// The picture for a page with room.
    pub(in crate::site) fn wide(&self) -> &str {
        self.wide.get_or_init(|| self.svg(WIDE, None))
    }

    /// The picture for a narrow page.
    pub(in crate::site) fn narrow(&self) -> &str {
        self.narrow.get_or_init(|| self.svg(NARROW, None))
    }
}

/// Reason for a chart's absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Missing {
    /// Nothing of that field was ever recorded.
    Never,
    /// Nothing of that field is recorded in that window.
    Nothing,
    /// The history has no answer now.
    Unavailable,
    /// It is not drawn yet, as others are drawn first.
    Undrawn,
}

/// A chart, or the reason for its absence.
pub(in crate::site) type Outcome = Result<Arc<Chart>, Missing>;
