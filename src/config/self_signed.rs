//! Self-signed certificates, for a first start and for the demo.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one is good for; browsers refuse longer ones.
pub const VALID_DAYS: u32 = 397;

/// A clock that is behind ours by less than this still accepts a new certificate.
const CLOCK_SKEW: Duration = DAY;

/// A certificate and its key, PEM both.
pub struct SelfSigned {
    /// The certificate.
    pub cert_pem: String,
    /// The private key; not to be shown.
    pub key_pem: String,
}

/// Makes a P-256 key and a certificate for those names and IP addresses, signed by itself.
///
/// # Errors
/// A name cannot stand in a certificate.
pub fn self_signed(names: &[String]) -> Result<SelfSigned, rcgen::Error> {
    let now = SystemTime::now();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "pumphouse-web");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now - CLOCK_SKEW + DAY * VALID_DAYS).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(SelfSigned { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
}
