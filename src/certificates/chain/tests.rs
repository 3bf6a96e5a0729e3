use hostile::certificates::{Years, authority, server};
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ED25519};
use rustls::pki_types::CertificateDer;

use super::super::info::CertificateInfo;
use super::super::validity::Bound;
use super::*;

/// Issues a certificate for a new key, or a self-signed one without an issuer.
fn issue(
    name: &str,
    years: Years,
    is_ca: bool,
    issuer: Option<&Authority>,
) -> (CertificateDer<'static>, Authority) {
    let key = KeyPair::generate().unwrap();
    let params = params(name, years, is_ca);
    let made = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (made.der().clone(), Issuer::new(params, key))
}

/// Issues another certificate for the key of an authority.
fn issue_again(
    name: &str,
    years: Years,
    of: &Authority,
    issuer: &Authority,
) -> CertificateDer<'static> {
    params(name, years, true).signed_by(of.key(), issuer).unwrap().der().clone()
}

fn params(name: &str, years: Years, is_ca: bool) -> CertificateParams {
    if is_ca { authority(name, years) } else { server(name, years) }
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
fn issuer_is_found_wherever_it_is_in_the_file() {
    let (root, authority) = issue("root", YEARS, true, None);
    let (middle, issuer) = issue("middle", (2020, 2030), true, Some(&authority));
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
    let (stranger, _) = issue("stranger", (2020, 2021), true, Some(&authority));
    for rest in [&[&leaf, &middle][..], &[&root, &middle], &[&stranger, &middle]] {
        let info = info(&[&[&leaf], rest].concat());
        assert_eq!(info.validity.end.issuer.as_deref(), Some("CN=middle"));
        assert!(matches!(info.chain_fault, Some(ChainFault::Order { position: 2, .. })));
    }
    let info = info(&[&leaf, &stranger]);
    assert_eq!(info.validity.end.issuer, None);
    assert!(matches!(info.chain_fault, Some(ChainFault::NoIssuer { is_public: false, .. })));
}

#[test]
fn issuer_that_clients_may_know_as_a_root_sets_no_bound() {
    let (_, old_root) = issue("old", YEARS, true, None);
    let (root, authority) = issue("root", YEARS, true, None);
    let crossed = issue_again("root", (2020, 2024), &authority, &old_root);
    let (middle, issuer) = issue("middle", YEARS, true, Some(&authority));
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
    for chain in [&[&leaf, &middle, &crossed][..], &[&leaf, &middle, &crossed, &root]] {
        assert_eq!(info(chain).validity.end.issuer, None);
    }
    // Beside a newer one, an older certificate of an issuer is not needed.
    let expired = issue_again("middle", (2020, 2021), &issuer, &authority);
    let info = info(&[&leaf, &expired, &middle]);
    assert_eq!(info.validity.end.issuer, None);
}

#[test]
fn new_key_of_a_root_that_the_old_one_has_signed_is_an_issuer() {
    let (old, old_authority) = issue("root", YEARS, true, None);
    let (_, new_authority) = issue("root", YEARS, true, None);
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&new_authority));
    for (until, expected) in [(2050, None), (2021, Some("CN=root"))] {
        let new = issue_again("root", (2020, until), &new_authority, &old_authority);
        let info = info(&[&leaf, &new, &old]);
        assert_eq!((info.chain_fault, info.validity.end.issuer.as_deref()), (None, expected));
    }
}

#[test]
fn certificate_without_an_end_is_valid() {
    let (leaf, _) = issue("tank.lan", (2020, 9999), false, None);
    let info = info(&[&leaf]);
    assert!(info.validity.contains("9990-01-01T00:00:00Z".parse().unwrap()));
    let mut endless = params("tank.lan", YEARS, false);
    endless.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let made = endless.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let info = CertificateInfo::of_der(&[made.der().clone()]).unwrap();
    assert_eq!(info.validity.end.at, jiff::Timestamp::MAX);
}

#[test]
fn issuer_has_to_have_signed_the_certificate_with_its_key() {
    let (root, authority) = issue("root", YEARS, true, None);
    let (middle, issuer) = issue("middle", YEARS, true, Some(&authority));
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
    let (other_middle, _) = issue("middle", YEARS, true, Some(&authority));
    let (upper, of_upper) = issue("upper", YEARS, true, Some(&authority));
    let (other_upper, _) = issue("upper", YEARS, true, Some(&authority));
    let (lower, of_lower) = issue("lower", YEARS, true, Some(&of_upper));
    let (low_leaf, _) = issue("tank.lan", YEARS, false, Some(&of_lower));
    let (other_root, _) = issue("root", YEARS, true, None);
    let (no_authority, named) = issue("middle", YEARS, false, Some(&authority));
    let (of_no_authority, _) = issue("tank.lan", YEARS, false, Some(&named));
    let key = |position, name: &str, issued| {
        let subject = format!("CN={name}");
        Some(ChainFault::OtherKey { position, subject, issued })
    };
    let subject = "CN=middle".to_owned();
    for (chain, expected) in [
        (&[&leaf, &middle][..], None),
        (&[&leaf, &middle, &root], None),
        (&[&low_leaf, &lower, &upper, &root], None),
        (&[&leaf, &other_middle], key(2, "middle", 1)),
        (&[&low_leaf, &lower, &other_upper], key(3, "upper", 2)),
        // Clients take their own root.
        (&[&leaf, &middle, &other_root], None),
        (
            &[&of_no_authority, &no_authority],
            Some(ChainFault::NoAuthority { position: 2, subject }),
        ),
    ] {
        let info = info(chain);
        assert_eq!(info.chain_fault, expected);
        let refused: Vec<bool> = info.problems.iter().map(|problem| problem.refused).collect();
        assert_eq!(refused, vec![true; usize::from(expected.is_some())], "{:?}", info.problems);
    }
    // Clients try both.
    let info = info(&[&leaf, &other_middle, &middle]);
    assert!(!info.chain_fault.unwrap().is_refused());
}

#[test]
fn issuers_that_issue_each_other_end() {
    let key = KeyPair::generate().unwrap();
    let a = Issuer::new(params("a", YEARS, true), &key);
    let b = Issuer::new(params("b", YEARS, true), &key);
    let a_by_b = params("a", YEARS, true).signed_by(&key, &b).unwrap().der().clone();
    let b_by_a = params("b", YEARS, true).signed_by(&key, &a).unwrap().der().clone();
    let leaf = params("tank.lan", YEARS, false);
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &a).unwrap().der().clone();
    assert_eq!(info(&[&leaf, &a_by_b, &b_by_a]).chain_fault, None);
}

#[test]
fn subject_stays_in_its_line_and_is_bounded() {
    let forged = format!("middle\n2026 ERROR {}", "x".repeat(1000));
    let (_, issuer) = issue(&forged, YEARS, true, None);
    let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
    let problem = info(&[&leaf]).problems[0].to_string();
    assert!(problem.lines().count() == 1 && problem.len() < 600, "{problem}");
}

#[test]
fn signature_that_cannot_be_verified_is_left_to_the_clients() {
    use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512};
    let (_, root) = issue("root", YEARS, true, None);
    for (algorithm, is_verified) in [
        (&PKCS_ECDSA_P256_SHA256, true),
        (&PKCS_ECDSA_P384_SHA384, true),
        (&PKCS_ECDSA_P521_SHA512, false),
        (&PKCS_ED25519, true),
    ] {
        let signed = || {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let middle = params("middle", YEARS, true).signed_by(&key, &root).unwrap();
            let issuer = Issuer::new(params("middle", YEARS, true), key);
            let (leaf, _) = issue("tank.lan", YEARS, false, Some(&issuer));
            (leaf, middle.der().clone())
        };
        let ((leaf, middle), (_, other)) = (signed(), signed());
        assert_eq!(info(&[&leaf, &middle]).chain_fault, None, "{algorithm:?}");
        assert_eq!(info(&[&leaf, &other]).chain_fault.is_some(), is_verified, "{algorithm:?}");
    }
}
