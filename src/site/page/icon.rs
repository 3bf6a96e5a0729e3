//! Icons, drawn here and kept as symbols that the page refers to.

use maud::{Markup, PreEscaped, html};

/// The name of a symbol on the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    Fresh,
    Stale,
    Waiting,
    Failing,
    Low,
    Clear,
    PartlyCloudy,
    Cloudy,
    Fog,
    Rain,
    Snow,
    Thunder,
    Unknown,
    Humidity,
    Wind,
    Pressure,
    Thermometer,
    Battery,
    Depth,
    Rising,
    Falling,
    Steady,
}

impl Icon {
    const fn id(self) -> &'static str {
        match self {
            Icon::Fresh => "i-fresh",
            Icon::Stale => "i-stale",
            Icon::Waiting => "i-waiting",
            Icon::Failing => "i-failing",
            Icon::Low => "i-low",
            Icon::Clear => "i-clear",
            Icon::PartlyCloudy => "i-partly",
            Icon::Cloudy => "i-cloudy",
            Icon::Fog => "i-fog",
            Icon::Rain => "i-rain",
            Icon::Snow => "i-snow",
            Icon::Thunder => "i-thunder",
            Icon::Unknown => "i-unknown",
            Icon::Humidity => "i-humidity",
            Icon::Wind => "i-wind",
            Icon::Pressure => "i-pressure",
            Icon::Thermometer => "i-thermometer",
            Icon::Battery => "i-battery",
            Icon::Depth => "i-depth",
            Icon::Rising => "i-rising",
            Icon::Falling => "i-falling",
            Icon::Steady => "i-steady",
        }
    }

    /// The icon in the size of the text around it. Always beside words that say the
    /// same, and so hidden from screen readers.
    pub(super) fn show(self) -> Markup {
        html! {
            svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
                use href={ "#" (self.id()) } {}
            }
        }
    }
}

/// The symbols, once a page.
pub(super) fn sheet() -> Markup {
    PreEscaped(include_str!("../assets/icons.svg").to_owned())
}

/// The mark beside the title.
pub(super) fn mark() -> Markup {
    PreEscaped(include_str!("../assets/mark.svg").to_owned())
}
