//! Faults that a restart cures, and faults that it does not: a table over real servers, with and without TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::supervisor::alarm::AlarmKind;
use crate::supervisor::plan::{Plan, Planner, ProbeSettings};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// Long enough for a handshake on a busy machine.
const AMPLE: Duration = Duration::from_secs(20);

/// A certificate with its key, both in PEM.
struct Made {
    cert: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

/// Years in which a certificate is valid.
type Years = (i32, i32);

const NOW: Years = (2000, 4000);
const PAST: Years = (2000, 2001);
const FUTURE: Years = (3000, 4000);

fn certificate(names: &[&str], (from, to): Years) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    Made { cert: made.pem(), der: made.der().clone(), key }
}

/// Serves `response` over TLS with a certificate, in versions that this program speaks or does not.
fn serve_tls(made: &Made, response: &'static str) -> SocketAddr {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der.clone()], key)
        .unwrap();
    let config = Arc::new(config);
    serve(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, stream);
        // A client that rejects the certificate disconnects before it sends a request.
        if tls.read(&mut [0; 1024]).is_ok() {
            let _ = tls.write_all(response.as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    })
}

/// Accepts connections on loopback, and calls `answer` with each.
fn serve(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    address
}

/// Returns an address that refuses connections as long as the socket lives, which keeps it from others.
fn refused() -> (SocketAddr, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap(), socket)
}

fn serve_plain(response: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(response.as_bytes());
    })
}

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

fn misconfigured(kind: AlarmKind) -> Verdict {
    Verdict::Misconfigured { kind, answered: true }
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

/// Writes a configuration with a certificate, and returns its path.
fn configuration(folder: &Path, server: &str, made: Option<&Made>) -> PathBuf {
    let mut text = format!("[server]\n{server}\n");
    if let Some(made) = made {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, &made.cert).unwrap();
        // The key is not readable for the probe, which does not need it.
        let pair = format!("[tls]\ncert = \"{}\"\nkey = \"{}\"\n", cert.display(), key.display());
        text.push_str(&pair);
    }
    let path = folder.join("pumphouse.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn planner(config: &Path) -> Planner {
    let config = Some(config.to_owned());
    Planner::new(ProbeSettings { config, ..ProbeSettings::default() })
}

#[test]
fn configured_listener_is_probed_by_a_name_of_its_own_certificate() {
    use AlarmKind::{CertificateExpired, CertificateNotYetValid, CertificateUntrusted};
    for (case, configured, presented, verdict, expected) in [
        ("any name", certificate(&["pumphouse.example"], NOW), None, Verdict::Healthy, ""),
        ("a wildcard", certificate(&["*.pump.example"], NOW), None, Verdict::Healthy, ""),
        ("no name", certificate(&[], NOW), None, Verdict::Healthy, ""),
        (
            "expired",
            certificate(&["pumphouse.example"], PAST),
            None,
            misconfigured(CertificateExpired),
            "renew it",
        ),
        (
            "not yet valid",
            certificate(&["pumphouse.example"], FUTURE),
            None,
            misconfigured(CertificateNotYetValid),
            "set the clock",
        ),
        (
            "another certificate",
            certificate(&["pumphouse.example"], NOW),
            Some(certificate(&["pumphouse.example"], NOW)),
            misconfigured(CertificateUntrusted),
            "presents another certificate than",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let address = serve_tls(presented.as_ref().unwrap_or(&configured), OK);
        let admin = serve_plain(OK);
        let server =
            format!("listen = [\"0.0.0.0:{}\"]\nadmin_listen = \"{admin}\"", address.port());
        let config = configuration(folder.path(), &server, Some(&configured));
        let plan = planner(&config).load(false).unwrap().unwrap();
        let outcomes = Prober::new(plan, AMPLE).probe_once();
        assert_eq!(outcomes.len(), 2, "{case}");
        assert_eq!(outcomes[0].verdict, Verdict::Healthy, "{case}: {}", outcomes[0].text);
        assert_eq!(outcomes[1].verdict, verdict, "{case}: {}", outcomes[1].text);
        assert!(outcomes[1].text.contains(expected), "{case}: {}", outcomes[1].text);
    }
}

#[test]
fn configured_listener_that_the_server_does_not_serve_is_no_reason_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (refused, _bound) = refused();
    let elsewhere = r#"{"listeners":[{"address":"0.0.0.0:8443","state":"listening"}]}"#;
    let here = format!(r#"{{"listeners":[{{"address":"{refused}","state":"listening"}}]}}"#);
    let waiting =
        format!(r#"{{"listeners":[{{"address":"{refused}","state":"waiting","error":"none"}}]}}"#);
    for (scoreboard, verdict) in [
        (elsewhere.to_owned(), misconfigured(AlarmKind::Listener)),
        (waiting, misconfigured(AlarmKind::Listener)),
        (here, Verdict::Unresponsive),
        ("{}".to_owned(), Verdict::Unresponsive),
        ("garbage".to_owned(), Verdict::Unresponsive),
    ] {
        let length = scoreboard.len();
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{scoreboard}");
        let admin = serve_plain(response.leak());
        let server = format!("listen = [\"{refused}\"]\nadmin_listen = \"{admin}\"");
        let config = configuration(folder.path(), &server, None);
        let plan = planner(&config).load(false).unwrap().unwrap();
        let outcomes = Prober::new(plan, AMPLE).probe_once();
        assert_eq!(outcomes[1].verdict, verdict, "{scoreboard}: {}", outcomes[1].text);
    }
}

#[test]
fn plan_follows_the_files_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&first));
    let mut planner = planner(&config);
    let plan = planner.load(false).unwrap().unwrap();
    let admin = "http://127.0.0.1:6480/healthz";
    assert_eq!(plan.addresses(), format!("{admin}, https://one.example:1/healthz at 127.0.0.1:1"));
    assert!(planner.load(false).unwrap().is_none(), "nothing has changed");
    assert!(planner.load(true).unwrap().is_some(), "the authorities were read again");

    /// A change is followed once two reads in a row have found it.
    fn follow(planner: &mut Planner) -> Plan {
        assert!(planner.load(false).unwrap().is_none());
        planner.load(false).unwrap().unwrap()
    }

    // A renewed certificate, another name, a key that goes.
    let second = certificate(&["two.example"], NOW);
    configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&second));
    let plan = follow(&mut planner);
    assert!(plan.addresses().contains("https://two.example:1/"), "{}", plan.addresses());
    let names = "listen = [\"127.0.0.1:1\", \"fd:3\"]\nnames = [\"tank.example\"]";
    configuration(folder.path(), names, Some(&second));
    let plan = follow(&mut planner);
    assert_eq!(plan.addresses(), format!("{admin}, https://tank.example:1/healthz at 127.0.0.1:1"));
    // A file of which the first half is written is no change.
    let written = std::fs::read(&config).unwrap();
    std::fs::write(&config, "").unwrap();
    assert!(planner.load(false).unwrap().is_none());
    std::fs::write(&config, written).unwrap();
    assert!(planner.load(false).unwrap().is_none() && planner.load(false).unwrap().is_none());
    std::fs::write(&config, "[server]\nlisten = 7\n").unwrap();
    let error = planner.load(false).unwrap_err().to_string();
    assert!(error.contains("pumphouse.toml:2:"), "{error}");
    std::fs::remove_file(&config).unwrap();
    assert!(planner.load(false).unwrap_err().to_string().contains("cannot read"));

    // A certificate that cannot be read leaves the authorities of the system, and is reported.
    configuration(folder.path(), names, Some(&second));
    std::fs::write(folder.path().join("cert.pem"), "nothing").unwrap();
    let plan = follow(&mut planner);
    assert!(plan.notes[0].contains("holds no certificate"), "{:?}", plan.notes);
}

/// A server with TLS, its admin listener, and a prober that has found both healthy.
struct Running {
    folder: tempfile::TempDir,
    made: Made,
    public: SocketAddr,
    admin: SocketAddr,
    planner: Planner,
    prober: Prober,
}

fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["one.example"], NOW);
    let public = serve_tls(&made, OK);
    let scoreboard = format!(
        r#"{{"listeners":[{{"address":"{public}","state":"listening"}}],"certificates":[{{}}]}}"#
    );
    let length = scoreboard.len();
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{scoreboard}");
    let admin = serve_plain(response.leak());
    let server = format!("listen = [\"{public}\"]\nadmin_listen = \"{admin}\"");
    let config = configuration(folder.path(), &server, Some(&made));
    let mut planner = planner(&config);
    let mut prober = Prober::new(planner.load(false).unwrap().unwrap(), AMPLE);
    let outcomes = prober.probe_once();
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Healthy), "{outcomes:?}");
    Running { folder, made, public, admin, planner, prober }
}

/// Whatever is done to the file, the server that runs serves as before.
#[test]
fn changed_file_is_no_reason_to_restart_a_healthy_server() {
    let (nowhere, _bound) = refused();
    type Change<'a> = (&'a str, &'a dyn Fn(&Running));
    let changes: [Change<'_>; 6] = [
        ("nothing", &|_| {}),
        ("emptied", &|running| {
            let text = format!("[server]\nadmin_listen = \"{nowhere}\"\n");
            std::fs::write(running.folder.path().join("pumphouse.toml"), text).unwrap();
        }),
        ("[tls] removed", &|running| {
            let Running { public, admin, .. } = running;
            let server = format!("listen = [\"{public}\"]\nadmin_listen = \"{admin}\"");
            configuration(running.folder.path(), &server, None);
        }),
        ("[tls] removed, and the admin listener moved", &|running| {
            let server = format!("listen = [\"{}\"]\nadmin_listen = \"{nowhere}\"", running.public);
            configuration(running.folder.path(), &server, None);
        }),
        ("admin listener moved", &|running| {
            let server = format!("listen = [\"{}\"]\nadmin_listen = \"{nowhere}\"", running.public);
            configuration(running.folder.path(), &server, Some(&running.made));
        }),
        ("both moved", &|running| {
            let server = format!("listen = [\"{nowhere}\"]\nadmin_listen = \"{nowhere}\"");
            configuration(running.folder.path(), &server, Some(&running.made));
        }),
    ];
    for (case, change) in changes {
        let mut running = running();
        change(&running);
        assert!(running.planner.load(false).unwrap().is_none());
        if let Some(plan) = running.planner.load(false).unwrap() {
            running.prober.follow(plan);
        }
        for _ in 0..3 {
            let outcomes = running.prober.probe_once();
            for Outcome { verdict, text, .. } in &outcomes {
                let is_alarm = matches!(verdict, Verdict::Misconfigured { answered: true, .. });
                assert!(is_alarm || *verdict == Verdict::Healthy, "{case}: {text}");
            }
            let is_well = outcomes.iter().all(|outcome| outcome.verdict == Verdict::Healthy);
            assert_eq!(is_well, case == "nothing", "{case}: {outcomes:?}");
        }
    }
}

#[test]
fn file_that_goes_or_has_an_unknown_table_leaves_the_plan() {
    let mut running = running();
    let config = running.folder.path().join("pumphouse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[server]", "[sever]")).unwrap();
    let error = running.planner.load(false).unwrap_err().to_string();
    assert!(error.contains("did you mean \"server\"?"), "{error}");
    let others = "[site]\ntitle = \"x\"\n[auth]\n[history]\n[log]\n[[source]]\nname = \"x\"\n";
    std::fs::write(&config, format!("{text}{others}")).unwrap();
    assert!(running.planner.load(false).is_ok(), "they are not read here");
    std::fs::remove_file(&config).unwrap();
    assert!(running.planner.load(false).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn certificate_that_visitors_refuse_is_found_although_it_is_the_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = certificate(&["ca.example"], NOW);
    let mut params = CertificateParams::new(vec!["one.example".to_owned()]).unwrap();
    // Access description of the issuer's certificate, as public authorities have it (RFC 5280 4.2.2.1).
    let access = b"\x30\x1b\x30\x19\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x0dhttp://a.test";
    let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
    let extension = rcgen::CustomExtension::from_oid_content(&oid, access.to_vec());
    params.custom_extensions.push(extension);
    params.distinguished_name.push(rcgen::DnType::CommonName, "one.example");
    let key = KeyPair::generate().unwrap();
    let signer = rcgen::Issuer::new(
        CertificateParams::new(vec!["ca.example".to_owned()]).unwrap(),
        issuer.key,
    );
    let signed = params.signed_by(&key, &signer).unwrap();
    let without_chain = Made { cert: signed.pem(), der: signed.der().clone(), key };
    let listen = "listen = [\"127.0.0.1:1\"]";
    let named = |name: &str| format!("{listen}\nnames = [\"{name}\"]");
    let proxied = format!("{}\ntrusted_proxies = [\"127.0.0.1\"]", named("tank.example"));
    let one = || certificate(&["one.example", "*.pump.example"], NOW);
    for (case, server, made, expected) in [
        ("well", named("one.example"), one(), None),
        ("by a wildcard", named("tank.pump.example"), one(), None),
        ("no names", listen.to_owned(), one(), None),
        ("behind a proxy", proxied, one(), None),
        ("another name", named("tank.example"), one(), Some(AlarmKind::CertificateName)),
        (
            "expired",
            named("one.example"),
            certificate(&["one.example"], PAST),
            Some(AlarmKind::CertificateExpired),
        ),
        ("no chain", named("one.example"), without_chain, Some(AlarmKind::CertificateInvalid)),
    ] {
        let config = configuration(folder.path(), &server, Some(&made));
        let plan = planner(&config).load(false).unwrap().unwrap();
        let found = plan.certificate_faults(Timestamp::now());
        let kinds = found.iter().map(|fault| match fault.verdict {
            Verdict::Misconfigured { kind, .. } => kind,
            _ => unreachable!(),
        });
        assert_eq!(kinds.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{case}");
        // A clock that was never set says nothing about the validity.
        let early = plan.certificate_faults(Timestamp::from_second(12).unwrap());
        assert_eq!(early.len(), found.len() - usize::from(case == "expired"), "{case}");
    }
}

#[test]
fn plan_without_an_address_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = "listen = [\"fd:0\"]\nadmin_listen = \"127.0.0.1:0\"";
    let plan = planner(&configuration(folder.path(), server, None)).load(false).unwrap().unwrap();
    assert!(plan.nothing_to_probe().unwrap().contains("--url or --admin"));
    assert_eq!(plan.notes.len(), 1, "`watch` raises an alarm");
    assert_eq!(plan.omitted.len(), 1);
}

#[test]
fn obstacle_to_a_start_is_told_from_what_this_process_lacks() {
    let running = running();
    let config = running.folder.path().join("pumphouse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let source = |secret: &str| {
        format!(
            "{text}[[source]]\nname = \"x\"\nkind = \"json\"\nurl = \"https://a.example/x\"\nvalues = {{ level = {{ pointer = \"/level\", unit = \"%\" }} }}\n{secret}\n"
        )
    };
    let key = running.folder.path().join("key.pem");
    std::fs::write(&key, running.made.key.serialize_pem()).unwrap();
    for (case, text, expected) in [
        ("as it is", text.clone(), None),
        ("a fault", format!("{text}[log]\nlevl = 1\n"), Some("unknown key \"levl\"")),
        ("syntax", format!("{text}[["), Some("pumphouse.toml:")),
        ("reachable, without access", text.replace("127.0.0.1", "0.0.0.0"), Some("[auth]")),
        ("a variable", source("bearer = \"${PUMPHOUSE_NO_SUCH_VARIABLE}\""), None),
    ] {
        std::fs::write(&config, text).unwrap();
        let found = running.planner.obstacle();
        match expected {
            None => assert_eq!(found, None, "{case}"),
            Some(text) => assert!(found.as_ref().unwrap().contains(text), "{case}: {found:?}"),
        }
    }
    std::fs::write(&config, &text).unwrap();
    std::fs::write(&key, certificate(&["one.example"], NOW).key.serialize_pem()).unwrap();
    assert!(running.planner.obstacle().unwrap().contains("is the key of another certificate"));
    std::fs::remove_file(&config).unwrap();
    assert!(running.planner.obstacle().unwrap().contains("cannot read the configuration"));
}

#[test]
fn server_that_has_not_loaded_a_renewed_certificate_yet_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [0; 2].map(|_| certificate(&["one.example"], NOW));
    let address = serve_tls(&first, OK);
    let admin = serve_plain(OK);
    let server = format!("listen = [\"{address}\"]\nadmin_listen = \"{admin}\"");
    let config = configuration(folder.path(), &server, Some(&first));
    let mut planner = planner(&config);
    let mut prober = Prober::new(planner.load(false).unwrap().unwrap(), AMPLE);
    configuration(folder.path(), &server, Some(&second));
    assert!(planner.load(false).unwrap().is_none());
    prober.follow(planner.load(false).unwrap().unwrap());
    for outcome in prober.probe_once() {
        assert_eq!(outcome.verdict, Verdict::Healthy, "{}", outcome.text);
    }
}

#[test]
fn options_win_over_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", None);
    let url = "http://a.example";
    let admin = "unix:/run/admin.sock";
    for (has_admin, has_url, alone, expected) in [
        (false, false, false, "http://127.0.0.1:6480/healthz, http://127.0.0.1:1/healthz"),
        (true, false, false, "unix:/run/admin.sock, http://127.0.0.1:1/healthz"),
        (false, true, false, "http://127.0.0.1:6480/healthz, http://a.example/healthz"),
        (true, true, false, "unix:/run/admin.sock, http://a.example/healthz"),
        (false, true, true, "http://a.example/healthz"),
        (true, true, true, "unix:/run/admin.sock, http://a.example/healthz"),
        (false, false, true, "http://127.0.0.1:6480/healthz, http://127.0.0.1:1/healthz"),
    ] {
        let settings = ProbeSettings {
            config: Some(config.clone()),
            admin: has_admin.then(|| admin.parse().unwrap()),
            urls: has_url.then(|| url.parse().unwrap()).into_iter().collect(),
            ca: None,
            urls_alone: alone,
        };
        let plan = Planner::new(settings).load(false).unwrap().unwrap();
        assert_eq!(plan.addresses(), expected);
    }
}
