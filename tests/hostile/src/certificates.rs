//! Certificates of tests, by their name and the years in which they are valid.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

/// First days of the years in which a certificate begins and ends.
pub type Years = (i32, i32);

/// A certificate with that of its issuer, `CN=middle`, and its key, in PEM.
pub struct Issued {
    /// The certificate.
    pub leaf: String,
    /// The issuer's certificate.
    pub middle: String,
    /// The certificate's key.
    pub key: String,
}

/// Returns the parameters of a server's certificate, whose subject is its name.
pub fn server(name: &str, (from, to): Years) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params
}

/// Returns the parameters of an authority's certificate.
pub fn authority(name: &str, years: Years) -> CertificateParams {
    let mut params = server(name, years);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Issues a server's certificate by an authority whose own is valid in the years `of_middle`, and which a root has
/// issued that is in no file.
pub fn issued(name: &str, years: Years, of_middle: Years) -> Issued {
    let key = || KeyPair::generate().unwrap();
    let root = Issuer::new(authority("root", years), key());
    let (middle, middle_key) = (authority("middle", of_middle), key());
    let middle_pem = middle.signed_by(&middle_key, &root).unwrap().pem();
    let key = key();
    let leaf = server(name, years).signed_by(&key, &Issuer::new(middle, middle_key)).unwrap();
    Issued { leaf: leaf.pem(), middle: middle_pem, key: key.serialize_pem() }
}
