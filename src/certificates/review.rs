//! Finds properties of certificates for which clients refuse them, although the server can present them.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::name::{self, is_dns_name};
use super::problem::CertificateProblem;
use super::shown::{self, listed};
use crate::config::ExpectedName;
use crate::engine::tls::covers;
use crate::file_error::Shown;
use crate::shell::quoted;

fn problem(problem: impl Into<String>, advice: impl Into<String>) -> CertificateProblem {
    CertificateProblem { problem: problem.into(), advice: advice.into(), refused: false }
}

/// Reviews a certificate that has these names.
pub(super) fn leaf(leaf: &X509Certificate<'_>, names: &[String]) -> Vec<CertificateProblem> {
    let mut problems = Vec::new();
    let is_self_issued = leaf.issuer() == leaf.subject();
    let label = label(leaf, names);
    let unusable = unusable_name(leaf);
    if names.is_empty() && unusable.is_none() {
        problems.push(nameless(leaf));
    }
    problems.extend(unusable);
    if leaf.is_ca() {
        problems.push(problem(
            format!("the certificate {label} is that of an authority (CA:TRUE), which strict clients refuse"),
            "issue one with basicConstraints=CA:FALSE; `pumphouse-web cert` makes such a certificate",
        ));
    }
    problems.extend(wrong_purpose(leaf, &label));
    problems.extend(unaccepted_algorithm(leaf, is_self_issued, &label));
    problems
}

/// Returns the names of a certificate for a message, or its subject.
pub(super) fn label(leaf: &X509Certificate<'_>, names: &[String]) -> String {
    if names.is_empty() {
        format!("\"{}\"", shown::subject(leaf.subject()))
    } else {
        format!("for {}", listed(names))
    }
}

fn nameless(leaf: &X509Certificate<'_>) -> CertificateProblem {
    let common = leaf.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let subject = match common {
        Some(name) => format!(
            "the certificate has the name \"{}\" in its subject (CN) only",
            shown::text(name)
        ),
        None => "the certificate has no name".to_owned(),
    };
    problem(
        format!("{subject}, and clients read names from subjectAltName only"),
        "issue one with subjectAltName (openssl: -addext subjectAltName=DNS:…; or `pumphouse-web cert \
         --name …`)",
    )
}

/// Returns a problem about the first DNS name, other than an empty one, that no client accepts.
fn unusable_name(leaf: &X509Certificate<'_>) -> Option<CertificateProblem> {
    let names = leaf.subject_alternative_name().ok()??.value;
    let text = names.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(text) if !text.trim().is_empty() && !is_dns_name(text) => Some(*text),
        _ => None,
    })?;
    let advice = match name::meant(text) {
        Some(name) if name.parse::<IpAddr>().is_ok() => {
            format!(
                "issue one with IP:{name} in subjectAltName (or `pumphouse-web cert --name {name}`)"
            )
        }
        Some(name) => format!("issue one for {name}"),
        None => "issue one for the host names and IP addresses of the server".to_owned(),
    };
    let shown = shown::text(text);
    Some(problem(
        format!("the certificate has the host name \"{shown}\", which no client accepts"),
        advice,
    ))
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

/// Returns a problem for each name that clients use and that none of the certificates' names covers.
pub(super) fn names(certified: &[String], expected: &[ExpectedName]) -> Vec<CertificateProblem> {
    if certified.is_empty() {
        return Vec::new();
    }
    let missing = expected.iter().filter(|expected| !covers(certified, &expected.name));
    let problems = missing.map(|ExpectedName { name, origin }| {
        problem(
            format!(
                "no certificate is for {name}, which {origin} names: clients that use it refuse the certificate for {}",
                listed(certified)
            ),
            format!("issue one for {name}, or correct {origin}"),
        )
    });
    problems.collect()
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
