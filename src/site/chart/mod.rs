//! Draws charts of the history: from rows to points, from points to shapes, from shapes to SVG.
//!
//! ```text
//!            miss                        shapes                      any size, any theme
//! cache ──────────► drawing ──► plot ──► (lines, bars, gaps) ──► layout ──► svg ──► page or picture
//!   ▲                  │                                     └─► table, readout
//!   └──────────────────┘
//! ```
//! 1. [`ChartCache`] answers from memory whether a chart is current.
//! 2. If it is not, a [`Drawing`] reads the history piece by piece: a piece takes a bounded number
//!    of rows, so that a worker is not held by a disk or by a dense history.
//! 3. If these are too few for a line, `sparse` describes them in a sentence, which pages show.
//! 4. `plot` turns the points into lines that end at gaps, a band between least and most, and the
//!    spans in which the latest observation was stale.
//! 5. `layout` fits axes, labels and legend to a size, and `rendering` makes SVG of it, in two sizes for
//!    pages and in any size for pictures, a table, and the points for the read-out. All but pictures of
//!    other sizes than the default are made once for a chart.
//!
//! Charts are drawn here, as shapes with classes, because libraries for charts produce pictures with
//! colours, fonts and sizes of their own. These neither follow the page's light and dark theme nor
//! describe the data to a screen reader. Here every chart has a title and a description, and a table
//! of its numbers.
//!
//! A chart is in the current unit of its field and ends at the board's latest reading, which the
//! history may not have written yet. Derived values, such as rates, have no charts: they are not
//! recorded, because their past follows from that of the readings.
//!
//! The handlers that request charts, and that run the pieces of a drawing under a permit, are
//! `pages` and `picture`.

mod cache;
mod drawing;
mod latest;
mod layout;
mod legend;
mod plot;
mod point;
mod range;
mod readout;
mod rendering;
mod size;
mod sparse;
mod svg;
mod table;
mod text_width;
mod theme;
mod threshold;
mod tick;
mod time_axis;
mod time_step;
mod value_axis;

pub(super) use self::cache::{Cached, ChartCache, Missing, Outcome, Subject};
pub(super) use self::drawing::Drawing;
pub(super) use self::range::Range;
pub(super) use self::rendering::{Chart, SVG};
pub(super) use self::size::{SIDES, Size, WIDE};
pub(super) use self::theme::Theme;
pub(super) use self::threshold::{Threshold, thresholds};

#[cfg(test)]
pub(in crate::site) mod fixture;
#[cfg(test)]
mod tests;
