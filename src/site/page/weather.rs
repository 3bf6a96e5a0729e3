//! The card of the weather: temperature and conditions in large letters, other values below.

use jiff::Timestamp;
use maud::{Markup, html};

use super::card::{Placement, amount, frame, pending, tiles};
use super::icon::Icon;
use super::number::{number, shown_number};
use super::trend;
use crate::board::{Datum, SourceView, Value};
use crate::site::format::{compass_point, symbol, whole};

/// Fields that the head of the card shows, which need no tile.
const IN_HEAD: [&str; 4] = ["temperature", "conditions", "weather_code", "wind_direction"];

/// Renders the card of a weather station or forecast.
pub(super) fn card(source: &SourceView, now: Timestamp, placement: &Placement) -> Markup {
    let rest: Vec<_> = source
        .shown()
        .into_iter()
        .filter(|(name, value)| {
            !IN_HEAD.contains(&&**name) && !trend::contains(source, name, value)
        })
        .collect();
    let temperature = source.value("temperature").filter(|_| source.shows("temperature"));
    let has_sky = source.shows("conditions") || source.shows("weather_code");
    let direction = shown_number(source, "wind_direction");
    let body = html! {
        @if source.reading.is_none() { (pending()) } @else {
            @if has_sky || temperature.is_some() {
                div.sky {
                    @if has_sky { (sky(source)) }
                    div {
                        @if let Some(value) = temperature { p.temperature { (degrees(value)) } }
                        @if has_sky { p.conditions { (conditions(source)) } }
                    }
                }
            }
            @if let Some((degrees, _)) = direction { (vane(degrees)) }
            @if !rest.is_empty() { (tiles(rest.into_iter())) }
            (trend::trends(source, now))
        }
    };
    frame(source, "weather", now, &body, placement)
}

fn degrees(temperature: &Value) -> Markup {
    html! {
        @match (&temperature.datum, temperature.unit) {
            (Some(Datum::Number(degrees)), unit) => {
                span.number { (whole(degrees.get())) }
                @if let Some(unit) = unit { span.sign { (symbol(unit)) } }
            }
            _ => { (amount(temperature)) }
        }
    }
}

fn vane(degrees: f64) -> Markup {
    html! {
        p.vane {
            svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
                circle cx="12" cy="12" r="10.5" {}
                // The direction is where the wind comes from; the arrow points where it goes.
                path transform={ "rotate(" (degrees) " 12 12)" } d="M12 19l-4.5-12L12 9.5 16.5 7z" {}
            }
            span { "Wind from " (compass_point(degrees)) " " span.quiet { (whole(degrees)) "°" } }
        }
    }
}

fn sky(source: &SourceView) -> Markup {
    let icon = match number(source, "weather_code") {
        Some((code, _)) => described_code(code).map(|(icon, _)| icon),
        None => text(source).map(|text| icon_of_text(&text.to_ascii_lowercase())),
    };
    icon.unwrap_or(Icon::Unknown).render()
}

fn conditions(source: &SourceView) -> String {
    if let Some(text) = text(source) {
        return text.to_owned();
    }
    let words = number(source, "weather_code").and_then(|(code, _)| described_code(code));
    words.map_or_else(String::new, |(_, words)| words.to_owned())
}

fn text(source: &SourceView) -> Option<&str> {
    match &source.value("conditions")?.datum {
        Some(Datum::Text(text)) => Some(text),
        _ => None,
    }
}

/// Returns the icon and the words of a code of WMO table 4677. Codes that weather services do not use
/// have none.
fn described_code(code: f64) -> Option<(Icon, &'static str)> {
    if !(0.0..=99.0).contains(&code) {
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
        for code in [-3.0, 4.0, 100.0, 1e9] {
            assert_eq!(described_code(code).map(|(_, words)| words), None, "{code}");
        }
        assert_eq!(described_code(63.0).map(|(_, words)| words), Some("Rain"));
    }
}
