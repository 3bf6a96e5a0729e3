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
pub(super) const NARROW: Size = Size { width: 340, height: 210 };

impl Size {
    /// Returns the largest size that the style sheet of the page gives to labels of a chart.
    pub(super) fn font(self) -> f64 {
        if self == NARROW { 12.0 } else { 15.0 }
    }
}
