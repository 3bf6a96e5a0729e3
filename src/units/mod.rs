//! Units of measurement, their names, the conversions between them, and aggregation over time.
//!
//! A value keeps the unit that its upstream sent unless `units` or `[source.fields]` of the
//! configuration selects another one: a [`System`] selects the unit for each [`Quantity`], and
//! [`Unit::convert`] converts. A converted number is rounded to what a sensor resolves in the new
//! unit, so that the conversion invents no digits. A unit that the program does not know is a
//! [`Label`], which is shown and recorded and never converted.

mod conversion;
mod label;
mod over_time;
mod quantity;
mod system;
mod unit;

pub use conversion::round_to;
pub use label::{Label, MAX_LABEL};
pub use over_time::{OverTime, is_reset, rise};
pub use quantity::Quantity;
pub use system::System;
pub use unit::{Unit, UnknownUnit};
