//! Recognises private keys that rustls cannot use, by their algorithm.

use rustls::pki_types::PrivateKeyDer;
use x509_parser::asn1_rs::{Any, FromDer, Oid};

use super::content::NEW_KEY;

/// Least size of an RSA key in bits that rustls signs with.
const MIN_RSA_BITS: usize = 2048;

/// Greatest size of an RSA key in bits that rustls signs with.
const MAX_RSA_BITS: usize = 8192;

/// Returns the reason why rustls does not accept a key, with the remedy.
pub(super) fn reason(key: &PrivateKeyDer<'_>) -> String {
    let found = match key {
        PrivateKeyDer::Pkcs1(key) => rsa_bits(key.secret_pkcs1_der()).map(rsa_reason),
        PrivateKeyDer::Sec1(key) => sec1_curve(key.secret_sec1_der()).map(curve_reason),
        PrivateKeyDer::Pkcs8(key) => pkcs8_reason(key.secret_pkcs8_der()),
        _ => None,
    };
    let reason = found.unwrap_or_else(|| {
        "the private key is damaged, or of a kind that is not supported".to_owned()
    });
    format!("{reason}; {NEW_KEY}")
}

fn rsa_reason(bits: usize) -> String {
    match bits {
        ..MIN_RSA_BITS => {
            format!(
                "the private key is RSA with {bits} bits, and clients need at least {MIN_RSA_BITS}"
            )
        }
        MIN_RSA_BITS..=MAX_RSA_BITS => format!("the RSA private key with {bits} bits is damaged"),
        _ => format!("the private key is RSA with {bits} bits, and the limit is {MAX_RSA_BITS}"),
    }
}

fn curve_reason(curve: Oid<'_>) -> String {
    let name = match curve.to_id_string().as_str() {
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.132.0.33" => "P-224".to_owned(),
        "1.2.840.10045.3.1.1" => "P-192".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        id @ ("1.2.840.10045.3.1.7" | "1.3.132.0.34" | "1.3.132.0.35") => {
            return format!("the private key on the curve {id} is damaged");
        }
        id => format!("with the number {id}"),
    };
    format!("the private key is on the curve {name}, and only P-256, P-384 and P-521 are supported")
}

/// Returns the size of a key of PKCS#1 (RFC 8017 A.1.2).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (key, _) = element(der)?;
    let (_version, rest) = element(key)?;
    let (modulus, _) = element(rest)?;
    let digits = modulus.iter().skip_while(|byte| **byte == 0);
    let first = *digits.clone().next()?;
    Some(digits.count() * 8 - first.leading_zeros() as usize)
}

/// Returns the curve of a key of SEC 1 (RFC 5915 3).
fn sec1_curve(der: &[u8]) -> Option<Oid<'_>> {
    let (key, _) = element(der)?;
    let (_version, rest) = element(key)?;
    let (_private, rest) = element(rest)?;
    let (parameters, _) = element(rest)?;
    Some(Oid::from_der(parameters).ok()?.1)
}

/// Returns the reason for a key of PKCS#8 (RFC 5958 2).
fn pkcs8_reason(der: &[u8]) -> Option<String> {
    let (key, _) = element(der)?;
    let (_version, rest) = element(key)?;
    let (algorithm, rest) = element(rest)?;
    let (parameters, algorithm) = Oid::from_der(algorithm).ok()?;
    Some(match algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.1" => rsa_reason(rsa_bits(element(rest)?.0)?),
        "1.2.840.10045.2.1" => curve_reason(Oid::from_der(parameters).ok()?.1),
        "1.2.840.113549.1.1.10" => named("an RSASSA-PSS key"),
        "1.2.840.10040.4.1" => named("a DSA key"),
        "1.3.101.113" => named("an Ed448 key"),
        "1.3.101.110" => named("an X25519 key, which cannot sign"),
        "1.3.101.112" => "the Ed25519 private key is damaged".to_owned(),
        id => named(&format!("a key of the algorithm {id}")),
    })
}

fn named(kind: &str) -> String {
    format!("the private key is {kind}; only RSA, P-256, P-384, P-521 and Ed25519 are supported")
}

/// Returns the content of the first element of DER, and the bytes behind it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, element) = Any::from_der(der).ok()?;
    Some((element.data, rest))
}
