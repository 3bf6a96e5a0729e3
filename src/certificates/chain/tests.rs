use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use rustls::pki_types::CertificateDer;

use super::super::info::CertificateInfo;
use super::super::validity::Bound;
use super::*;

type Years = (i32, i32);

/// Issues a certificate for a new key, or a self-signed one without an issuer.
fn issue(
    name: &str,
    years: Years,
    is_ca: bool,
    issuer: Option<&Authority>,
) -> (CertificateDer<'static>, Authority) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let made = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (made.der().clone(), Issuer::new(params, key))
}

type Authority = Issuer<'static, KeyPair>;

fn info(chain: &[&CertificateDer<'static>]) -> CertificateInfo {
    let chain: Vec<_> = chain.iter().copied().cloned().collect();
    CertificateInfo::of_der(&chain).unwrap()
}

const YEARS: Years = (2020, 2040);

#[test]
fn validity_is_that_of_the_chain_without_a_root() {
    let bound = |year: i32, issuer: Option<&str>| Bound {
        at: format!("{year}-01-01T00:00:00Z").parse().unwrap(),
        issuer: issuer.map(|name| format!("CN={name}")),
    };
    for (of_middle, start, end) in [
        ((2010, 2050), bound(2020, None), bound(2040, None)),
        ((2010, 2030), bound(2020, None), bound(2030, Some("middle"))),
        ((2025, 2050), bound(2025, Some("middle")), bound(2040, None)),
    ] {
        let (root, authority) = issue("root", (1990, 2000), true, None);
        let (middle, issuer) = issue("middle", of_middle, true, Some(&authority));
        let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
        let info = info(&[&leaf, &middle, &root]);
        assert_eq!((&info.validity.start, &info.validity.end), (&start, &end));
        let own = bound(2040, None).at.duration_since(bound(2020, None).at);
        assert_eq!(info.validity.own_duration, own);
        assert_eq!(info.problems, [], "dates change with time");
        let now = end.at + jiff::SignedDuration::from_hours(-36);
        assert_eq!(info.days_left(now), 1);
    }
}

#[test]
fn dates_of_a_certificate_that_issues_none_of_the_chain_do_not_count() {
    let (_, authority) = issue("middle", YEARS, true, None);
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&authority));
    let (stranger, _) = issue("stranger", (2020, 2021), true, Some(&authority));
    let info = info(&[&leaf, &stranger]);
    assert_eq!(info.validity.end.issuer, None);
    assert!(matches!(info.chain_fault, Some(ChainFault::Order { position: 2, .. })));
}

#[test]
fn issuer_has_to_have_signed_the_certificate_before_it() {
    let (root, authority) = issue("root", YEARS, true, None);
    let (middle, issuer) = issue("middle", YEARS, true, Some(&authority));
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
    let (other_middle, _) = issue("middle", YEARS, true, Some(&authority));
    let (other_root, _) = issue("root", YEARS, true, None);
    let (no_authority, named) = issue("middle", YEARS, false, Some(&authority));
    let (of_no_authority, _) = issue("tank.lan", YEARS, false, Some(&named));
    let key =
        |position, name: &str| ChainFault::OtherKey { position, subject: format!("CN={name}") };
    let subject = "CN=middle".to_owned();
    for (chain, expected) in [
        (&[&leaf, &middle][..], None),
        (&[&leaf, &middle, &root], None),
        (&[&leaf, &other_middle], Some(key(2, "middle"))),
        (&[&leaf, &middle, &other_root], Some(key(3, "root"))),
        (
            &[&of_no_authority, &no_authority],
            Some(ChainFault::NoAuthority { position: 2, subject }),
        ),
    ] {
        let info = info(chain);
        assert_eq!(info.chain_fault, expected);
        assert_eq!(info.problems.len(), usize::from(expected.is_some()), "{:?}", info.problems);
        assert_eq!(expected.is_some(), info.chain_fault.is_some_and(|fault| fault.is_refused()));
    }
}

#[test]
fn signature_that_cannot_be_verified_is_left_to_the_clients() {
    use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512};
    for (algorithm, is_verified) in [
        (&PKCS_ECDSA_P256_SHA256, true),
        (&PKCS_ECDSA_P384_SHA384, true),
        (&PKCS_ECDSA_P521_SHA512, false),
        (&PKCS_ED25519, true),
    ] {
        let signed = |key: &KeyPair| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let root = params.self_signed(key).unwrap();
            let issuer = Issuer::from_params(&params, key);
            let leaf_key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec!["tank.lan".to_owned()]).unwrap();
            (leaf.signed_by(&leaf_key, &issuer).unwrap().der().clone(), root.der().clone())
        };
        let key = || KeyPair::generate_for(algorithm).unwrap();
        let ((leaf, root), (_, other)) = (signed(&key()), signed(&key()));
        assert_eq!(info(&[&leaf, &root]).chain_fault, None, "{algorithm:?}");
        assert_eq!(info(&[&leaf, &other]).chain_fault.is_some(), is_verified, "{algorithm:?}");
    }
}
