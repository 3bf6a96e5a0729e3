//! Self-signed certificates, for a first start and for the demo.

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SerialNumber,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one is good for; browsers refuse longer ones.
pub const VALID_DAYS: u32 = 397;

/// A clock that is behind ours by less than this still accepts a new certificate.
const CLOCK_SKEW: Duration = DAY;

/// Bytes of a serial number at most (RFC 5280 4.1.2.2).
const SERIAL_BYTES: usize = 20;

/// A certificate and its key, PEM both.
pub struct SelfSigned {
    /// The certificate.
    pub cert_pem: String,
    /// The private key; not to be shown.
    pub key_pem: String,
}

/// Reason why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name cannot be in a certificate, or the key cannot sign one.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// There is no serial number.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// Makes a P-256 key and a certificate for those names and IP addresses, signed by itself.
///
/// # Errors
/// A name cannot stand in a certificate.
pub fn self_signed(names: &[String]) -> Result<SelfSigned, SelfSignedError> {
    let key = KeyPair::generate()?;
    Ok(SelfSigned { cert_pem: certificate(names, &key)?, key_pem: key.serialize_pem() })
}

/// Makes another certificate, in PEM, for a key that exists.
///
/// # Errors
/// The key cannot be read, or a name cannot be in a certificate.
pub fn renewed(names: &[String], key_pem: &str) -> Result<String, SelfSignedError> {
    certificate(names, &KeyPair::from_pem(key_pem)?)
}

fn certificate(names: &[String], key: &KeyPair) -> Result<String, SelfSignedError> {
    let now = SystemTime::now();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "pumphouse-web");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now - CLOCK_SKEW + DAY * VALID_DAYS).into();
    // A server's certificate and nothing else: it cannot sign others, so that a client that
    // trusts it trusts one server only. Strict verifiers want each of these said.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // The default is computed from the key, which a renewed certificate shares with the one
    // before it. Browsers refuse two certificates of one issuer and one number.
    params.serial_number = Some(serial()?);
    Ok(params.self_signed(key)?.pem())
}

fn serial() -> Result<SerialNumber, SelfSignedError> {
    let mut bytes = [0; SERIAL_BYTES];
    rand::fill(&mut bytes).map_err(|_| SelfSignedError::NoRandomness)?;
    // Positive, and of the same length always.
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
