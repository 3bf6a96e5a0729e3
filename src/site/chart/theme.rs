//! Colours of charts that are served as a picture of their own, which no page styles.

use strum::{EnumCount, EnumString, VariantNames};

const STYLE: &str = include_str!("../assets/chart.css");

/// Overrides the colours of [`STYLE`].
const DARK_STYLE: &str = include_str!("../assets/chart_dark.css");

/// Colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub(in crate::site) enum Theme {
    /// Light or dark, as the viewer's device prefers.
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// Returns the style sheet that the picture embeds.
    pub(super) fn style(self) -> String {
        match self {
            Theme::Auto => format!("{STYLE}@media (prefers-color-scheme: dark) {{ {DARK_STYLE} }}"),
            Theme::Light => STYLE.to_owned(),
            Theme::Dark => format!("{STYLE}{DARK_STYLE}"),
        }
    }
}
