//! The kinds that read the weather: `open-meteo`, `nws`, `ambient`.

use super::super::secret::Secret;
use super::super::section::{Section, Spanned};
use super::super::source_url::SourceUrl;

/// Keys of `kind = "open-meteo"`.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenMeteo {
    /// Base of the API.
    pub url: SourceUrl,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Keys of `kind = "nws"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Nws {
    /// Base of the API.
    pub url: SourceUrl,
    /// The station, `KSFO`.
    pub station: String,
}

/// Keys of `kind = "ambient"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ambient {
    /// Base of the API.
    pub url: SourceUrl,
    /// `api_key`: identifies the owner of the account.
    pub api_key: Secret,
    /// `application_key`: identifies the program.
    pub application_key: Secret,
    /// MAC address of the station; may be absent if the account has one station.
    pub mac: Option<String>,
}

const OPEN_METEO: &str = "https://api.open-meteo.com";
const NWS: &str = "https://api.weather.gov";
const AMBIENT: &str = "https://rt.ambientweather.net";

pub(super) fn open_meteo(section: &mut Section<'_, '_>) -> Option<OpenMeteo> {
    let url = section.url_or(OPEN_METEO);
    let latitude = section.number_within("latitude", -90.0..=90.0);
    let latitude = section.require("latitude", latitude);
    let longitude = section.number_within("longitude", -180.0..=180.0);
    let longitude = section.require("longitude", longitude);
    Some(OpenMeteo { url: url?, latitude: latitude?, longitude: longitude? })
}

pub(super) fn nws(section: &mut Section<'_, '_>) -> Option<Nws> {
    let url = section.url_or(NWS);
    let station = section.string("station");
    let station = section.require("station", station).and_then(|Spanned { value, span }| {
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain {
            section.report(span, "\"station\" must be a station's name such as \"KSFO\"");
        }
        plain.then(|| value.to_ascii_uppercase())
    });
    Some(Nws { url: url?, station: station? })
}

pub(super) fn ambient(section: &mut Section<'_, '_>) -> Option<Ambient> {
    let url = section.url_or(AMBIENT);
    let api_key = key(section, "api_key");
    let application_key = key(section, "application_key");
    let mac = match section.string("mac") {
        None => Some(None),
        Some(Spanned { value, .. }) if is_mac(&value) => Some(Some(value.to_ascii_uppercase())),
        Some(Spanned { span, .. }) => {
            section.report(span, "\"mac\" must be a MAC address such as \"00:0E:C6:20:0F:7B\"");
            None
        }
    };
    Some(Ambient { url: url?, api_key: api_key?, application_key: application_key?, mac: mac? })
}

/// Reads a key that needs no escaping in a query.
fn key(section: &mut Section<'_, '_>, name: &str) -> Option<Secret> {
    let at = section.span_of(name);
    let key = section.secret(name);
    let key = section.require(name, key)?;
    if !key.expose().is_empty() && key.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Some(key);
    }
    let message = format_args!("\"{name}\" must be letters and digits");
    section.report(at.unwrap_or_default(), message);
    None
}

fn is_mac(text: &str) -> bool {
    let mut parts = text.split(':');
    let octet = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.clone().count() == 6 && parts.all(octet)
}
