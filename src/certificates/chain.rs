//! Finds out whether clients get from the server's certificate to an authority, by the issuers in its file.

use std::fmt;

use x509_parser::error::X509Error;
use x509_parser::oid_registry::{OID_PKCS1_RSASSAPSS, OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS};
use x509_parser::prelude::{ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::problem::CertificateProblem;

/// Remedy for a chain that is incomplete, not in order or of certificates that do not belong together.
pub const FULL_CHAIN: &str = "\"cert\" must be the file with the full chain (certbot: fullchain.pem): the \
                          server's certificate, then each issuer of the one before";

/// First fault of a chain. Positions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// The server's certificate is alone, and is not its own issuer.
    Alone {
        /// Its issuer.
        issuer: String,
        /// True if a public authority has issued it. Its issuer is an intermediate one then, which clients have
        /// not stored.
        is_public: bool,
    },
    /// A certificate cannot be parsed.
    Unparsed {
        /// Its position.
        position: usize,
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
    /// A certificate has the name of the issuer of the one before, whose signature is of another key.
    OtherKey {
        /// Its position.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// The issuer of a certificate must not issue any.
    NoAuthority {
        /// Its position.
        position: usize,
        /// Its subject.
        subject: String,
    },
}

impl ChainFault {
    /// Finds the first fault in the certificates behind `leaf`. `unparsed` is the position of the first one in the
    /// file that is missing from them since it cannot be parsed.
    pub(super) fn find(
        leaf: &X509Certificate<'_>,
        rest: &[X509Certificate<'_>],
        unparsed: Option<usize>,
    ) -> Option<ChainFault> {
        let of_links = links(leaf, rest).find_map(|(position, one, next)| {
            let subject = next.subject().to_string();
            if one.issuer() != next.subject() {
                let issuer = one.issuer().to_string();
                return Some(ChainFault::Order { position, subject, issuer });
            }
            if is_of_other_key(one, next) {
                return Some(ChainFault::OtherKey { position, subject });
            }
            let is_root = next.issuer() == next.subject();
            (!is_root && !next.is_ca()).then_some(ChainFault::NoAuthority { position, subject })
        });
        let of_file = || match unparsed {
            Some(position) => Some(ChainFault::Unparsed { position }),
            None if rest.is_empty() && leaf.issuer() != leaf.subject() => Some(ChainFault::Alone {
                issuer: leaf.issuer().to_string(),
                is_public: has_issuer_address(leaf),
            }),
            None => None,
        };
        of_links.or_else(of_file)
    }

    /// Returns the fault as a problem of the certificate that has these words.
    pub(super) fn problem(&self, label: &str) -> CertificateProblem {
        let problem = match self {
            ChainFault::Alone { issuer, is_public } => {
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
        CertificateProblem { problem, advice: advice.to_owned() }
    }

    /// Returns true if clients refuse the chain whatever they have stored, unless that makes up for it.
    pub fn is_refused(&self) -> bool {
        match self {
            ChainFault::Alone { is_public, .. } => *is_public,
            ChainFault::OtherKey { .. } | ChainFault::NoAuthority { .. } => true,
            // Clients sort the certificates, and leave out those that they do not need.
            ChainFault::Order { .. } | ChainFault::Unparsed { .. } => false,
        }
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChainFault::Alone { issuer, .. } => {
                write!(f, "it is sent without the certificate of its issuer, \"{issuer}\"")
            }
            ChainFault::Unparsed { position } => {
                write!(f, "certificate {position} of the file cannot be parsed")
            }
            ChainFault::Order { position, subject, issuer } => write!(
                f,
                "certificate {position} is \"{subject}\", and not the issuer of certificate {}, \"{issuer}\"",
                position - 1
            ),
            ChainFault::OtherKey { position, subject } => write!(
                f,
                "certificate {position}, \"{subject}\", has the name of the issuer of certificate {}, but another \
                 key than its signature",
                position - 1
            ),
            ChainFault::NoAuthority { position, subject } => write!(
                f,
                "certificate {position}, \"{subject}\", is the issuer of certificate {}, but not that of an \
                 authority (CA:TRUE)",
                position - 1
            ),
        }
    }
}

/// Returns each certificate with the one behind it and the position of the latter.
fn links<'a, 'c>(
    leaf: &'a X509Certificate<'c>,
    rest: &'a [X509Certificate<'c>],
) -> impl Iterator<Item = (usize, &'a X509Certificate<'c>, &'a X509Certificate<'c>)> {
    let before = std::iter::once(leaf).chain(rest);
    before.zip(rest).enumerate().map(|(index, (one, next))| (index + 2, one, next))
}

/// Returns the certificates that follow `leaf` as issuers, each of the one before.
pub(super) fn issuers<'a, 'c>(
    leaf: &'a X509Certificate<'c>,
    rest: &'a [X509Certificate<'c>],
) -> impl Iterator<Item = &'a X509Certificate<'c>> {
    links(leaf, rest)
        .take_while(|(_, one, next)| one.issuer() == next.subject())
        .map(|(_, _, next)| next)
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
