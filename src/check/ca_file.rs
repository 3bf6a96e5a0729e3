//! Describes the certificates of a source's `ca_file`.

use std::fmt::{self, Write};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::timestamp::Rfc3339Date;

/// Writes one line for each certificate.
pub(super) fn write(
    text: &mut String,
    certificates: &[CertificateDer<'_>],
    now: Timestamp,
) -> fmt::Result {
    let count = match certificates.len() {
        1 => "certificate".to_owned(),
        count => format!("{count} certificates"),
    };
    writeln!(text, "  trusts the {count} in its ca_file, and no others:")?;
    certificates.iter().try_for_each(|certificate| line(text, certificate, now))
}

fn line(text: &mut String, der: &CertificateDer<'_>, now: Timestamp) -> fmt::Result {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return writeln!(text, "    one that cannot be parsed");
    };
    let subject = certificate.subject();
    let name = subject.iter_common_name().find_map(|name| name.as_str().ok());
    let name = name.map_or_else(|| subject.to_string(), str::to_owned);
    let role = if certificate.is_ca() {
        "of an authority, or of the server itself"
    } else {
        "of the server itself"
    };
    write!(text, "    \"{name}\", {role}")?;
    match Timestamp::from_second(certificate.validity().not_after.timestamp()) {
        Ok(end) if end < now => writeln!(
            text,
            ", expired on {}, which is ignored for a server that presents this very certificate",
            Rfc3339Date(end)
        ),
        Ok(end) => writeln!(text, ", until {}", Rfc3339Date(end)),
        Err(_) => writeln!(text),
    }
}

#[cfg(test)]
mod tests {
    use hostile::certificates::{authority, server};
    use rcgen::KeyPair;

    use super::*;

    fn certificate(name: &str, is_ca: bool, until: i32) -> CertificateDer<'static> {
        let params =
            if is_ca { authority(name, (2010, until)) } else { server(name, (2010, until)) };
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn certificates_are_described_by_name_role_and_end() {
        let now = "2026-01-31T17:16:00Z".parse().unwrap();
        let mut text = String::new();
        let authority = certificate("Home CA", true, 2035);
        write(&mut text, std::slice::from_ref(&authority), now).unwrap();
        assert_eq!(
            text,
            "  trusts the certificate in its ca_file, and no others:\n    \
             \"Home CA\", of an authority, or of the server itself, until 2035-01-01\n"
        );
        let broken = CertificateDer::from(vec![0x30, 1]);
        let mut text = String::new();
        write(&mut text, &[certificate("shelly", false, 2020), broken], now).unwrap();
        assert_eq!(
            text,
            "  trusts the 2 certificates in its ca_file, and no others:\n    \
             \"shelly\", of the server itself, expired on 2020-01-01, which is ignored for a server that \
             presents this very certificate\n    one that cannot be parsed\n"
        );
    }
}
