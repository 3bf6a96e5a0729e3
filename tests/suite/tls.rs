//! TLS versions, cipher suites and certificates of the listeners, tested with OpenSSL and rustls.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::Config;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::harness::get;
use crate::server::{Server, run, trust};

/// Makes a handshake with openssl. Returns its output, or `None` if the server refused.
fn handshake(address: SocketAddr, arguments: &[&str]) -> Option<String> {
    let output = Command::new("timeout")
        .args(["20", "openssl", "s_client", "-connect", &address.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is needed: apt-get install openssl");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(line)
}

/// Returns openssl's names of its cipher suites for a protocol.
fn suites(protocol: &str) -> Vec<String> {
    let all = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    let output = Command::new("openssl").args(["ciphers", "-s", protocol, all]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split(':').filter(|name| !name.starts_with("TLS_")).map(str::to_owned).collect()
}

#[test]
fn tls_versions_and_ciphers_without_forward_secrecy_are_refused() {
    let server = Server::start(&Config::https());
    let at = server.address;
    for protocol in ["-tls1", "-tls1_1"] {
        let line = handshake(at, &[protocol, "-cipher", "ALL:@SECLEVEL=0"]);
        assert_eq!(line, None, "{protocol}");
    }
    let modern = handshake(at, &["-tls1_3"]).expect("TLS 1.3 is spoken");
    assert!(modern.contains("TLSv1.3"), "{modern}");

    let offered = suites("-tls1_2");
    assert!(offered.len() > 20, "openssl has few suites to offer: {offered:?}");
    let mut taken: Vec<&String> = offered
        .iter()
        .filter(|suite| {
            let list = format!("{suite}:@SECLEVEL=0");
            handshake(at, &["-tls1_2", "-cipher", &list]).is_some()
        })
        .collect();
    taken.sort();
    let expected = [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ];
    assert_eq!(taken, expected, "ephemeral keys and authenticated encryption only");
    let renegotiation = handshake(at, &["-tls1_2"]).unwrap();
    assert!(renegotiation.contains("Secure Renegotiation IS supported"), "{renegotiation}");
    assert!(renegotiation.contains("Compression: NONE"), "{renegotiation}");
}

/// Sends a request with this server name.
fn ask(server: &Server, config: &Arc<rustls::ClientConfig>, name: &str) -> std::io::Result<String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(config.clone(), name).unwrap();
    let socket = std::net::TcpStream::connect(server.address)?;
    socket.set_read_timeout(Some(TEST_TIMEOUT))?;
    let mut stream = StreamOwned::new(session, socket);
    stream.write_all(get("/ping").as_bytes())?;
    Ok(String::from_utf8_lossy(&read_response(&mut stream)?).into_owned())
}

#[test]
fn each_server_name_gets_its_certificate() {
    let server = Server::start(&Config::https());
    for (folder, name) in [("north", "north.example"), ("wild", "*.pump.example")] {
        let made = run(&["cert", "--dir", folder, "--name", name], server.folder());
        assert!(made.status.success());
    }
    let config = ["north", "wild"].iter().fold(Config::https(), |config, folder| {
        let [cert, key] = ["cert", "key"].map(|file| format!("{folder}/{file}.pem"));
        config.push("tls.certificate", serde_json::json!({ "cert": cert, "key": key }))
    });
    let line = server.reload(&config);
    assert!(line.contains("certificates renewed"), "{line}");
    let client = |folder: &str| trust(&server.folder().join(folder).join("cert.pem"));
    let (north, wild) = (client("north"), client("wild"));
    for (config, name) in
        [(&north, "north.example"), (&wild, "a.pump.example"), (&server.client, "localhost")]
    {
        let answer = ask(&server, config, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
    }
    assert!(ask(&server, &north, "localhost").is_err(), "another name got the certificate");
}

#[test]
fn plain_listener_redirects_to_https() {
    let server = Server::start(&Config::https().set("tls.redirect_listen", ["127.0.0.1:0"]));
    let line = server.wait_for_log("for redirects to https");
    let (_, address) = line.split_once("listening on http://").unwrap();
    let (address, _) = address.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(get("/source/tank?range=7d").as_bytes()).unwrap();
    let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    let port = server.address.port();
    let location = format!("location: https://localhost:{port}/source/tank?range=7d\r\n");
    assert!(answer.contains(&location), "{answer}");
}
