//! Certificate authorities of the system, which HUP reads again, and proxies of sources of every kind.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use hostile::client::TEST_TIMEOUT;
use hostile::config::{Config, Source};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::server::{Server, run, text};

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Returns the settings of a server for `localhost` by this authority.
    fn server(&self) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> =
            params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key);
        Arc::new(config.unwrap())
    }
}

/// Starts an https upstream, and returns its port.
fn upstream(config: Arc<rustls::ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            let mut head = [0; 4096];
            if tls.read(&mut head).is_ok() {
                let body = r#"{"level": 50}"#;
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = tls.write_all(answer.as_bytes());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    port
}

fn source(port: u16) -> Source {
    Source::json("tank", &format!("https://localhost:{port}/"))
        .value("level", "/level", "%")
        .set("interval", "1h")
}

fn start(roots: &Path, config: &Config) -> Server {
    let shell = format!("export SSL_CERT_FILE={} && unset SSL_CERT_DIR", roots.display());
    Server::start_after(&shell, config)
}

fn error(server: &Server) -> String {
    let status = server.eventually_status("the poll fails", |status| {
        status["sources"]["tank"]["error"].is_object()
    });
    let error = &status["sources"]["tank"]["error"];
    assert_eq!(error["kind"], "tls", "{error}");
    error["message"].as_str().unwrap().to_owned()
}

fn is_fresh(status: &serde_json::Value) -> bool {
    status["sources"]["tank"]["state"] == "fresh"
}

#[test]
fn authority_that_was_installed_is_trusted_after_hup() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let config = Config::https().source(source(upstream(own.server())));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &other.pem).unwrap();
    let server = start(&roots, &config);
    let message = error(&server);
    assert!(message.contains("does not trust"), "{message}");
    assert!(message.contains("ca-certificates") && message.contains("HUP"), "{message}");
    assert!(message.contains("ca_file"), "{message}");
    let unchanged = server.reload(&config);
    assert!(unchanged.contains("nothing changed"), "{unchanged}");
    std::fs::write(&roots, format!("{}{}", other.pem, own.pem)).unwrap();
    let changed = server.reload(&config);
    assert!(changed.contains("certificate authorities of the system changed"), "{changed}");
    // It is polled at once, an hour ahead of its schedule.
    server.eventually_status("the tank is fresh", is_fresh);
    // A package that is being updated has none for a moment.
    std::fs::write(&roots, "").unwrap();
    let changed = server.reload(&config);
    assert!(changed.contains("nothing changed"), "{changed}");
    server.wait_for_log("the earlier certificate authorities stay trusted");
    // One that is removed is not trusted any more.
    std::fs::write(&roots, &other.pem).unwrap();
    server.reload(&config);
    error(&server);
}

#[test]
fn machine_without_authorities_is_told_what_to_install() {
    let own = Authority::new("own");
    let config = Config::https().source(source(upstream(own.server())));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, "").unwrap();
    let server = start(&roots, &config);
    let message = error(&server);
    assert!(
        message.contains("no certificate authorities: install the package ca-certificates"),
        "{message}"
    );
    std::fs::write(&roots, &own.pem).unwrap();
    server.reload(&config);
    server.eventually_status("the tank is fresh", is_fresh);
}

#[test]
fn ca_file_that_was_replaced_is_trusted_after_hup() {
    // As one that was made anew with its former name.
    let (own, other) = (Authority::new("own"), Authority::new("own"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let path = file.to_str().unwrap();
    std::fs::write(&file, &other.pem).unwrap();
    let config = Config::https().source(source(upstream(own.server())).set("ca_file", path));
    let server = Server::start(&config);
    let message = error(&server);
    assert!(message.contains("neither in ca_file nor of an authority in it"), "{message}");
    std::fs::write(&file, &own.pem).unwrap();
    let changed = server.reload(&config);
    assert!(changed.contains("source tank changed"), "{changed}");
    server.eventually_status("the tank is fresh", is_fresh);
}

/// Returns the URL of a proxy that refuses every request, and the first lines of these.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:s3cret@{}", listener.local_addr().unwrap());
    let (sender, requests) = unbounded();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            let text = String::from_utf8_lossy(&head[..length]).into_owned();
            let _ = sender.send(text.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (url, requests)
}

const KINDS: [&str; 6] = ["ptlevel", "ptdevices", "open-meteo", "nws", "ambient", "json"];

/// Returns the address of the source of a kind, where nothing listens.
fn host(kind: &str) -> String {
    let number = KINDS.iter().position(|known| *known == kind).unwrap() + 1;
    format!("127.9.0.{number}:9")
}

/// One source of each kind.
fn every_kind(scheme: &str) -> Vec<Source> {
    let of = |kind: &str| {
        let path = if kind == "ptlevel" { "s/s3cretshare" } else { "" };
        let source = Source::new(
            kind,
            &kind.replace('-', "_"),
            &format!("{scheme}://{}/{path}", host(kind)),
        );
        let source = source.set("interval", "1h");
        match kind {
            "ptlevel" => source.set("height", 58).set("capacity", 1400),
            "ptdevices" => source.set("token", "t0ken").set("device", "1").set("timezone", "UTC"),
            "open-meteo" => source.set("latitude", 38.8).set("longitude", -104.7),
            "nws" => source.set("station", "KCOS"),
            "ambient" => source.set("api_key", "k3y").set("application_key", "app"),
            _ => source.value("level", "/level", "%"),
        }
    };
    KINDS.into_iter().map(of).collect()
}

#[test]
fn every_kind_of_source_is_reached_through_its_proxy_alone() {
    let (url, requests) = proxy();
    for scheme in ["http", "https"] {
        for by_environment in [false, true] {
            let value = if by_environment { "env" } else { &url };
            let sources = every_kind(scheme).into_iter().map(|source| source.set("proxy", value));
            let config = Config::https().set("site.contact", "me@example.org").sources(sources);
            let folder = tempfile::tempdir().unwrap();
            config.write(folder.path());
            let variable = format!("{scheme}_proxy");
            let mut command = std::process::Command::new(crate::server::BINARY);
            for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
                command.env_remove(name).env_remove(name.to_uppercase());
            }
            command.env(&variable, &url);
            let made = run(&["cert", "--dir", "."], folder.path());
            assert!(made.status.success());
            let output =
                command.args(["check", "--poll"]).current_dir(folder.path()).output().unwrap();
            let text = text(&output);
            assert!(!text.contains("s3cret"), "{text}");
            let through = text.lines().filter(|line| line.contains("through the proxy http://127"));
            assert_eq!(through.count(), 6, "{text}");
            let lines: Vec<String> = requests.try_iter().collect();
            for host in KINDS.map(host) {
                assert!(lines.iter().any(|line| line.contains(&host)), "{host}: {lines:?} {text}");
            }
        }
    }
    // By default no source has one, whatever the environment says.
    let config = Config::https().sources(every_kind("http"));
    let folder = tempfile::tempdir().unwrap();
    config.write(folder.path());
    assert!(run(&["cert", "--dir", "."], folder.path()).status.success());
    let mut command = std::process::Command::new(crate::server::BINARY);
    command.env("http_proxy", &url).env("all_proxy", &url);
    command.args(["check", "--poll"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(requests.try_iter().count(), 0);
}
