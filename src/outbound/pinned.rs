//! Verification of a server by its own certificate, for devices with one that they made themselves.
//!
//! Such a certificate is a CA (which no chain may end in), has a common name alone, is of version 1, is for
//! another name than the address of the device, or has expired. None of this matters if the operator holds
//! the very certificate: a server that presents it byte for byte and signs the handshake with its key is the
//! device. The equality replaces the checks of chain, name and validity; the signature is always verified.
//! Every other certificate must have a chain to one of the certificates, as usual.
//!
//! Connections to a database may ask for less: a chain without the name, or encryption alone.
//!
//! Probes of this program's own listeners verify in the same way, with the configured certificates and the
//! authorities of the system, but demand that a certificate is valid now: visitors do.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, ServerName, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use webpki::RawPublicKeyEntity;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// Checks of a certificate that is not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    ChainAndName,
    Chain,
    /// The handshake still proves that the server has the key of the certificate.
    Nothing,
}

/// Verifier that accepts the certificates that it holds, and those with a chain to one of them.
#[derive(Debug)]
pub(super) struct PinnedOrTrusted {
    pinned: Vec<CertificateDer<'static>>,
    /// `None` if no certificate can be a trust anchor.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    /// True if a pinned certificate must be valid now, too.
    checks_validity: bool,
    checks: Checks,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedOrTrusted {
    pub(super) fn new(
        pinned: Vec<CertificateDer<'static>>,
        roots: Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> PinnedOrTrusted {
        let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        // Without revocation lists, the one possible error is that there are no roots.
        let trusted = builder.build().ok();
        let algorithms = provider.signature_verification_algorithms;
        PinnedOrTrusted {
            pinned,
            trusted,
            checks_validity: false,
            checks: Checks::ChainAndName,
            algorithms,
        }
    }

    /// Returns the verifier that demands that a pinned certificate is valid now.
    pub(super) fn checking_validity(self) -> PinnedOrTrusted {
        PinnedOrTrusted { checks_validity: true, ..self }
    }

    /// Returns the verifier that accepts any name in a certificate with a chain to a trusted one.
    pub(super) fn for_any_name(self) -> PinnedOrTrusted {
        PinnedOrTrusted { checks: Checks::Chain, ..self }
    }

    /// Returns the verifier that accepts any certificate.
    pub(super) fn for_any_certificate(self) -> PinnedOrTrusted {
        PinnedOrTrusted { checks: Checks::Nothing, ..self }
    }

    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        self.pinned.iter().any(|pinned| pinned == certificate)
    }

    /// Returns the public key of a pinned certificate that rustls cannot parse, such as one of version 1.
    fn unparsable_key<'a>(
        &self,
        certificate: &'a CertificateDer<'_>,
    ) -> Result<Option<SubjectPublicKeyInfoDer<'a>>, Error> {
        if !self.is_pinned(certificate) || ParsedCertificate::try_from(certificate).is_ok() {
            return Ok(None);
        }
        match X509Certificate::from_der(certificate) {
            Ok((_, parsed)) => Ok(Some(parsed.tbs_certificate.subject_pki.raw.into())),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    /// Verifies a signature of TLS 1.2 by a public key, for which rustls has a function for TLS 1.3 only.
    fn verify_tls12_with_key(
        &self,
        message: &[u8],
        key: &SubjectPublicKeyInfoDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = RawPublicKeyEntity::try_from(key).map_err(|_| CertificateError::BadEncoding)?;
        let mut schemes = self.algorithms.mapping.iter();
        let (_, algorithms) = schemes
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        // A scheme of TLS 1.2 leaves the curve of the key open (RFC 8446 4.2.3): one of these matches it.
        let is_valid = |algorithm: &&dyn SignatureVerificationAlgorithm| {
            key.verify_signature(*algorithm, message, signed.signature()).is_ok()
        };
        match algorithms.iter().any(is_valid) {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(CertificateError::BadSignature.into()),
        }
    }
}

/// Verifies that a certificate is valid at that time.
fn verify_validity(certificate: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let since_epoch = |at: ASN1Time| {
        UnixTime::since_unix_epoch(Duration::from_secs(at.timestamp().try_into().unwrap_or(0)))
    };
    let not_before = since_epoch(parsed.validity().not_before);
    let not_after = since_epoch(parsed.validity().not_after);
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

impl ServerCertVerifier for PinnedOrTrusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_pinned(end_entity) {
            if self.checks_validity {
                verify_validity(end_entity, now)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        if self.checks == Checks::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(trusted) = &self.trusted else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let verified =
            trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is verified after the chain.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.checks == Checks::Chain => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.unparsable_key(certificate)? {
            Some(key) => self.verify_tls12_with_key(message, &key, signed),
            None => verify_tls12_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.unparsable_key(certificate)? {
            Some(key) => {
                verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
            }
            None => verify_tls13_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
