//! The sky: the conditions in words or as a code of the weather services, and their icon.

use maud::{Markup, html};

use super::amount::{amount, remarks};
use super::icon::Icon;
use super::time::Clock;
use crate::board::{Datum, SourceView, Value};
use crate::units::Unit;

/// Conditions of a source that shows them.
pub(super) struct Sky<'a> {
    /// The value that is shown: the text if there is one, else the code.
    value: &'a Value,
    icon: Option<Icon>,
    /// Words of a known code.
    words: Option<&'static str>,
}

impl<'a> Sky<'a> {
    /// Returns the conditions; `None` if the source has none or shows none.
    pub(super) fn of(source: &'a SourceView) -> Option<Sky<'a>> {
        if !source.shows("conditions") && !source.shows("weather_code") {
            return None;
        }
        let (text, code) = (source.value("conditions"), source.value("weather_code"));
        let known = code.and_then(|value| described_code(code_of(value)?));
        let (code_icon, words) = known.unzip();
        // A null is shown, with its reason, if there is no other value.
        let sent = [text, code].into_iter().flatten().find(|value| value.datum.is_some());
        let value = sent.or(text).or(code)?;
        let of_text = match &value.datum {
            Some(Datum::Text(text)) => Some(icon_of_text(&text.to_ascii_lowercase())),
            _ => None,
        };
        let is_code = code.is_some_and(|code| std::ptr::eq(code, value));
        Some(Sky { value, icon: code_icon.or(of_text), words: words.filter(|_| is_code) })
    }

    /// Renders the icon.
    pub(super) fn icon(&self) -> Markup {
        self.icon.unwrap_or(Icon::Unknown).render()
    }

    /// Renders the conditions in words. A code without words is shown as a number.
    pub(super) fn words(&self, source: &SourceView, clock: Clock<'_>) -> Markup {
        html! {
            p.conditions {
                @match (self.words, &self.value.datum) {
                    (Some(words), _) => { (words) }
                    (None, Some(Datum::Number(_))) if code_of(self.value).is_some() => {
                        "Conditions: code " (amount(self.value))
                    }
                    (None, None) => { "Conditions: " (amount(self.value)) }
                    _ => { (amount(self.value)) }
                }
            }
            (remarks(source, self.value, clock))
        }
    }
}

/// Returns the number of a value that may be a code.
fn code_of(value: &Value) -> Option<f64> {
    match (&value.datum, value.unit) {
        (Some(Datum::Number(number)), Some(Unit::WmoCode) | None) => Some(number.get()),
        _ => None,
    }
}

/// Returns the icon and the words of a code of WMO table 4677. Codes that weather services do not use
/// have none.
fn described_code(code: f64) -> Option<(Icon, &'static str)> {
    if !(0.0..=99.0).contains(&code) || code.fract() != 0.0 {
        return None;
    }
    Some(match code as u8 {
        0 => (Icon::Clear, "Clear sky"),
        1 => (Icon::Clear, "Mainly clear"),
        2 => (Icon::PartlyCloudy, "Partly cloudy"),
        3 => (Icon::Cloudy, "Overcast"),
        45 => (Icon::Fog, "Fog"),
        48 => (Icon::Fog, "Freezing fog"),
        51 | 53 | 55 => (Icon::Rain, "Drizzle"),
        56 | 57 => (Icon::Rain, "Freezing drizzle"),
        61 => (Icon::Rain, "Light rain"),
        63 => (Icon::Rain, "Rain"),
        65 => (Icon::Rain, "Heavy rain"),
        66 | 67 => (Icon::Rain, "Freezing rain"),
        71 => (Icon::Snow, "Light snow"),
        73 => (Icon::Snow, "Snow"),
        75 => (Icon::Snow, "Heavy snow"),
        77 => (Icon::Snow, "Snow grains"),
        80 | 81 => (Icon::Rain, "Rain showers"),
        82 => (Icon::Rain, "Violent rain showers"),
        85 | 86 => (Icon::Snow, "Snow showers"),
        95 => (Icon::Thunder, "Thunderstorm"),
        96 | 99 => (Icon::Thunder, "Thunderstorm with hail"),
        _ => return None,
    })
}

/// Returns the icon for a description in lower case. Of several words the more severe decides.
fn icon_of_text(text: &str) -> Icon {
    const WORDS: [(&str, Icon); 14] = [
        ("thunder", Icon::Thunder),
        ("snow", Icon::Snow),
        ("sleet", Icon::Snow),
        ("ice", Icon::Snow),
        ("rain", Icon::Rain),
        ("drizzle", Icon::Rain),
        ("shower", Icon::Rain),
        ("fog", Icon::Fog),
        ("mist", Icon::Fog),
        ("haze", Icon::Fog),
        ("partly", Icon::PartlyCloudy),
        ("overcast", Icon::Cloudy),
        ("cloud", Icon::Cloudy),
        ("clear", Icon::Clear),
    ];
    let found = WORDS.into_iter().find(|(word, _)| text.contains(word));
    found.map_or(Icon::Unknown, |(_, icon)| icon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_icon_of_its_most_severe_word() {
        for (text, icon) in [
            ("clear", Icon::Clear),
            ("partly cloudy", Icon::PartlyCloudy),
            ("mostly cloudy", Icon::Cloudy),
            ("light rain and fog", Icon::Rain),
            ("thunderstorms and rain", Icon::Thunder),
            ("", Icon::Unknown),
        ] {
            assert_eq!(icon_of_text(text), icon, "{text}");
        }
    }

    #[test]
    fn code_outside_the_table_has_no_words() {
        for code in [-3.0, 4.0, 61.5, 100.0, 1e9] {
            assert_eq!(described_code(code).map(|(_, words)| words), None, "{code}");
        }
        assert_eq!(described_code(63.0).map(|(_, words)| words), Some("Rain"));
    }
}
