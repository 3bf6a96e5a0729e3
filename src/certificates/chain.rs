//! Finds out whether clients get from the server's certificate to an authority, by the issuers in its file.

use std::fmt;

use x509_parser::error::X509Error;
use x509_parser::oid_registry::{OID_PKCS1_RSASSAPSS, OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS};
use x509_parser::prelude::{ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::problem::CertificateProblem;
use super::shown;

/// Remedy for a chain that is incomplete, not in order or of certificates that do not belong together.
pub const FULL_CHAIN: &str = "\"cert\" must be the file with the full chain (certbot: fullchain.pem): the \
                          server's certificate, then each issuer of the one before";

/// Maximum number of issuers that are followed. Clients follow no more than about ten.
const MAX_ISSUERS: usize = 8;

/// Fault of a chain. Positions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// A certificate has the name of an issuer, but another key, and no other one in the file is of that issuer.
    OtherKey {
        /// Its position.
        position: usize,
        /// Its subject.
        subject: String,
        /// Position of the certificate whose issuer is missing.
        issued: usize,
    },
    /// A certificate has issued another one, and must not.
    NoAuthority {
        /// Its position.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// A certificate cannot be parsed.
    Unparsed {
        /// Its position.
        position: usize,
    },
    /// The issuer of the server's certificate is not in the file.
    NoIssuer {
        /// The issuer.
        issuer: String,
        /// True if a public authority has issued it. Its issuer is an intermediate one then, which clients have
        /// not stored.
        is_public: bool,
    },
    /// A certificate is another one than the issuer of the one before.
    Order {
        /// Its position.
        position: usize,
        /// Its subject.
        subject: String,
        /// Issuer of the one before.
        issuer: String,
    },
}

impl ChainFault {
    /// Finds the gravest fault of the certificates in the file. `unparsed` is the position of the first one that
    /// is missing from `rest` since it cannot be parsed.
    pub(super) fn find(
        leaf: &X509Certificate<'_>,
        rest: &[X509Certificate<'_>],
        issuers: &Issuers<'_, '_>,
        unparsed: Option<usize>,
    ) -> Option<ChainFault> {
        let Issuers { found, other_key } = issuers;
        let no_authority = || {
            let (position, issuer) =
                found.iter().find(|(_, issuer)| !is_root(issuer) && !issuer.is_ca())?;
            let subject = shown::subject(issuer.subject());
            Some(ChainFault::NoAuthority { position: *position, subject })
        };
        let no_issuer = || {
            (found.is_empty() && !is_root(leaf)).then(|| ChainFault::NoIssuer {
                issuer: shown::subject(leaf.issuer()),
                is_public: has_issuer_address(leaf),
            })
        };
        other_key
            .clone()
            .or_else(no_authority)
            .or_else(|| unparsed.map(|position| ChainFault::Unparsed { position }))
            .or_else(no_issuer)
            .or_else(|| wrong_order(leaf, rest))
    }

    /// Returns the fault as a problem of the certificate that has these words.
    pub(super) fn problem(&self, label: &str) -> CertificateProblem {
        let problem = match self {
            ChainFault::NoIssuer { issuer, is_public } => {
                let source = if *is_public {
                    "clients do not have it, and refuse the connection"
                } else {
                    "clients that do not trust this very issuer refuse the connection"
                };
                format!(
                    "the certificate {label} is sent without that of its issuer, \"{issuer}\": {source}"
                )
            }
            ChainFault::Order { .. } => {
                format!("the chain of the certificate {label} is not in order: {self}")
            }
            ChainFault::OtherKey { .. } | ChainFault::NoAuthority { .. } => {
                format!("clients refuse the chain of the certificate {label}: {self}")
            }
            ChainFault::Unparsed { .. } => self.to_string(),
        };
        let advice = match self {
            ChainFault::Unparsed { .. } => "copy the file again",
            _ => FULL_CHAIN,
        };
        CertificateProblem { problem, advice: advice.to_owned(), refused: self.is_refused() }
    }

    /// Returns true if clients refuse the chain, unless they happen to have stored what it lacks.
    pub fn is_refused(&self) -> bool {
        match self {
            ChainFault::OtherKey { .. } | ChainFault::NoAuthority { .. } => true,
            ChainFault::NoIssuer { is_public, .. } => *is_public,
            // Clients sort the certificates, and leave out those that they do not need.
            ChainFault::Unparsed { .. } | ChainFault::Order { .. } => false,
        }
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChainFault::OtherKey { position, subject, issued } => write!(
                f,
                "certificate {position}, \"{subject}\", has the name of the issuer of certificate {issued}, but its \
                 key has not signed that"
            ),
            ChainFault::NoAuthority { position, subject } => write!(
                f,
                "certificate {position}, \"{subject}\", has issued another one, but is not that of an authority \
                 (CA:TRUE)"
            ),
            ChainFault::Unparsed { position } => {
                write!(f, "certificate {position} of the file cannot be parsed")
            }
            ChainFault::NoIssuer { issuer, .. } => {
                write!(f, "it is sent without the certificate of its issuer, \"{issuer}\"")
            }
            ChainFault::Order { position, subject, issuer } => write!(
                f,
                "certificate {position} is \"{subject}\", and not the issuer of certificate {}, \"{issuer}\"",
                position - 1
            ),
        }
    }
}

/// Issuers of a certificate in its file, wherever they are in it: clients search for them, too.
pub(super) struct Issuers<'a, 'c> {
    /// Positions and certificates, each the issuer of the one before. A root ends them.
    found: Vec<(usize, &'a X509Certificate<'c>)>,
    /// Fault for which the search ended.
    other_key: Option<ChainFault>,
}

impl<'a, 'c> Issuers<'a, 'c> {
    /// Searches the certificates behind `leaf`.
    pub(super) fn of(leaf: &'a X509Certificate<'c>, rest: &'a [X509Certificate<'c>]) -> Self {
        let mut found: Vec<(usize, &X509Certificate<'_>)> = Vec::new();
        let mut other_key = None;
        let (mut issued, mut one) = (1, leaf);
        while !is_root(one) && found.len() < MAX_ISSUERS {
            let named = (2..).zip(rest).filter(|(_, it)| it.subject() == one.issuer());
            let (others, signers): (Vec<_>, Vec<_>) =
                named.partition(|(_, issuer)| is_of_other_key(one, issuer));
            // A client that has the root stops there. Of several others, it finds the one that is still valid.
            let end = |issuer: &X509Certificate<'_>| issuer.validity().not_after.timestamp();
            let next = signers
                .into_iter()
                .filter(|(position, _)| found.iter().all(|(known, _)| known != position))
                .max_by_key(|(_, issuer)| (is_root(issuer), end(issuer)));
            let Some((position, issuer)) = next else {
                // Clients ignore a root in the file, and have the right one.
                let other = others.into_iter().find(|(_, issuer)| !is_root(issuer));
                other_key = other.map(|(position, issuer)| ChainFault::OtherKey {
                    position,
                    subject: shown::subject(issuer.subject()),
                    issued,
                });
                break;
            };
            found.push((position, issuer));
            (issued, one) = (position, issuer);
        }
        Issuers { found, other_key }
    }

    /// Returns those that clients take from the file: without a root, and without the last of several, which may
    /// be one.
    pub(super) fn needed(&self) -> impl Iterator<Item = &X509Certificate<'c>> {
        let needed = match self.found.as_slice() {
            [(_, only)] if !is_root(only) => &self.found,
            [rest @ .., _] => rest,
            [] => &[],
        };
        needed.iter().map(|(_, issuer)| *issuer)
    }
}

/// Returns true if a certificate is signed by its own key. One that is issued by its own name with another key
/// introduces a new key of the same authority (RFC 4210 4.4), and is an issuer like others.
fn is_root(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer() == certificate.subject() && !is_of_other_key(certificate, certificate)
}

/// Returns the first certificate that does not follow the one that it has issued.
fn wrong_order(leaf: &X509Certificate<'_>, rest: &[X509Certificate<'_>]) -> Option<ChainFault> {
    let links = std::iter::once(leaf).chain(rest).zip(rest).zip(2..);
    let mut wrong = links.filter(|((one, next), _)| one.issuer() != next.subject());
    wrong.next().map(|((one, next), position)| ChainFault::Order {
        position,
        subject: shown::subject(next.subject()),
        issuer: shown::subject(one.issuer()),
    })
}

/// Returns true if a certificate is certainly not signed by the key of another one. Signatures of kinds that
/// cannot be verified here, as some clients cannot, are left to the clients.
fn is_of_other_key(signed: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    /// Sizes in bits of RSA keys whose signatures can be verified.
    const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
    let is_verifiable = match issuer.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => RSA_BITS.contains(&key.key_size()),
        // The salt of RSASSA-PSS may have another length than the one that is verified.
        _ => true,
    } && signed.signature_algorithm.algorithm != OID_PKCS1_RSASSAPSS;
    is_verifiable
        && matches!(
            signed.verify_signature(Some(issuer.public_key())),
            Err(X509Error::SignatureVerificationError)
        )
}

/// Returns true if the certificate says where that of its issuer is, as public authorities do (RFC 5280
/// 4.2.2.1). Their issuers are intermediate ones.
fn has_issuer_address(leaf: &X509Certificate<'_>) -> bool {
    leaf.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .accessdescs
            .iter()
            .any(|description| description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
