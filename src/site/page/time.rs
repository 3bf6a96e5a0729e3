//! Ages in a page, which the script keeps up to date.

use jiff::Timestamp;
use maud::{Markup, html};
use strum::IntoStaticStr;

use crate::site::format::{coarse_duration, duration, humanize, utc_date_time};
use crate::timestamp::Rfc3339;

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

/// Renders the age of a timestamp, with the timestamp itself as its tooltip.
pub(super) fn time(at: Timestamp, now: Timestamp, format: AgeFormat) -> Markup {
    let age = now.duration_since(at);
    let words = match format {
        AgeFormat::Ago => humanize(age),
        AgeFormat::Span => duration(age),
        AgeFormat::Rough => coarse_duration(age),
    };
    let name: &str = format.into();
    html! {
        time datetime=(Rfc3339(at)) data-age=(name) title=(utc_date_time(at)) { (words) }
    }
}
