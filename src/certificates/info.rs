//! Names, validity and problems of a certificate.

use std::fmt;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::content::{self, Wanted};
use super::review;

/// A property of a certificate for which clients refuse it, or which is probably unintended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateProblem {
    /// The property.
    pub problem: String,
    /// Action that helps.
    pub advice: String,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.advice)
    }
}

/// Names, validity and problems of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Host names and addresses that it is valid for (RFC 5280 4.2.1.6).
    pub names: Vec<String>,
    /// True if issuer and subject are the same.
    pub self_issued: bool,
    /// True if a public authority has issued it, whose own certificate is not in the chain.
    pub lacks_issuer: bool,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// Problems that do not depend on the time.
    pub problems: Vec<CertificateProblem>,
}

impl CertificateInfo {
    /// Reads the first certificate of a PEM chain.
    ///
    /// # Errors
    /// The text is no PEM, or its first certificate cannot be parsed.
    pub fn of_chain(pem: &[u8]) -> Result<CertificateInfo, String> {
        let chain = content::parse_chain(pem)
            .map_err(|unusable| unusable.describe(Wanted::Chain, "cert.pem".as_ref()))?;
        CertificateInfo::of_der(&chain)
    }

    /// Reads the first certificate of a chain, and reviews all of it.
    ///
    /// # Errors
    /// The first certificate cannot be parsed. Another one that cannot be parsed is a problem: only the clients
    /// parse it.
    pub fn of_der(chain: &[CertificateDer<'_>]) -> Result<CertificateInfo, String> {
        let mut parsed = Vec::new();
        let mut unparsed = None;
        for (index, der) in chain.iter().enumerate() {
            match X509Certificate::from_der(der) {
                Ok((_, certificate)) => parsed.push(certificate),
                // The error is one of ASN.1, which helps no operator.
                Err(_) if index == 0 => {
                    return Err("certificate 1 of the file cannot be parsed; copy the file again"
                        .to_owned());
                }
                Err(_) => {
                    unparsed = Some(CertificateProblem {
                        problem: format!("certificate {} of the file cannot be parsed", index + 1),
                        advice: "copy the file again".to_owned(),
                    });
                    break;
                }
            }
        }
        let leaf = parsed.first().ok_or("the file has no certificate")?;
        let timestamp = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| {
                format!("the validity of the certificate is out of range: {error}")
            })
        };
        let names = match leaf.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        let mut problems = review::chain(&parsed, chain.len() == 1, &names);
        problems.extend(unparsed);
        Ok(CertificateInfo {
            names,
            self_issued: leaf.issuer() == leaf.subject(),
            lacks_issuer: chain.len() == 1
                && leaf.issuer() != leaf.subject()
                && review::has_issuer_address(leaf),
            not_before: timestamp(leaf.validity().not_before)?,
            not_after: timestamp(leaf.validity().not_after)?,
            problems,
        })
    }

    /// Returns the names for a message, or words for a certificate without names.
    pub fn label(&self) -> String {
        match self.names.as_slice() {
            [] => "no name".to_owned(),
            names => names.join(", "),
        }
    }

    /// Logs the problems that do not depend on the time.
    pub fn log_problems(&self) {
        self.problems.iter().for_each(|problem| log::warn!("{problem}"));
    }

    /// Returns the number of whole days until it expires, negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        (self.not_after.as_second() - now.as_second()).div_euclid(DAY)
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                _ => None,
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}
