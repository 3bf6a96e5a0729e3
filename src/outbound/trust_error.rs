//! Errors of rustls about a certificate that no trusted authority has signed.

use rustls::CertificateError;

/// Returns true if no trusted authority has signed the certificate.
pub(super) fn is_untrusted(error: &CertificateError) -> bool {
    match error {
        // The signature is wrong where an authority of the issuer's name has another key, as the
        // previous one of two self-signed certificates.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => true,
        // A self-signed certificate, as by `openssl req -x509`: its issuer is not looked for.
        CertificateError::Other(other) => {
            matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}
