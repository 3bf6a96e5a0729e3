//! Ages in a page, which the script keeps up to date.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use strum::IntoStaticStr;

use crate::format::{coarse_duration, duration, full_time, humanize, is_ahead};
use crate::timestamp::Rfc3339;

/// Time of a page, and the zone in which the page shows times.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

/// Format of an age. The names are the values of `data-age`, which `script.js` reads.
#[derive(Clone, Copy, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum AgeFormat {
    /// `4 minutes ago`
    Ago,
    /// `3 hours 5 minutes`
    Span,
    /// `3 hours`
    Rough,
}

/// Length of a time that has not begun by the server's clock.
const UNKNOWN: &str = "an unknown time";

/// Renders the age of a timestamp, with the timestamp itself as its tooltip.
pub(super) fn time(at: Timestamp, clock: Clock<'_>, format: AgeFormat) -> Markup {
    let age = clock.now.duration_since(at);
    let words = match format {
        AgeFormat::Ago => humanize(age),
        AgeFormat::Span | AgeFormat::Rough if is_ahead(age) => UNKNOWN.to_owned(),
        AgeFormat::Span => duration(age),
        AgeFormat::Rough => coarse_duration(age),
    };
    let name: &str = format.into();
    html! {
        time datetime=(Rfc3339(at)) data-age=(name) title=(full_time(at, clock.zone)) { (words) }
    }
}
