//! Faults that a restart cures, and faults that it does not: a table over real servers, with and without TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::*;
use crate::supervisor::alarm::AlarmKind;
use crate::supervisor::fixtures::{
    AMPLE, FUTURE, Made, NOW, OK, PAST, certificate, misconfigured, refused, serve, serve_plain,
    serve_tls,
};
use crate::supervisor::plan::{Planner, ProbeSettings};

fn url(scheme: &str, host: &str, address: SocketAddr) -> String {
    format!("{scheme}://{host}:{}", address.port())
}

fn plan(url: &str, ca: Option<&Path>) -> Plan {
    let settings = ProbeSettings {
        urls: vec![url.parse().unwrap()],
        ca: ca.map(Path::to_owned),
        urls_alone: true,
        ..ProbeSettings::default()
    };
    Planner::new(settings).load(false).unwrap().unwrap()
}

#[test]
fn certificate_that_a_restart_does_not_cure_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let own = |made: &Made| -> PathBuf {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, &made.cert).unwrap();
        path
    };
    let other = certificate(&["localhost"], NOW);
    let cases = [
        ("well", certificate(&["localhost"], NOW), true, Verdict::Healthy, "answered 200"),
        (
            "expired",
            certificate(&["localhost"], PAST),
            true,
            misconfigured(AlarmKind::CertificateExpired),
            "the certificate expired on 2001-01-01T00:00:00Z, and the clock of this machine shows",
        ),
        (
            "not yet valid",
            certificate(&["localhost"], FUTURE),
            true,
            misconfigured(AlarmKind::CertificateNotYetValid),
            "the certificate is valid from 3000-01-01T00:00:00Z, and the clock",
        ),
        (
            "another name",
            certificate(&["pumphouse.example"], NOW),
            true,
            misconfigured(AlarmKind::CertificateName),
            "the certificate is for pumphouse.example, not localhost: probe \
             https://pumphouse.example:",
        ),
        (
            "another name",
            certificate(&["pumphouse.example"], NOW),
            true,
            misconfigured(AlarmKind::CertificateName),
            " or make a certificate with --name localhost",
        ),
        (
            "addresses",
            certificate(&["192.0.2.7", "fd00::7"], NOW),
            true,
            misconfigured(AlarmKind::CertificateName),
            "the certificate is for 192.0.2.7, fd00::7, not localhost: probe https://192.0.2.7:",
        ),
        (
            "a wildcard",
            certificate(&["*.pump.example"], NOW),
            true,
            misconfigured(AlarmKind::CertificateName),
            "the certificate is for *.pump.example, not localhost: make a certificate with --name",
        ),
        (
            "no name",
            certificate(&[], NOW),
            true,
            misconfigured(AlarmKind::CertificateName),
            "the certificate is for no host at all, so not for localhost",
        ),
        (
            "untrusted",
            certificate(&["localhost"], NOW),
            false,
            misconfigured(AlarmKind::CertificateUntrusted),
            "no trusted authority has signed the certificate: give that of the server",
        ),
    ];
    for (case, made, is_trusted, verdict, expected) in cases {
        let address = serve_tls(&made, OK);
        let ca = own(if is_trusted { &made } else { &other });
        let url = url("https", "localhost", address);
        let found = probe(&mut Prober::new(plan(&url, Some(&ca)), AMPLE));
        assert_eq!(found.0, verdict, "{case}: {}", found.1);
        assert!(found.1.starts_with(&format!("{url}/healthz")), "{}", found.1);
        assert!(found.1.contains(expected), "{case}: {expected:?} is not in {:?}", found.1);
    }
}

#[test]
fn response_that_a_restart_does_not_cure_is_told_from_an_unhealthy_server() {
    use AlarmKind::{Forbidden, Misdirected, NotFound, Redirect, Rejected};
    let unresponsive = Verdict::Unresponsive;
    for (response, verdict, expected) in [
        (OK, Verdict::Healthy, "answered 200"),
        ("HTTP/1.1 204 No\r\n\r\n", Verdict::Healthy, "answered 204"),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", misconfigured(Forbidden), "an account"),
        ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", misconfigured(Forbidden), "an account"),
        ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", misconfigured(NotFound), "no such page"),
        (
            "HTTP/1.1 421 No\r\nContent-Length: 0\r\n\r\n",
            misconfigured(Misdirected),
            "answered 421: the server does not answer for 127.0.0.1: add it to \"names\"",
        ),
        ("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", misconfigured(Rejected), "answered 400"),
        ("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", misconfigured(Rejected), "answered 429"),
        (
            "HTTP/1.1 308 No\r\nLocation: https://a.example/x?key=s3cret\r\nContent-Length: 0\r\n\r\n",
            misconfigured(Redirect),
            "a redirect to https://a.example/x: probe",
        ),
        ("HTTP/1.1 302 No\r\nContent-Length: 0\r\n\r\n", misconfigured(Redirect), "nowhere"),
        ("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", unresponsive, "answered 500: no"),
        (
            "HTTP/1.1 503 No\r\nContent-Length: 17\r\n\r\nworker 3 for 31 s",
            unresponsive,
            "answered 503: worker 3 for 31 s",
        ),
        ("HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", unresponsive, "answered 504"),
        ("SSH-2.0-x\r\n\r\n", unresponsive, "http: the response violates"),
        ("", unresponsive, "connect: "),
    ] {
        let address = serve_plain(response);
        let (found, text) =
            probe(&mut Prober::new(plan(&format!("http://{address}"), None), AMPLE));
        assert_eq!(found, verdict, "{response:?}: {text}");
        assert!(text.contains(expected) && !text.contains("s3cret"), "{text}");
    }
}

#[test]
fn way_to_the_server_is_told_from_the_server() {
    let (refused, _bound) = refused();
    let plain = serve_plain("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    // A server of TLS that refuses every client: its fatal alert handshake_failure.
    let refuses = serve(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]);
    });
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address, silent)).unwrap();
    let not_reached = |kind| Verdict::Misconfigured { kind, answered: false };
    for (address, bound, verdict) in [
        (format!("http://{refused}"), AMPLE, Verdict::Unresponsive),
        (format!("https://{refused}"), AMPLE, Verdict::Unresponsive),
        (format!("http://{}", silent.0), BOUND, Verdict::Unresponsive),
        (format!("https://{}", silent.0), BOUND, Verdict::Unresponsive),
        // Garbage to a client that expects TLS.
        (format!("https://{plain}"), AMPLE, Verdict::Unresponsive),
        (format!("https://{refuses}"), AMPLE, misconfigured(AlarmKind::Tls)),
        ("http://no-such-host.invalid".to_owned(), AMPLE, not_reached(AlarmKind::NameLookup)),
        // Addresses of this network exist nowhere (RFC 1122 3.2.1.3).
        ("http://255.255.255.255".to_owned(), AMPLE, not_reached(AlarmKind::Route)),
    ] {
        let (found, text) = probe(&mut Prober::new(plan(&address, None), bound));
        assert!(
            found == verdict
                // The kernel forbids broadcasts to this address rather than finding no route.
                || address.contains("255.255") && found == not_reached(AlarmKind::Permission),
            "{address}: {found:?}: {text}"
        );
    }
}
