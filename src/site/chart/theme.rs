//! Colour themes of a picture.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

/// The colours and letters of a chart that no page styles.
const STYLE: &str = include_str!("../assets/chart.css");

/// Makes the chart dark where the viewer's preference is not to decide.
const DARK: &str = include_str!("../assets/chart_dark.css");

/// Colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(in crate::site) enum Theme {
    /// Follows the viewer's preference.
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Returns the style sheet of a picture that stands alone.
    pub(super) fn style(self) -> String {
        match self {
            Theme::Auto => format!("{STYLE}@media (prefers-color-scheme: dark) {{ {DARK} }}"),
            Theme::Light => STYLE.to_owned(),
            Theme::Dark => format!("{STYLE}{DARK}"),
        }
    }
}
