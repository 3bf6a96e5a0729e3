//! Sizes of charts, in the units of their view box.

use std::ops::RangeInclusive;

/// Size of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::site) struct Size {
    pub(in crate::site) width: u32,
    pub(in crate::site) height: u32,
}

/// Lengths that either side of a picture may have.
pub(in crate::site) const SIDES: RangeInclusive<u32> = 160..=2400;

/// Default size, for pages with room.
pub(in crate::site) const WIDE: Size = Size { width: 720, height: 240 };

/// Size for phones and for a column of a page.
pub(super) const NARROW: Size = Size { width: 320, height: 200 };

/// A size with the room that texts take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Canvas {
    pub(super) size: Size,
    /// Size of the font of labels.
    pub(super) font: f64,
    /// Room beside the labels of values and the legend.
    pub(super) margin: f64,
}

impl Canvas {
    /// Returns the canvas of a chart in a page. Its labels begin where the other texts of the page do.
    pub(super) fn of_page(size: Size) -> Canvas {
        // The largest font that the style sheet of the page gives to labels.
        let font = if size == NARROW { 12.0 } else { 15.0 };
        Canvas { size, font, margin: 0.0 }
    }

    /// Returns the canvas of a picture of its own.
    pub(super) const fn of_picture(size: Size) -> Canvas {
        Canvas { size, font: 13.0, margin: 10.0 }
    }
}
