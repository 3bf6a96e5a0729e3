//! Period in which clients accept a chain.

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;

use super::chain::Issuers;
use super::shown;

/// Remedy for the end of an issuer's certificate, which no renewal of the server's own replaces.
pub const NEW_CHAIN: &str =
    "use the full chain that the authority offers now (certbot: fullchain.pem)";

/// Period in which the server's certificate and those of its issuers in the file are all valid.
///
/// A root is left out: clients take their own copy, and often ignore its dates. So is the last of several issuers
/// if the root is not in the file: it may be a root, too, which another one has signed for older clients, until an
/// earlier end than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Start of the period.
    pub start: Bound,
    /// End of the period.
    pub end: Bound,
    /// Time between the dates of the server's own certificate.
    pub own_duration: SignedDuration,
}

/// Start or end of a chain's validity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Time.
    pub at: Timestamp,
    /// Issuer whose certificate sets it; `None` for the server's own.
    pub issuer: Option<String>,
}

impl Validity {
    /// Returns the validity of a certificate with its issuers.
    pub(super) fn of_chain(leaf: &X509Certificate<'_>, issuers: &Issuers<'_, '_>) -> Validity {
        let (start, end) = dates(leaf);
        let mut bounds = Validity {
            start: Bound { at: start, issuer: None },
            end: Bound { at: end, issuer: None },
            own_duration: end.duration_since(start),
        };
        for issuer in issuers.needed() {
            let bound = |at| Bound { at, issuer: Some(shown::subject(issuer.subject())) };
            let (start, end) = dates(issuer);
            if start > bounds.start.at {
                bounds.start = bound(start);
            }
            if end < bounds.end.at {
                bounds.end = bound(end);
            }
        }
        bounds
    }

    /// Returns true if every certificate is valid at that time.
    pub fn contains(&self, time: Timestamp) -> bool {
        (self.start.at..=self.end.at).contains(&time)
    }
}

impl Bound {
    /// Returns words for the certificate that sets it, in a chain for `names`.
    pub fn holder(&self, names: &str) -> String {
        match &self.issuer {
            Some(issuer) => {
                format!("certificate of the issuer \"{issuer}\" in the chain for {names}")
            }
            None => format!("certificate for {names}"),
        }
    }

    /// Returns what to do about the end of a chain's validity.
    pub fn remedy(&self) -> &'static str {
        if self.issuer.is_some() { NEW_CHAIN } else { "renew it" }
    }
}

/// Returns the dates of a certificate. One without an end has a date beyond the range of timestamps (RFC 5280
/// 4.1.2.5).
fn dates(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let timestamp = |time: ASN1Time| {
        let seconds = time.timestamp();
        let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_second(seconds).unwrap_or(limit)
    };
    let validity = certificate.validity();
    (timestamp(validity.not_before), timestamp(validity.not_after))
}
