//! Names, validity and problems of a certificate.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::{ChainFault, Issuers};
use super::content::{self, Wanted};
use super::name::is_dns_name;
use super::problem::CertificateProblem;
use super::review;
use super::shown::listed;
use super::validity::Validity;

/// Names, validity and problems of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Host names and addresses that it is valid for (RFC 5280 4.2.1.6). Texts that are none are left out, as no
    /// client accepts them.
    pub names: Vec<String>,
    /// True if issuer and subject are the same.
    pub self_issued: bool,
    /// Fault of the issuers in its file, which is one of the problems, too.
    pub chain_fault: Option<ChainFault>,
    /// Period in which clients accept it and its issuers.
    pub validity: Validity,
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
        let (first, others) = chain.split_first().ok_or("the file has no certificate")?;
        // The error is one of ASN.1, which helps no operator.
        let (_, leaf) = X509Certificate::from_der(first)
            .map_err(|_| "certificate 1 of the file cannot be parsed; copy the file again")?;
        let mut rest = Vec::new();
        let unparsed = others.iter().zip(2..).find_map(|(der, position)| {
            match X509Certificate::from_der(der) {
                Ok((_, certificate)) => rest.push(certificate),
                Err(_) => return Some(position),
            }
            None
        });
        let names = match leaf.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        let mut problems = review::leaf(&leaf, &names);
        let issuers = Issuers::of(&leaf, &rest);
        let chain_fault = ChainFault::find(&leaf, &rest, &issuers, unparsed);
        let of_chain = chain_fault.as_ref();
        problems.extend(of_chain.map(|fault| fault.problem(&review::label(&leaf, &names))));
        Ok(CertificateInfo {
            names,
            self_issued: leaf.issuer() == leaf.subject(),
            chain_fault,
            validity: Validity::of_chain(&leaf, &issuers),
            problems,
        })
    }

    /// Returns the names for a message, or words for a certificate without names.
    pub fn label(&self) -> String {
        match self.names.as_slice() {
            [] => "no name".to_owned(),
            names => listed(names),
        }
    }

    /// Logs the problems that do not depend on the time.
    pub fn log_problems(&self) {
        self.problems.iter().for_each(|problem| log::warn!("{problem}"));
    }

    /// Returns the number of whole days until it or an issuer expires, negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        (self.validity.end.at.as_second() - now.as_second()).div_euclid(DAY)
    }
}

/// Returns a name that clients can find; `None` for another kind of name or a text that is no host name.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => is_dns_name(name).then(|| (*name).to_owned()),
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
