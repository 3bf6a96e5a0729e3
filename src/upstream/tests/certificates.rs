//! Certificates of upstreams, against `ca_file`: a device's own certificate, and authorities.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::HandshakeKind;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fake::Upstream;
use super::fetching::request;
use crate::board::ErrorKind;
use crate::outbound::{ThreadedResolver, tls};
use crate::upstream::fetch::{Fetched, Fetcher};

const ADDRESS: &str = "127.0.0.1";

/// Kinds of keys that devices have.
const KEYS: [&rcgen::SignatureAlgorithm; 4] = [
    &rcgen::PKCS_ECDSA_P256_SHA256,
    &rcgen::PKCS_ECDSA_P384_SHA384,
    &rcgen::PKCS_ED25519,
    &rcgen::PKCS_RSA_SHA256,
];

/// A certificate and the key of the server that presents it.
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "device");
    params
}

fn self_signed(params: &CertificateParams, key: KeyPair) -> Identity {
    Identity { certificate: params.self_signed(&key).unwrap().der().clone(), key }
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2010, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    params
}

fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (certificate, Issuer::new(params, key))
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        length @ ..0x80 => bytes.push(length as u8),
        length => {
            bytes.push(0x82);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Returns a certificate of version 1, which has no extensions. Its own signature is not valid, which nothing
/// verifies.
fn version_1(key: KeyPair) -> Identity {
    let Identity { certificate, key } = self_signed(&params(&[]), key);
    let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
    let (tbs, public_key) =
        (parsed.tbs_certificate.as_ref(), parsed.tbs_certificate.subject_pki.raw);
    let find = |part: &[u8]| tbs.windows(part.len()).position(|window| window == part).unwrap();
    // The field of the version, [0] EXPLICIT INTEGER 2.
    const VERSION: &[u8] = &[0xa0, 3, 2, 1, 2];
    let begin = find(VERSION) + VERSION.len();
    let end = find(public_key) + public_key.len();
    let whole = certificate.as_ref();
    let after = whole.windows(tbs.len()).position(|window| window == tbs).unwrap() + tbs.len();
    let content = [&der(0x30, &tbs[begin..end]), &whole[after..]].concat();
    let made = CertificateDer::from(der(0x30, &content));
    assert_eq!(X509Certificate::from_der(&made).unwrap().1.version().0, 0);
    assert!(
        rustls::server::ParsedCertificate::try_from(&made).is_err(),
        "rustls rejects version 1"
    );
    Identity { certificate: made, key }
}

/// Serves with the certificate, and signs with the key, whether they belong together or not.
fn upstream(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    version: &'static rustls::SupportedProtocolVersion,
) -> Upstream {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = provider.key_provider.load_private_key(private).unwrap();
    let certified = CertifiedKey::new(vec![certificate.clone()], signer);
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    let config = Arc::new(config);
    Upstream::new(move |stream| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, stream);
        // A client that rejects the certificate disconnects before it sends a request.
        if tls.read(&mut [0; 1024]).is_ok() {
            let is_resumed = tls.conn.handshake_kind() == Some(HandshakeKind::Resumed);
            let body = if is_resumed { RESUMED } else { FULL };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = tls.write_all(&[head.as_bytes(), body].concat());
            let _ = tls.flush();
        }
    })
}

/// Bodies that the upstream sends after each kind of handshake.
const FULL: &[u8] = b"full";
const RESUMED: &[u8] = b"resumed";

#[test]
fn each_poll_resumes_the_session_of_the_one_before() {
    let device = self_signed(&params(&[]), KeyPair::generate().unwrap());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let upstream = upstream(&device.certificate, &device.key, version);
        let tls = tls::trusting_or_pinning(std::slice::from_ref(&device.certificate));
        let url = format!("https://{ADDRESS}:{}/", upstream.address.port());
        for expected in [FULL, RESUMED, RESUMED, RESUMED] {
            let (timeout, resolver) = (Duration::from_secs(20), ThreadedResolver::system());
            let fetcher = Fetcher::new(timeout, "test", tls.clone(), None, resolver);
            let Ok(Fetched::Body { body, .. }) = fetcher.fetch(&request(url.clone()), None) else {
                panic!("no body, {version:?}")
            };
            assert_eq!(body, expected, "{version:?}");
        }
    }
}

/// Fetches over every version of TLS with these certificates in `ca_file`, and checks that all are accepted
/// or all rejected.
fn check(
    case: &str,
    (certificate, key): (&CertificateDer<'static>, &KeyPair),
    ca_file: &[CertificateDer<'static>],
    is_accepted: bool,
) {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let upstream = upstream(certificate, key, version);
        let fetcher = Fetcher::new(
            Duration::from_secs(20),
            "test",
            tls::trusting_or_pinning(ca_file),
            None,
            ThreadedResolver::system(),
        );
        let url = format!("https://{ADDRESS}:{}/", upstream.address.port());
        match fetcher.fetch(&request(url), None) {
            Ok(Fetched::Body { body, .. }) if is_accepted => assert_eq!(body, FULL, "{case}"),
            Err(error) if !is_accepted => {
                assert_eq!(error.error.kind, ErrorKind::Tls, "{case}, {version:?}");
            }
            other => panic!("{case}, {version:?}, accepted {is_accepted}: {other:?}"),
        }
    }
}

/// Certificates that devices make for themselves, none of which has a valid chain and name.
fn devices() -> Vec<(String, Identity)> {
    let mut authority = params(&[ADDRESS]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut without_name = params(&[]);
    without_name.distinguished_name = rcgen::DistinguishedName::new();
    let mut devices = Vec::new();
    for algorithm in KEYS {
        let key = || KeyPair::generate_for(algorithm).unwrap();
        devices.extend([
            (format!("a common name alone, {algorithm:?}"), self_signed(&params(&[]), key())),
            (format!("version 1, {algorithm:?}"), version_1(key())),
        ]);
    }
    let key = || KeyPair::generate().unwrap();
    devices.extend([
        ("a CA".to_owned(), self_signed(&authority, key())),
        ("no name at all".to_owned(), self_signed(&without_name, key())),
        ("another name".to_owned(), self_signed(&params(&["factory.test"]), key())),
        ("expired".to_owned(), self_signed(&expired(params(&[ADDRESS])), key())),
    ]);
    devices
}

#[test]
fn own_certificate_of_a_device_is_accepted_with_its_key_alone() {
    let stranger = self_signed(&params(&[]), KeyPair::generate().unwrap());
    for (case, device) in devices() {
        let pinned = std::slice::from_ref(&device.certificate);
        check(&case, (&device.certificate, &device.key), pinned, true);
        // In a file with others, in any place.
        let several = [stranger.certificate.clone(), device.certificate.clone()];
        check(&case, (&device.certificate, &device.key), &several, true);
        // Whoever recorded the certificate has no key for it.
        let other_key = KeyPair::generate_for(device.key.algorithm()).unwrap();
        check(&format!("{case}, another key"), (&device.certificate, &other_key), pinned, false);
        // Another certificate for the same subject.
        check(&format!("not {case}"), (&stranger.certificate, &stranger.key), pinned, false);
        check(&format!("{case}, in no file"), (&device.certificate, &device.key), &[], false);
    }
}

#[test]
fn certificate_of_an_authority_in_the_file_is_checked_in_full() {
    let (root, issuer) = authority();
    let (_, other) = authority();
    for (case, names, is_expired, issuer, is_accepted) in [
        ("right", &[ADDRESS][..], false, &issuer, true),
        ("another name", &["factory.test"], false, &issuer, false),
        ("a common name alone", &[], false, &issuer, false),
        ("expired", &[ADDRESS], true, &issuer, false),
        ("another authority", &[ADDRESS], false, &other, false),
    ] {
        let params = if is_expired { expired(params(names)) } else { params(names) };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
        check(case, (&certificate, &key), std::slice::from_ref(&root), is_accepted);
        let other_key = KeyPair::generate().unwrap();
        check(case, (&certificate, &other_key), std::slice::from_ref(&root), false);
    }
}
