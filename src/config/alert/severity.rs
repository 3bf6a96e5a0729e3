//! Severity of an alert.

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

/// Severity of an alert, the least one first.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look today.
    #[default]
    Warning,
    /// Worth waking up for: quiet hours do not defer it.
    Critical,
}

impl Severity {
    /// Returns the name in the configuration, in JSON and in metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
