//! Charts: from the history to points, kept until there is something new, and to SVG.
//!
//! ```text
//! history ──► drawing (piece by piece) ──► chart (kept) ──► svg ──► page, or a picture
//! ```
//! Only a drawing reads the history. One is kept for each field and range, whatever sizes and
//! themes it is shown in, so that requests for many of these cost no look at the disk. After a
//! failure no drawing is tried for a moment.

mod axis;
mod cache;
mod drawing;
mod drawn;
mod plot;
mod range;
mod svg;
mod table;
mod theme;

pub(super) use self::cache::{Charts, Known, Wanted};
pub(super) use self::drawing::Drawing;
pub(super) use self::drawn::{Chart, Missing, Outcome, SVG, WIDE};
pub(super) use self::range::Range;
pub(super) use self::svg::Size;
pub(super) use self::theme::Theme;

#[cfg(test)]
mod tests;
