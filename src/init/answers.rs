//! The answers from which the files are made.

use super::names::{TANK_LINK, TANK_TOKEN};
use super::place::Place;
use super::reach::Reach;
use super::toml_text;
use crate::access::{MAX_NAME_BYTES, is_account_name};
use crate::config::{ListenAddr, Secret, SourceUrl};
use crate::units::{System, Unit};

/// Everything that the files depend on, checked.
#[derive(Debug, Clone)]
pub struct Answers {
    /// Place of the weather.
    pub place: Place,
    /// Units of pages and JSON.
    pub units: System,
    /// Time zone of the site; `None`: whatever the machine has.
    pub timezone: Option<String>,
    /// Heading of the page.
    pub title: String,
    /// Clients that may read.
    pub access: Access,
    /// The tank.
    pub tank: Tank,
    /// Public addresses.
    pub listen: Vec<ListenAddr>,
    /// Address of the admin listener, if it is not the default.
    pub admin: Option<ListenAddr>,
    /// Names of the certificate, and URLs.
    pub reach: Reach,
}

/// Clients that may read.
#[derive(Debug, Clone)]
pub enum Access {
    /// Programs of this machine.
    Local,
    /// Everyone who reaches the server.
    Open,
    /// A user.
    User {
        /// Name of the account.
        name: String,
        /// Hash of its password, for a file of its own.
        hash: Secret,
    },
}

/// The tank's source. A part that is not known yet is `None`; the source is then written commented out.
#[derive(Debug, Clone)]
pub enum Tank {
    /// No tank.
    None,
    /// `kind = "ptlevel"`
    PtLevel {
        /// The share page.
        link: Option<SourceUrl>,
        /// Height of the full tank, inches.
        height: Option<f64>,
        /// Volume of the full tank, US gallons.
        capacity: Option<f64>,
    },
    /// `kind = "ptdevices"`
    PtDevices {
        /// Number or MAC address of the device.
        device: Option<String>,
        /// The API token.
        token: Option<Secret>,
        /// Time zone of the device's clock.
        zone: Option<String>,
    },
    /// `kind = "json"`
    Json {
        /// URL of the document.
        url: Option<SourceUrl>,
        /// JSON pointer to the value.
        pointer: Option<String>,
        /// Unit of the value.
        unit: Unit,
    },
}

impl Access {
    /// Returns true if other machines may read.
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Access::Local)
    }
}

impl Tank {
    /// Returns the secret that is written into a file of its own, if it is known.
    pub(super) fn secret(&self) -> Option<(&'static str, &str)> {
        match self {
            Tank::PtLevel { link: Some(link), .. } => Some((TANK_LINK, link.as_str())),
            Tank::PtDevices { token: Some(token), .. } => Some((TANK_TOKEN, token.expose())),
            _ => None,
        }
    }

    /// Returns true if the configuration contains the tank's URL with what may be a secret.
    pub(super) fn has_secret_in_url(&self) -> bool {
        match self {
            Tank::Json { url: Some(url), .. } => {
                url.secrets().any(|secret| !secret.expose().is_empty())
            }
            _ => false,
        }
    }

    /// Returns true if the source is complete, so that it can be polled.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Tank::None => true,
            Tank::PtLevel { link, height, capacity } => {
                link.is_some() && height.is_some() && capacity.is_some()
            }
            Tank::PtDevices { device, token, zone } => {
                device.is_some() && token.is_some() && zone.is_some()
            }
            Tank::Json { url, pointer, .. } => url.is_some() && pointer.is_some(),
        }
    }
}

/// Returns the name of a field that is measured in `unit`.
pub(super) const fn field_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Percent => "level",
        Unit::UsGallon | Unit::Litre | Unit::CubicMetre | Unit::CubicFoot => "volume",
        Unit::Inch | Unit::Foot | Unit::Millimetre | Unit::Centimetre | Unit::Metre => "depth",
        _ => "value",
    }
}

/// Parses the heading of the page.
///
/// # Errors
/// The configuration cannot contain the text.
pub fn title(text: &str) -> Result<String, String> {
    toml_text::check(text)?;
    Ok(text.trim().to_owned())
}

/// Parses the name of an account.
///
/// # Errors
/// It is no valid name, or the configuration cannot contain it.
pub fn user_name(text: &str) -> Result<String, String> {
    toml_text::check(text)?;
    let name = text.trim();
    if is_account_name(name) {
        Ok(name.to_owned())
    } else {
        Err(format!("a name has 1 to {MAX_NAME_BYTES} bytes, no colon and no control character"))
    }
}

/// Parses a device's number or MAC address. Colons of a MAC address are removed.
///
/// # Errors
/// It has other characters than letters and digits.
pub fn device(text: &str) -> Result<String, String> {
    let plain: String = text.trim().chars().filter(|c| !matches!(c, ':' | '-')).collect();
    if !plain.is_empty() && plain.len() <= 32 && plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(plain)
    } else {
        Err("not the number of a device or its 12 hex digits".to_owned())
    }
}

/// Parses a JSON pointer (RFC 6901).
///
/// # Errors
/// It does not begin with a slash, or the configuration cannot contain it.
pub fn pointer(text: &str) -> Result<String, String> {
    toml_text::check(text)?;
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("a JSON pointer begins with a slash, such as /tank/level".to_owned())
    }
}

/// Parses a system of units.
///
/// # Errors
/// It is neither of both.
pub fn units(text: &str) -> Result<System, String> {
    let known = text.trim().to_ascii_lowercase().parse();
    known.map_err(|_| "neither us nor metric".to_owned())
}

/// Parses a unit.
///
/// # Errors
/// The program does not know it.
pub fn unit(text: &str) -> Result<Unit, String> {
    Unit::from_input(text.trim()).ok_or_else(|| "no unit, such as %, in, cm, gal or L".to_owned())
}

/// Parses the URL of a source. The error does not repeat the text, which may contain secrets.
///
/// # Errors
/// It is no URL of an upstream, or the configuration cannot contain it.
pub fn url(text: &str) -> Result<SourceUrl, String> {
    let text = text.trim();
    toml_text::check(text)?;
    text.parse().map_err(|error| format!("the address {error}"))
}

/// Parses a token.
///
/// # Errors
/// The configuration cannot contain it.
pub fn token(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    toml_text::check(text)?;
    Ok(Secret::new(text.to_owned()))
}
