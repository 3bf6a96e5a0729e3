//! Icons: symbols of one SVG sheet at the top of the page, which the page refers to.

use maud::{Markup, PreEscaped, html};
use strum::IntoStaticStr;

/// Icon, named as its symbol in `icons.svg` without the prefix `i-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Icon {
    Fresh,
    Stale,
    Waiting,
    Failing,
    Critical,
    Info,
    Low,
    Clear,
    #[strum(serialize = "partly")]
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
    /// Renders the icon in the size of the text around it.
    ///
    /// An icon is always beside words that mean the same, so it is hidden from screen readers.
    pub(super) fn render(self) -> Markup {
        let name: &str = self.into();
        html! {
            svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
                use href={ "#i-" (name) } {}
            }
        }
    }
}

/// Renders the sheet of symbols.
pub(super) fn sheet() -> Markup {
    PreEscaped(include_str!("../assets/icons.svg").to_owned())
}

/// Renders the mark beside the site's title.
pub(super) fn mark() -> Markup {
    PreEscaped(include_str!("../assets/mark.svg").to_owned())
}
