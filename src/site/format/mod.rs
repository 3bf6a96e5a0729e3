//! Numbers, units, names and times as people read them.
//!
//! Pages, charts and the sign-in form format through this module only, so the same value reads the
//! same everywhere. Programs get unformatted numbers and RFC 3339 timestamps
//! ([`timestamp`](crate::timestamp)) instead.

mod number;
mod time;
mod unit;

pub(super) use self::number::{compact, datum, fixed, headline, scientific, signed, whole};
pub(super) use self::time::{
    clock_time, coarse_duration, duration, full_time, humanize, is_ahead, last, local_time,
    row_time, wait,
};
pub(super) use self::unit::{
    compass_point, field_label, is_compass_point, is_sign, suffix, symbol, unit_name,
};
