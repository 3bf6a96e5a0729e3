//! Invariant: every pair of files is loaded, or gives an error of one line for each file.

use std::path::Path;

use super::content::{self, Wanted};
use super::info::CertificateInfo;
use super::key_kind;
use crate::config::self_signed::self_signed;
use fuzzing::fuzz;

#[test]
fn any_bytes_are_a_certificate_or_an_error_of_one_line() {
    let pair = self_signed(&["a.example".to_owned()]).unwrap();
    let dictionary = [
        pair.cert_pem.as_str(),
        pair.key_pem.as_str(),
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "Proc-Type: 4,ENCRYPTED\n",
        "MIIB",
        "0\u{82}\u{1}\u{2}\u{2}\u{1}\u{3}",
        "\u{feff}",
    ];
    let path = Path::new("file.pem");
    fuzz("certificates", &dictionary, |input| {
        let chain = match content::parse_chain(input) {
            Ok(chain) => match CertificateInfo::of_der(&chain) {
                Ok(info) => format!("{} names, {} problems", info.names.len(), info.problems.len()),
                Err(error) => error,
            },
            Err(unusable) => unusable.describe(Wanted::Chain, path),
        };
        let key = match content::parse_key(input) {
            Ok(key) => key_kind::reason(&key),
            Err(unusable) => unusable.describe(Wanted::Key, path),
        };
        assert!(!key.contains('\n'), "{key}");
        // Numbers from the input make no new behaviour.
        format!("{chain} {key}").replace(|c: char| c.is_numeric(), "")
    });
}
