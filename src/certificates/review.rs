//! Finds properties of certificates for which clients refuse them, although the server can present them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::info::{CertificateInfo, CertificateProblem};
use crate::config::ExpectedName;
use crate::engine::tls::covers;
use crate::file_error::Shown;
use crate::shell::quoted;

/// Remedy for a chain that is incomplete or not in order.
const FULL_CHAIN: &str = "\"cert\" must be the file with the full chain (certbot: fullchain.pem): the \
                          server's certificate, then each issuer of the one before";

fn problem(problem: impl Into<String>, advice: impl Into<String>) -> CertificateProblem {
    CertificateProblem { problem: problem.into(), advice: advice.into() }
}

/// Reviews a chain, whose first certificate has these names and `is_alone` in its file. Issuers that cannot be
/// parsed are left out.
pub(super) fn chain(
    chain: &[X509Certificate<'_>],
    is_alone: bool,
    names: &[String],
) -> Vec<CertificateProblem> {
    let mut problems = Vec::new();
    let Some((leaf, issuers)) = chain.split_first() else { return problems };
    let is_self_issued = leaf.issuer() == leaf.subject();
    let label = label(leaf, names);
    if names.is_empty() {
        problems.push(nameless(leaf));
    }
    if leaf.is_ca() {
        problems.push(problem(
            format!("the certificate {label} is that of an authority (CA:TRUE), which strict clients refuse"),
            "issue one with basicConstraints=CA:FALSE; `pumphouse-web cert` makes such a certificate",
        ));
    }
    if is_alone && !is_self_issued {
        let source = if has_issuer_address(leaf) {
            "clients do not have it, and refuse the connection"
        } else {
            "clients that do not trust this very issuer refuse the connection"
        };
        problems.push(problem(
            format!(
                "the certificate {label} is sent without that of its issuer, \"{}\": {source}",
                leaf.issuer()
            ),
            FULL_CHAIN,
        ));
    }
    for (index, (one, next)) in chain.iter().zip(issuers).enumerate() {
        if one.issuer() != next.subject() {
            problems.push(problem(
                format!(
                    "the chain of the certificate {label} is not in order: certificate {} is \"{}\", and not the issuer \
                     of certificate {}, \"{}\"",
                    index + 2,
                    next.subject(),
                    index + 1,
                    one.issuer()
                ),
                FULL_CHAIN,
            ));
            break;
        }
    }
    problems.extend(wrong_purpose(leaf, &label));
    problems.extend(unaccepted_algorithm(leaf, is_self_issued, &label));
    problems
}

/// Returns the names of a certificate for a message, or its subject.
fn label(leaf: &X509Certificate<'_>, names: &[String]) -> String {
    if names.is_empty() {
        format!("\"{}\"", leaf.subject())
    } else {
        format!("for {}", names.join(", "))
    }
}

fn nameless(leaf: &X509Certificate<'_>) -> CertificateProblem {
    let common = leaf.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let subject = match common {
        Some(name) => format!("the certificate has the name \"{name}\" in its subject (CN) only"),
        None => "the certificate has no name".to_owned(),
    };
    problem(
        format!("{subject}, and clients read names from subjectAltName only"),
        "issue one with subjectAltName (openssl: -addext subjectAltName=DNS:…; or `pumphouse-web cert \
         --name …`)",
    )
}

/// Returns true if the certificate says where that of its issuer is, as public authorities do (RFC 5280
/// 4.2.2.1). Their issuers are intermediate ones, which clients have not stored.
pub(super) fn has_issuer_address(leaf: &X509Certificate<'_>) -> bool {
    leaf.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access
            .accessdescs
            .iter()
            .any(|description| description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS),
        _ => false,
    })
}

/// Returns a problem if the certificate is restricted to other purposes than a server.
fn wrong_purpose(leaf: &X509Certificate<'_>, label: &str) -> Option<CertificateProblem> {
    let usage = leaf.extended_key_usage().ok()??.value;
    (!usage.any && !usage.server_auth).then(|| {
        problem(
            format!(
                "the certificate {label} is not for servers: its extendedKeyUsage lacks serverAuth"
            ),
            "issue one with extendedKeyUsage=serverAuth",
        )
    })
}

/// Returns a problem if browsers refuse the algorithm of the key or of the signature.
fn unaccepted_algorithm(
    leaf: &X509Certificate<'_>,
    is_self_issued: bool,
    label: &str,
) -> Option<CertificateProblem> {
    let key = leaf.public_key();
    let kind = match key.parsed() {
        Ok(PublicKey::EC(point)) if point.key_size() > 384 => Some("P-521"),
        _ if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => Some("Ed25519"),
        _ => None,
    };
    if let Some(kind) = kind {
        return Some(problem(
            format!("the certificate {label} has a key of the kind {kind}, which browsers refuse"),
            "issue one for a P-256 key",
        ));
    }
    let signature = leaf.signature_algorithm.algorithm.to_id_string();
    // sha1WithRSAEncryption and ecdsa-with-SHA1.
    let is_sha1 = matches!(signature.as_str(), "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1");
    (is_sha1 && !is_self_issued).then(|| {
        problem(
            format!("the certificate {label} is signed with SHA-1, which clients refuse"),
            "issue one that is signed with SHA-256",
        )
    })
}

/// Adds to the first certificate the names that clients use and that no certificate covers.
pub(super) fn names(infos: &mut [CertificateInfo], expected: &[ExpectedName]) {
    let all: Vec<String> = infos.iter().flat_map(|info| info.names.iter().cloned()).collect();
    let Some(first) = infos.first_mut() else { return };
    for ExpectedName { name, origin } in expected {
        if !covers(&all, name) && !all.is_empty() {
            first.problems.push(problem(
                format!(
                    "no certificate is for {name}, which {origin} names: clients that use it refuse the \
                     certificate for {}",
                    all.join(", ")
                ),
                format!("issue one for {name}, or correct {origin}"),
            ));
        }
    }
}

/// Returns a problem if every user of this machine may read or write a key.
pub(super) fn exposed_key(key: &Path) -> Option<CertificateProblem> {
    const OTHERS: u32 = 0o006;
    let mode = fs::metadata(key).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        problem(
            format!("other users can read the private key {}", Shown(key)),
            format!("run: chmod o-rwx {}", quoted(key)),
        )
    })
}
