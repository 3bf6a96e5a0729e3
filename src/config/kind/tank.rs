//! The kinds that read tanks: `ptlevel`, `ptdevices`.

use jiff::tz::TimeZone;

use super::super::secret::Secret;
use super::super::section::{Section, Spanned};
use super::super::source_url::SourceUrl;

/// Keys of `kind = "ptlevel"`.
#[derive(Debug, Clone, PartialEq)]
pub struct PtLevel {
    /// The share page, `https://www.mypt.in/s/…`.
    pub url: SourceUrl,
    /// Height of the full tank, inches.
    pub height: f64,
    /// Volume of the full tank, US gallons.
    pub capacity: f64,
}

/// Keys of `kind = "ptdevices"`.
#[derive(Debug, Clone, PartialEq)]
pub struct PtDevices {
    /// Base of the API.
    pub url: SourceUrl,
    /// The device's number or its MAC address.
    pub device: String,
    /// `token`, sent as `api_token`.
    pub token: Secret,
    /// Time zone of the device's clock, which the API omits.
    pub timezone: TimeZone,
}

const PTDEVICES: &str = "https://api.ptdevices.com";

pub(super) fn ptlevel(section: &mut Section<'_, '_>) -> Option<PtLevel> {
    let url = section.secret_url();
    let height = section.positive("height");
    let height = section.require("height", height);
    let capacity = section.positive("capacity");
    let capacity = section.require("capacity", capacity);
    Some(PtLevel { url: url?, height: height?, capacity: capacity? })
}

pub(super) fn ptdevices(section: &mut Section<'_, '_>) -> Option<PtDevices> {
    let url = section.url_or(PTDEVICES);
    let device = section.string("device");
    let device = section.require("device", device).and_then(|Spanned { value, span }| {
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain {
            section.report(span, "\"device\" must be the device's number or its 12 hex digits");
        }
        plain.then_some(value)
    });
    let token = section.secret("token");
    let token = section.require("token", token);
    let timezone = section.clock_zone("the device's clock");
    let timezone = section.require("timezone", timezone);
    Some(PtDevices { url: url?, device: device?, token: token?, timezone: timezone? })
}
