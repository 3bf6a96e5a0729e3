//! Self-signed certificates, for the command `cert` and for the demo.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::wall_clock;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SerialNumber,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Lifetime in days; browsers refuse longer ones.
pub const VALID_DAYS: u32 = 397;

/// Time by which a new certificate is backdated, so that clients whose clocks are behind accept it.
const CLOCK_SKEW: Duration = DAY;

/// Number of bytes of a serial number, the most that RFC 5280 4.1.2.2 allows.
const SERIAL_BYTES: usize = 20;

/// A certificate and its private key, both in PEM.
pub struct SelfSigned {
    /// The certificate.
    pub cert_pem: String,
    /// The private key: a secret.
    pub key_pem: String,
}

/// Error of creating a certificate.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name is not valid in a certificate, or the key cannot sign one.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// The random serial number could not be generated.
    #[error("the system returned no random numbers")]
    NoRandomness,
}

/// Generates a P-256 key and a self-signed certificate for the names and IP addresses given.
///
/// # Errors
/// A name is not valid in a certificate.
pub fn self_signed(names: &[String]) -> Result<SelfSigned, SelfSignedError> {
    let key = KeyPair::generate()?;
    Ok(SelfSigned { cert_pem: certificate(names, &key)?, key_pem: key.serialize_pem() })
}

/// Issues a new certificate, in PEM, for an existing key.
///
/// # Errors
/// The key cannot be read, or a name is not valid in a certificate.
pub fn renewed(names: &[String], key_pem: &str) -> Result<String, SelfSignedError> {
    certificate(names, &KeyPair::from_pem(key_pem)?)
}

fn certificate(names: &[String], key: &KeyPair) -> Result<String, SelfSignedError> {
    let now = wall_clock::system_time();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "pumphouse-web");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now - CLOCK_SKEW + DAY * VALID_DAYS).into();
    // The certificate cannot sign others, so a client that trusts it trusts this server only. Strict verifiers
    // require each of these extensions.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // The default is computed from the key, which a renewed certificate shares with its predecessor.
    // Browsers refuse two certificates with the same issuer and serial number.
    params.serial_number = Some(serial()?);
    Ok(params.self_signed(key)?.pem())
}

fn serial() -> Result<SerialNumber, SelfSignedError> {
    let mut bytes = [0; SERIAL_BYTES];
    rand::fill(&mut bytes).map_err(|_| SelfSignedError::NoRandomness)?;
    // A positive DER integer of a fixed length.
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
