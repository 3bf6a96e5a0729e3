//! Period in which clients accept a chain.

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;

use super::chain::issuers;

/// Remedy for the end of an issuer's certificate, which no renewal of the server's own replaces.
pub const NEW_CHAIN: &str =
    "use the full chain that the authority offers now (certbot: fullchain.pem)";

/// Period in which the server's certificate and those of its issuers in the file are all valid.
///
/// A root is left out: clients take their own copy, and ignore its dates as often as not. A client may also
/// know a newer certificate of an expired issuer, but many take the chain as it was sent.
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
    /// Returns the validity of a chain that begins with `leaf`.
    ///
    /// # Errors
    /// A date of the server's certificate is out of range. One of an issuer sets no bound.
    pub(super) fn of_chain(
        leaf: &X509Certificate<'_>,
        rest: &[X509Certificate<'_>],
    ) -> Result<Validity, String> {
        let validity = leaf.validity();
        let (start, end) = (timestamp(validity.not_before)?, timestamp(validity.not_after)?);
        let mut bounds = Validity {
            start: Bound { at: start, issuer: None },
            end: Bound { at: end, issuer: None },
            own_duration: end.duration_since(start),
        };
        for issuer in issuers(leaf, rest).filter(|issuer| issuer.issuer() != issuer.subject()) {
            let bound = |at| Bound { at, issuer: Some(issuer.subject().to_string()) };
            let validity = issuer.validity();
            if let Some(at) = timestamp(validity.not_before).ok().filter(|at| *at > bounds.start.at)
            {
                bounds.start = bound(at);
            }
            if let Some(at) = timestamp(validity.not_after).ok().filter(|at| *at < bounds.end.at) {
                bounds.end = bound(at);
            }
        }
        Ok(bounds)
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

fn timestamp(time: ASN1Time) -> Result<Timestamp, String> {
    Timestamp::from_second(time.timestamp())
        .map_err(|error| format!("the validity of the certificate is out of range: {error}"))
}
