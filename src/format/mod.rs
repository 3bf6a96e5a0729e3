//! Numbers, units, names and times as people read them.
//!
//! Pages, charts, the sign-in form and messages of alerts format through this module only, so the same value
//! reads the same everywhere. Programs get unformatted numbers and RFC 3339 timestamps
//! ([`timestamp`](crate::timestamp)) instead.

mod number;
mod time;
mod unit;

pub(crate) use self::number::{compact, datum, fixed, headline, scientific, signed, whole};
pub(crate) use self::time::{
    clock_time, coarse_duration, duration, full_time, humanize, is_ahead, last, local_time,
    near_time, row_time, short_age, wait,
};
pub(crate) use self::unit::{
    compass_point, field_label, is_compass_point, is_sign, suffix, symbol, unit_name,
};
