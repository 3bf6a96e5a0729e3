//! Values whose texts are parsed back: times, numbers, units, ids and names of variants.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::alert::{EndReason, IncidentId};
use crate::board::Finite;
use crate::config::Severity;
use crate::units::Unit;

/// A value that is saved as a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Text<T>(pub(super) T);

/// Conversion from and to a text.
pub(super) trait AsText: Sized {
    fn write(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
}

impl AsText for Timestamp {
    fn write(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }
}

impl AsText for Unit {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn parse(text: &str) -> Option<Unit> {
        Unit::from_recorded(text)
    }
}

/// A number is a text of its shortest form, because the numbers of `serde_json` may differ in the last digit, and equal
/// values must stay equal.
impl AsText for Finite {
    fn write(&self) -> String {
        self.get().to_string()
    }

    fn parse(text: &str) -> Option<Finite> {
        text.parse().ok().and_then(Finite::new)
    }
}

impl AsText for IncidentId {
    fn write(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<IncidentId> {
        text.parse().ok()
    }
}

impl AsText for Severity {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn parse(text: &str) -> Option<Severity> {
        text.parse().ok()
    }
}

impl AsText for EndReason {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn parse(text: &str) -> Option<EndReason> {
        text.parse().ok()
    }
}

impl<T: AsText> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.write())
    }
}

impl<'de, T: AsText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = T::parse(&text);
        parsed.map(Text).ok_or_else(|| serde::de::Error::custom(format!("unexpected {text:?}")))
    }
}

pub(super) type Time = Text<Timestamp>;
pub(super) type Number = Text<Finite>;
